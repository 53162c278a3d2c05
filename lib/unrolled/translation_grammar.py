"""A small grammar that writes an English sentence and its French translation side by side.

It is real French as far as it goes: articles, adjectives and verbs agree, most adjectives follow their noun,
pronouns and negation stand around the verb, "of the" is one word. Each French word knows the English words
that it stands for. The words are in `translation_words`.
"""

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from .translation_words import (
    ADJECTIVES,
    DETERMINERS,
    FIRST,
    JOINTS,
    NOUNS,
    OBJECTS,
    OFTEN,
    OPENINGS,
    PLACED,
    SUBJECTS,
    VERBS,
    Noun,
)


class Part(NamedTuple):
    """A piece of a sentence: English words, and French words, each with the places of the English ones.

    A noun phrase also has what others must agree with: gender, number, and its main nouns (`heads`: two in
    "the king and the queen"); `pairs` are all (adjective, noun) that the piece brings together.
    """

    en: tuple[str, ...]
    fr: tuple[tuple[str, tuple[int, ...]], ...]
    gender: str = "m"
    many: bool = False
    heads: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


def say(en: str, fr: str) -> Part:
    """Words for words: one for one where they are equally many, else all for all."""
    a, b = en.replace("_", " ").split(), fr.split()
    links = [(i,) for i in range(len(a))] if len(a) == len(b) else [tuple(range(len(a)))] * len(b)
    return Part(tuple(a), tuple(zip(b, links)))


def arrange(parts: list[Part], order: list[int] | None = None) -> Part:
    """Parts in their English order as one; `order` is their order in French, the same if None."""
    starts = [0, *accumulate(len(p.en) for p in parts)]
    places = range(len(parts)) if order is None else order
    fr = [(word, tuple(i + starts[k] for i in links)) for k in places for word, links in parts[k].fr]
    return Part(sum((p.en for p in parts), ()), tuple(fr), pairs=sum((p.pairs for p in parts), ()))


def noun_phrase(rng: random.Random, kind: str, depth: int = 0, a: str = "un une -") -> Part:
    """A determiner, up to two adjectives, a noun; perhaps "of ..." or "who ..." (not within another one).

    `a` has the French for "a": de after a negation; with "" it does not occur, since "of a" would elide.
    """
    noun, some = rng.choice(NOUNS[kind]), {"a": a} if a else {}
    table = DETERMINERS | some
    name = rng.choice([*table, *["the", *some] * 4])
    forms = table[name].split()
    many = forms[0] == "-" or (forms[2] != "-" and rng.random() < 0.3)
    chosen = rng.sample(sorted(ADJECTIVES), rng.choice((0, 0, 1, 1, 1, 2)))
    whole = phrase(noun, name, forms, many, chosen)
    return whole if depth or rng.random() < 0.75 else _longer(rng, whole, kind)


def phrase(noun: Noun, name: str, forms: Sequence[str], many: bool, chosen: Sequence[str]) -> Part:
    """A noun with its determiner, English `name` and French `forms`, and the adjectives `chosen`."""
    form = noun.gender * (2 if many else 1)
    parts = [say(en, ADJECTIVES[en][form]) for en in chosen] + [say(noun.en[many], noun.fr[many])]
    name = "an" if name == "a" and parts[0].en[0][0] in "aeiou" else name
    parts = [say(name, forms[2 if many else "mf".index(noun.gender)]), *parts]
    places = range(1, len(chosen) + 1)
    order = [0, *(i for i in places if chosen[i - 1] in FIRST), len(parts) - 1]
    order += [i for i in reversed(places) if chosen[i - 1] not in FIRST]  # the farther in English, the later
    pairs = tuple((en, noun.en[0]) for en in chosen)
    facts = {"gender": noun.gender, "many": many, "heads": noun.en[:1], "pairs": pairs}
    return arrange(parts, order)._replace(**facts)


def _longer(rng: random.Random, head: Part, kind: str) -> Part:
    """The hat of the king; the king who sees the hat; the king and the queen."""
    way = rng.choice(("of", "who", "and")) if kind == "a" else "of"
    if way == "of":
        tail = [of(noun_phrase(rng, "a", 1, a=""))]
    elif way == "who":
        tail = [say("who", "qui"), verb_phrase(rng, head, 1)]
    else:
        other = noun_phrase(rng, "a", 1)
        gender = "f" if head.gender == other.gender == "f" else "m"
        both = arrange([head, say("and", "et"), other])
        return both._replace(gender=gender, many=True, heads=head.heads + other.heads)
    return arrange([head, *tail])._replace(gender=head.gender, many=head.many, heads=head.heads)


