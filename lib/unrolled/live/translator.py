"""The figure of the translator: compose a sentence, and see where the network looks at each French word."""

import base64
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..seq2seq import Seq2Seq
from ..trainings.interpreters import TRAINED, trained
from ..translation import held_back
from ..translation_grammar import Part, arrange, phrase, said, say, with_pronoun
from ..translation_words import ADJECTIVES, DETERMINERS, FIRST, NOUNS, OBJECTS, OFTEN, VERBS
from .page import Figure, element

A, NO_A = "un une -", "de de -"  # "a" in French, and "a" after a negation
DETS = {  # the name in the menu: English, French for one (masculine, feminine) and for many, whether many
    "a": ("a", A, False), "the, one": ("the", DETERMINERS["the"], False),
    "the, many": ("the", DETERMINERS["the"], True), "my, one": ("my", DETERMINERS["my"], False),
    "my, many": ("my", DETERMINERS["my"], True), "this": ("this", DETERMINERS["this"], False),
    "these": ("these", DETERMINERS["these"], True), "two": ("two", DETERMINERS["two"], True),
    "every": ("every", DETERMINERS["every"], False),
}  # fmt: skip
WHO = ("king", "queen", "horse", "cow", "nun", "clown", "mouse", "wolf", "witch", "pigeon")
WHAT = ("hat", "key", "letter", "piano", "lamp", "cake", "suitcase", "bicycle", "clock", "scarf")
LOOKS = ("small", "old", "beautiful", "new", "green", "white", "famous", "nervous", "sad", "proud",
         "wet")  # fmt: skip
HOW = ("", "often", "never", "not")
DOES = ("see", "sell", "paint", "steal", "lose", "find", "carry", "hide", "touch", "push")
FIRST_CHOICE = ("the, one", ("beautiful", "green"), "horse", "not", "find", "my, many", ("old",), "key")
CELL = ("W_x", "W_h", "b")
WEIGHTS = (  # the order in which translator.mjs takes them
    "encoder.embed.weight", *(f"encoder.core.layers.0.{name}" for name in CELL),
    *(f"encoder.other.layers.0.{name}" for name in CELL), "embed.weight",
    *(f"decoder.layers.0.{name}" for name in CELL), "attention.W_m.weight", "W_c.weight", "W_c.bias",
    "W_y.weight", "W_y.bias",
)  # fmt: skip
HEIGHT = "clamp(790px, 1130px - 30vw, 1060px)"  # kept free until the script has run


class Choice(NamedTuple):
    """What the menus say: who (determiner, adjectives, noun), how, does what, to whom (or a pronoun)."""

    det: str
    looks: tuple[str, ...]
    noun: str
    how: str
    verb: str
    det_2: str
    looks_2: tuple[str, ...] = ()
    noun_2: str = ""


def compose(choice: Choice) -> Part:
    """The sentence of a choice in both languages, with its alignment, by the rules of the grammar."""
    who = _phrase(choice.det, choice.looks, choice.noun, A)
    (one, plain), forms = next(v for v in VERBS["taking"] if v[0][1] == choice.verb)
    verb = said(choice.how, (plain if who.many else one, plain, forms[who.many]), who.many)
    if choice.det_2 in OBJECTS:
        pronoun = OBJECTS[choice.det_2]
        return arrange([who, Part((*verb.en, choice.det_2), with_pronoun(verb, pronoun)), say(".", ".")])
    a = NO_A if choice.how in ("not", "never") else A
    whom = _phrase(choice.det_2, choice.looks_2, choice.noun_2, a)
    return arrange([who, verb, whom, say(".", ".")])


def _phrase(det: str, looks: tuple[str, ...], noun: str, a: str) -> Part:
    name, forms, many = DETS[det]
    word = next(n for kind in "at" for n in NOUNS[kind] if n.en[0] == noun)
    return phrase(word, name, (a if name == "a" else forms).split(), many, looks)


def translator(choice: tuple[Any, ...] = FIRST_CHOICE, folder: str | Path = TRAINED) -> Figure:
    """The trained translator with attention in the page (lecture Q2): menus, its French, and where it looks.

    `choice` is the first sentence: a determiner, adjectives, a noun, how, a verb, and again a determiner (or
    him, her, them), adjectives, a noun. The page has 16-bit weights. Raises ValueError for unknown words.
    """
    asked = _checked(Choice(*choice))
    model, english, french, facts = trained("attention", folder)
    part = compose(asked)
    words = (
        f"A live figure: a translator with attention. For “{' '.join(part.en)}” the grammar has "
        f"“{' '.join(word for word, _ in part.fr)}”."
    )
    value = {
        "english": english.symbols, "french": french.symbols, "embed": model.embed.embedding_dim,
        "hidden": model.decoder.hidden, "weights": packed(model), "choice": asked, "tables": tables(),
        "note": f"The network has {facts['parameters']:,} weights and was trained for "
        f"{facts['cpu_seconds']} seconds on one core.",
    }  # fmt: skip
    modules = ("tensor", "ui", "grammar", "translator")
    return Figure(element("u-translator", value, f"<p>{words}</p>", modules, HEIGHT), words)


def _checked(choice: Choice) -> Choice:
    known = {
        "det": tuple(DETS), "noun": WHO, "how": HOW, "verb": DOES, "det_2": (*DETS, *OBJECTS),
        "noun_2": ("",) if choice.det_2 in OBJECTS else WHAT,
    }  # fmt: skip
    for name, options in known.items():
        if getattr(choice, name) not in options:
            raise ValueError(f"{name} is {getattr(choice, name)!r}: expected one of {', '.join(options)}")
    if set((*choice.looks, *choice.looks_2)) - set(LOOKS) or max(len(choice.looks), len(choice.looks_2)) > 2:
        raise ValueError(f"adjectives are {choice.looks} and {choice.looks_2}: expected up to two of {LOOKS}")
    return choice


def tables() -> dict[str, Any]:
    """The words of the menus with all their forms, for the grammar of the page."""
    nouns = {n.en[0]: n for kind in "at" for n in NOUNS[kind]}
    verbs = {plain: [one, *forms] for (one, plain), forms in VERBS["taking"]}
    return {
        "dets": DETS, "noA": NO_A, "who": {w: nouns[w] for w in WHO}, "what": {w: nouns[w] for w in WHAT},
        "looks": {w: ADJECTIVES[w] for w in LOOKS}, "first": sorted(FIRST & set(LOOKS)), "how": HOW,
        "adverbs": {w: OFTEN[w] for w in HOW if w in OFTEN}, "verbs": {w: verbs[w] for w in DOES},
        "pronouns": OBJECTS,
        "apart": [f"{a} {n}" for a in LOOKS for n in (*WHO, *WHAT) if held_back(a, n)],
    }  # fmt: skip


def packed(model: Seq2Seq) -> str:
    """All weights as base64 of 16-bit floats, little-endian, in the order of WEIGHTS."""
    tensors = model.state_dict()
    numbers = torch.cat([tensors[name].half().flatten() for name in WEIGHTS])
    return base64.b64encode(numbers.numpy().astype("<f2").tobytes()).decode("ascii")
