"""Do written stories hold together? Close by: words and their neighbours. Far off: the plot (lecture O1).

The grammar of the travel stories settles both without a judge: it knows every word, which pronoun belongs to
which traveller, and which capital to which country.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from . import stories
from .stories_grammar import CAPITALS, PRONOUNS, TRAVELLERS

WORDS = re.compile(r"[A-Za-z]+")
NAMES = {name: group for group, names in enumerate(TRAVELLERS) for name in names}
FORMS = {PRONOUNS[kind][g]: g for kind in ("he", "him", "his", "himself") for g in range(3)}


class Consistency(NamedTuple):
    """Shares between 0 and 1, over all the stories: of words, of neighbours, of pronouns, of whole plots.

    - words: that exist in the language of the stories; pairs: two neighbours that stand so in 4,000 stories;
    - pronouns: that fit the traveller named first; capitals: of the stories that name a country and later a
      capital, those where it is the country's. nan where nothing could be counted.
    """

    words: float
    pairs: float
    pronouns: float
    capitals: float


def consistency(written: Iterable[str]) -> Consistency:
    """Measure stories, one line each, as `generate` writes them."""
    texts = [WORDS.findall(story) for story in written]
    known, neighbours = language()
    words = [word in known for text in texts for word in text]
    pairs = [pair in neighbours for text in texts for pair in zip(text, text[1:])]
    pronouns = [fits for text in texts for fits in pronouns_fit(text)]
    capitals = [right for text in texts for right in capital_fits(text)]
    return Consistency(*(_share(found) for found in (words, pairs, pronouns, capitals)))


@cache
def language() -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """All words of 4,000 stories, and all pairs of neighbours."""
    lines = [WORDS.findall(story) for story in stories.sample(4000, seed=77)]
    pairs = {pair for line in lines for pair in zip(line, line[1:])}
    return frozenset(word for pair in pairs for word in pair), frozenset(pairs)


def pronouns_fit(text: list[str]) -> list[bool]:
    """For each pronoun after the first traveller's name: does it belong to that traveller?"""
    place = next((i for i, word in enumerate(text) if word in NAMES), len(text))
    group = NAMES[text[place]] if place < len(text) else None
    said = [word.lower() for word in text[place + 1 :]]
    return [FORMS[word] == group for word in said if word in FORMS]


def capital_fits(text: list[str]) -> list[bool]:
    """One answer if a country is named and, after it, a capital: is the first such capital the right one?"""
    country = next((i for i, word in enumerate(text) if word in CAPITALS), len(text))
    later = [word for word in text[country + 1 :] if word in set(CAPITALS.values())]
    return [later[0] == CAPITALS[text[country]]] if later else []


def _share(found: list[bool]) -> float:
    return sum(found) / len(found) if found else float("nan")