def of(owner: Part) -> Part:
    """De le is du, de les is des; otherwise de stands before the determiner."""
    (first, links), *rest = arrange([Part(("of",), ()), owner]).fr
    short = {"le": "du", "les": "des"}.get(first)
    words = ((short, (0, *links)),) if short else (("de", (0,)), (first, links))
    return Part(("of", *owner.en), (*words, *rest), pairs=owner.pairs)


def verb_phrase(rng: random.Random, subject: Part, depth: int = 0) -> Part:
    """What the subject does, agreeing with it: is sad, sleeps, sees her, does not find the hat behind ..."""
    many, way = subject.many, rng.random()
    if way < 0.2:
        return being(rng, subject)
    taking = way < 0.75
    (one, plain), forms = rng.choice(VERBS["taking" if taking else "alone"])
    verb = manner(rng, (plain if many else one, plain, forms[many]), many)
    parts = [verb]
    if taking and rng.random() < 0.2:
        en = rng.choice(sorted(OBJECTS))
        parts = [Part((*verb.en, en), with_pronoun(verb, OBJECTS[en]))]
    elif taking:
        a = "de de -" if verb.fr[0][0] == "ne" else "un une -"
        parts.append(noun_phrase(rng, rng.choice("at"), depth, a))
    if rng.random() < 0.3:
        en = rng.choice(sorted(PLACED))
        parts.append(arrange([say(en, PLACED[en]), noun_phrase(rng, "a" if "with" in en else "p", depth)]))
    return arrange(parts)


def being(rng: random.Random, subject: Part) -> Part:
    """Is sad: the adjective agrees over the distance."""
    en = rng.choice(sorted(ADJECTIVES))
    word = ADJECTIVES[en][subject.gender * (2 if subject.many else 1)]
    parts = [say("are", "sont") if subject.many else say("is", "est"), say(en, word)]
    return arrange(parts)._replace(pairs=tuple((en, noun) for noun in subject.heads))


def manner(rng: random.Random, forms: tuple[str, str, str], many: bool) -> Part:
    """The verb alone, often, never or not."""
    way = rng.random()
    if way < 0.25:
        return said("not" if way < 0.15 else "never", forms, many)
    return said(rng.choice(sorted(OFTEN)) if way < 0.4 else "", forms, many)


def said(how: str, forms: tuple[str, str, str], many: bool) -> Part:
    """A verb, given in English, plain and in French: adverbs change places, ne and pas stand around it."""
    en, plain, fr = forms
    n = len(en.split("_"))
    if how == "not":
        words = ("do" if many else "does", "not", *plain.split("_"))
        return Part(words, (("ne", (1,)), (fr, tuple(range(2, 2 + n))), ("pas", (1,))))
    if how == "never":
        return Part(("never", *en.split("_")), (("ne", (0,)), (fr, tuple(range(1, 1 + n))), ("jamais", (0,))))
    return arrange([say(how, OFTEN[how]), say(en, fr)], [1, 0]) if how else say(en, fr)


def with_pronoun(verb: Part, pronoun: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The French pronoun goes before the verb, after ne."""
    place = 1 if verb.fr[0][0] == "ne" else 0
    return (*verb.fr[:place], (pronoun, (len(verb.en),)), *verb.fr[place:])


def clause(rng: random.Random) -> Part:
    """Somebody does something, or there is something somewhere."""
    way = rng.random()
    if way < 0.1:
        thing = noun_phrase(rng, "t")
        return arrange([say("there are" if thing.many else "there is", "il y a"), thing])
    if way < 0.25:
        en = rng.choice(sorted(SUBJECTS))
        fr, gender, many = SUBJECTS[en]
        subject = say(en, fr)._replace(gender=gender, many=many)
    else:
        subject = noun_phrase(rng, "a" if way < 0.9 else "t")
    doing = being(rng, subject) if way >= 0.9 else verb_phrase(rng, subject)
    return arrange([subject, doing])


def sentence(rng: random.Random, length: int) -> Part:
    """Clauses, joined until there are `length` English symbols or more, with the full stop."""
    parts = [clause(rng)]
    if rng.random() < 0.15:
        en = rng.choice(sorted(OPENINGS))
        parts = [say(en, OPENINGS[en]), say(",", ","), *parts]
    while sum(len(p.en) for p in parts) + 1 < length:
        joint = rng.choice(sorted(JOINTS))
        parts += [say(joint, JOINTS[joint]), clause(rng)]
    return arrange([*parts, say(".", ".")])
