"""English and French, side by side: our own sentences with known alignments, and those of Tatoeba.

The embedded sentences are made by `translation_grammar`: real French with agreement and another word order,
one translation for each sentence, as long as you ask for. Some pairs of an adjective and a noun are kept back
from training: whoever learned the rules can translate them. A number on them compares with no paper's.
"""

import random
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple
from zlib import crc32

from . import data
from .fetch import DataError
from .shapes import Int, Tensor
from .translation_grammar import Part, sentence
from .vocab import Vocab

SPLITS = ("train", "valid", "new")
END = "\n"  # it begins a target and ends both sides, as in the stories


class Pair(NamedTuple):
    """A sentence and its translation; links (i, j): French word j stands for English word i, marks included.

    The words are the symbols of `Vocab.words`. Links are () where nobody knows them.
    """

    english: str
    french: str
    links: tuple[tuple[int, int], ...] = ()


def sample(n: int, seed: int = 0, split: str = "train", low: int = 3, high: int = 12) -> list[Pair]:
    """n pairs of our own, of `low` to `high` English symbols each.

    split: "train"; "valid", other sentences of the same kind; or "new", sentences with a pair of adjective
    and noun that "train" and "valid" never have. The same seed gives the same pairs, and a larger n begins
    with the same ones. Sentences may come twice, short ones often do.
    """
    least = 5 if split == "new" else 3  # "my hat is red." and "she sleeps."
    if split not in SPLITS or n < 0 or not 3 <= low <= high or high < least:
        raise ValueError(
            f"split is {split!r}, n {n}, low {low}, high {high}: expected one of {SPLITS}, 0 or more pairs, "
            f"and 3 <= low <= high, high at least {least}"
        )
    rng, found = random.Random(seed), []
    while len(found) < n:
        part = sentence(rng, rng.randint(low, high))
        if low <= len(part.en) <= high and _split(part) == split:
            found.append(_pair(part))
    return found


def held_back(adjective: str, noun: str) -> bool:
    """Whether this pair of English words, the noun in the singular, is kept for the split "new": 1 in 12."""
    return crc32(f"{adjective} {noun}".encode()) % 12 == 0


def _split(part: Part) -> str:
    if any(held_back(*pair) for pair in part.pairs):
        return "new"
    return "valid" if crc32(" ".join(part.en).encode()) % 10 == 0 else "train"


def _pair(part: Part) -> Pair:
    links = sorted((i, j) for j, (_, places) in enumerate(part.fr) for i in places)
    return Pair(_text(part.en), _text([word for word, _ in part.fr]), tuple(links))


def _text(words: Iterable[str]) -> str:
    return re.sub(r" ([.,])", r"\1", " ".join(words))


def encode(
    pairs: Sequence[Pair], english: Vocab, french: Vocab
) -> tuple[list[Int[Tensor, "_"]], list[Int[Tensor, "_"]]]:
    """The ids of all sources and all targets, as `pairs.pairs` takes them; a target begins and ends with END.

    A source ends with END too: there is then a place to look at when all is said. Make the vocabularies from
    `text(pairs, "english")` and `text(pairs, "french")`.
    """
    sources = [english.encode(pair.english + END) for pair in pairs]
    return sources, [french.encode(END + pair.french + END) for pair in pairs]


def text(pairs: Sequence[Pair], side: str) -> str:
    """All sentences of one side, "english" or "french", each ended by END: to make a vocabulary from."""
    if side not in Pair._fields[:2]:
        raise ValueError(f"side is {side!r}: expected 'english' or 'french'")
    return "".join(getattr(pair, side) + END for pair in pairs)


def references(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """Each English sentence once, with all its translations: BLEU may compare with any of them."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        found.setdefault(pair.english, []).append(pair.french)
    return found


def tatoeba(split: str = "train", *, required: bool = False) -> list[Pair]:
    """142,787 pairs of short English and French sentences by people (Tatoeba, CC BY 2.0 FR, as of 2017).

    split: "train", "valid" (1 in 100) or "test" (2 in 100). Sentences that share a translation, or differ in
    case and marks only, go to the same split: so nothing that is asked was answered in training. Spaces and
    apostrophes are made uniform. Where the file cannot be had, 20,000 of our own pairs take its place (2,000
    for valid and for test), and a printed note says so and why; with `required` it is a DataError.
    """
    if split not in ("train", "valid", "test"):
        raise ValueError(f"split is {split!r}: expected 'train', 'valid' or 'test'")
    try:
        return list(_tatoeba()[split])
    except DataError as error:
        if required:
            raise
        print(f"Note: {error}. Our own sentences take its place.")
        return sample(20_000 if split == "train" else 2_000, seed=0, split={"test": "new"}.get(split, split))


@cache
def _tatoeba() -> dict[str, list[Pair]]:
    lines = (data.folder("tatoeba_fra_eng") / "fra.txt").read_text(encoding="utf-8").splitlines()
    pairs = [Pair(*map(clean, line.split("\t"))) for line in lines if line]
    splits: dict[str, list[Pair]] = {"train": [], "valid": [], "test": []}
    for pair, group in zip(pairs, groups(pairs)):
        number = crc32(group.encode()) % 100
        splits["test" if number < 2 else "valid" if number == 2 else "train"].append(pair)
    return splits


def clean(sentence: str) -> str:
    """One form for each character: composed accents, plain spaces, straight apostrophes."""
    sentence = unicodedata.normalize("NFC", sentence).replace("\u200b", "")
    return re.sub(r"[‘’]", "'", " ".join(sentence.split()))


def groups(pairs: Sequence[Pair]) -> list[str]:
    """For each pair a name of its group: pairs with the same sentence on either side are in one group.

    Case and marks are not looked at, and a group of a group is one, too (found by union and find).
    """
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while (parent := parents.setdefault(name, name)) != name:
            parents[name] = parents[parent]
            name = parent
        return name

    def names(pair: Pair) -> tuple[str, str]:
        english, french = (re.sub(r"[\W_]+", " ", side.casefold()).strip() for side in pair[:2])
        return root("en " + english), root("fr " + french)

    for a, b in map(names, pairs):
        parents[max(a, b)] = min(a, b)
    return [names(pair)[0] for pair in pairs]
