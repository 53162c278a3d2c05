"""Chapter 11, does it look at all: by_chance."""

import itertools
from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .captions import CHAPTER


def by_chance(bits: Float[Tensor, "N N"]) -> float:
    """The share of all ways to hand out the pictures that suit the captions as well as the true one."""
    captions = range(len(bits))
    own = bits.diagonal().sum()
    as_good = [bool(bits[captions, way].sum() <= own) for way in itertools.permutations(captions)]
    return sum(as_good) / len(as_good)  # the true way is one of them


def _captions_move(bits: Tensor) -> float:
    """The same with the captions handed out to the pictures."""
    pictures = range(len(bits))
    totals = torch.stack([bits[way, pictures].sum() for way in itertools.permutations(pictures)])
    return (totals <= bits.trace()).double().mean().item()


def _chance(of: str) -> Callable[..., Any]:
    """The share with one thing changed."""

    def share(bits: Tensor) -> float:
        N = len(bits)
        every = itertools.product(range(N), repeat=N)
        if of != "with return":
            every = itertools.permutations(range(N))
        ways = [way for way in every if of != "all moved" or all(i != k for i, k in enumerate(way))]
        totals = torch.stack([bits[range(N), way].sum() for way in ways])
        if of == "others":
            totals = totals[1:]
        good = {"strictly": totals < bits.trace(), "worse": totals >= bits.trace()}
        return good.get(of, totals <= bits.trace()).double().mean().item()

    return share


def _chance_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """Surprises in quarters of a bit, so that sums are exact; the second writer does not look at all."""
    N = (3, 3, 4, 5)[i]
    bits = torch.randint(8, 40, (N, N), generator=g).double() / 4
    return {"bits": bits if i == 1 else bits - 3 * torch.eye(N, dtype=torch.float64)}


CHANCE = Exercise(
    chapter=CHAPTER, tier=4, minutes=35,
    signature="by_chance(bits) -> p",
    text="""Does a writer look at its pictures, or does it only write likely captions? There are N pictures,
each with its caption, and bits (N, N): bits[i, k] is the surprise of caption i for the writer that is shown
picture k. If it looks, the true pictures make the captions cheap, and the sum of the diagonal is small. But
any way to hand out the pictures, one to each caption, has some sum. Return the share of all N! ways whose
sum is no larger than that of the true way, which is one of them. Where it is small, it was not luck.""",
    worked=by_chance,
    cases=_chance_case,
    axes={"bits": "N N"},
    right={"the captions are handed out": _captions_move},
    wrong={
        "only what is strictly better": (
            _chance("strictly"),
            "You count the ways that are better than the true one. Those that are as good count too, the "
            "true one among them: luck is never quite impossible."),
        "the true way is left out": (
            _chance("others"),
            "You leave the true way out. Had the pictures been handed out by chance, it would be one of all "
            "N! ways, so it counts above and below."),
        "those that are worse": (
            _chance("worse"),
            "You count the ways with a larger sum. Small sums are what speaks for looking."),
        "one picture for many captions": (
            _chance("with return"),
            "In your ways a picture can go to two captions. Each goes to one: there are N! ways, not N to "
            "the power of N."),
        "every caption gets a wrong picture": (
            _chance("all moved"),
            "You use only the ways in which no caption keeps its picture. By chance some do keep theirs."),
        "single pairs": (
            lambda bits: (bits <= bits.diagonal()[:, None]).double().mean().item(),
            "You compare single pictures with a caption's own. The ways hand out all pictures at once, and "
            "what counts is the sum."),
        "captions that prefer another picture": (
            lambda bits: (bits.argmin(1) != torch.arange(len(bits))).double().mean().item(),
            "You count the captions that would be cheaper with another picture. That is a score of the "
            "writer; asked is how often chance does as well."),
    },
    hints=(
        "`itertools.permutations(range(N))` gives all ways: way[i] is the picture for caption i.",
        "`bits[range(N), way].sum()` is the surprise of a whole way.",
        "The smallest share that can come out is 1 / N!.",
    ),
    explain="how many pictures does it take at least, to claim that fewer than 1 way in 1,000 is as good?",
)

EXERCISES = (CHANCE,)
