"""The figure of order: what a row repeats, and how many bits its order is worth, beside the same shuffled."""

from collections.abc import Iterator
from itertools import islice

import torch

from .. import stories
from ..information import bits_saved
from ..shapes import Int, Tensor
from ..vocab import WORD
from .page import Figure, element

LONGEST = 20_000  # elements that are counted
SHUFFLES = 20  # whose mean is shown
UNITS = ("characters", "words")
HEIGHT = "clamp(820px, 56400px - 9000vw, 1130px)"  # kept free until the script has run: beside or below


def order(text: str | None = None, unit: str = "characters", seed: int = 1) -> Figure:
    """Repetition, length and order of any text (the lecture's S1): type, look, shuffle, put back.

    It marks what repeats, and measures how many bits the element before saves: as the text stands, and
    after a shuffle (the mean of 20), because the table of a short text always saves something by chance.
    unit is "characters" or "words" (and marks); readers can change it. text None is a few stories.
    """
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}: it takes one of {', '.join(UNITS)}")
    text = stories.text(3, seed=1) if text is None else text
    row = elements(text, unit)
    kinds, x = numbered(row)
    repeat = sum(count > 1 for count in x.bincount().tolist())
    words = (
        f"A live figure: a row of {len(row):,} {unit}, {len(kinds):,} different ones, of which {repeat:,} "
        f"repeat. The one before saves {bits_saved(x):.2f} bits of the next; in a shuffled row, "
        f"{by_chance(x, seed):.2f} (the mean of {SHUFFLES}). What is left after shuffling is the error of a "
        "short text."
    )
    value = {"text": text, "unit": unit, "seed": seed, "longest": LONGEST, "shuffles": SHUFFLES}
    page = element("u-order", value, f"<p>{words}</p>", ("tensor", "ui", "order"), HEIGHT)
    return Figure(page, words)


def elements(text: str, unit: str = "characters") -> list[str]:
    """The text as a row: its characters, or its words and marks without the blanks; 20,000 at most."""
    row = text if unit == "characters" else filter(None, map(str.strip, WORD.findall(text)))
    return list(islice(row, LONGEST))


def numbered(row: list[str]) -> tuple[list[str], Int[Tensor, "N"]]:
    """The different elements in the order in which they come, and the row (N,) as numbers."""
    kinds = list(dict.fromkeys(row))
    ids = {kind: i for i, kind in enumerate(kinds)}
    return kinds, torch.tensor([ids[kind] for kind in row], dtype=torch.long)


def by_chance(x: Int[Tensor, "N"], seed: int = 1, times: int = SHUFFLES) -> float:
    """The bits saved in a shuffled row, which has no order: the mean of some shuffles, as in the page."""
    draws, row, total = uniform(seed), x.tolist(), 0.0
    for _ in range(times):
        row = shuffled(row, draws)
        total += bits_saved(torch.tensor(row, dtype=torch.long))
    return total / times


def shuffled(row: list[int], draws: Iterator[float]) -> list[int]:
    """The same elements in another order (Fisher and Yates, 1938), as order.mjs has it."""
    mixed = list(row)
    for i in range(len(mixed) - 1, 0, -1):
        j = int(next(draws) * (i + 1))
        mixed[i], mixed[j] = mixed[j], mixed[i]
    return mixed


def uniform(seed: int) -> Iterator[float]:
    """The random numbers in [0, 1) of tensor.mjs (mulberry32), so that Python and the page draw the same."""
    whole, a = 2**32, seed % 2**32
    while True:
        a = (a + 0x6D2B79F5) % whole
        t = (a ^ (a >> 15)) * (a | 1) % whole
        t ^= (t + (t ^ (t >> 7)) * (t | 61)) % whole
        yield (t ^ (t >> 14)) / whole
