"""Chapter 10, a look that only moves forward: monotonic_attention (Raffel et al., 2017, arXiv 1704.00784)."""

import math
from collections.abc import Callable
from itertools import combinations_with_replacement, pairwise
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .seq2seq import CHAPTER


def monotonic_attention(p: Float[Tensor, "N S"]) -> Float[Tensor, "N S"]:
    """Where a finger stops that never goes back: the chance of each place, for each word of the answer."""
    before = torch.eye(len(p[0]), dtype=p.dtype)[0]  # it lies on the first word of the source
    rows = []
    for chances in p:
        here, row = 0, []
        for s in range(len(chances)):
            here = here + before[s]  # it came to s, or lay there from the start
            row.append(here * chances[s])
            here = here * (1 - chances[s])
        before = torch.stack(row)
        rows.append(before)
    return torch.stack(rows)


def _by_paths(p: Tensor) -> Tensor:
    """All ways of the finger, one by one: a row adds up those that end at each place."""
    N, S = p.shape
    places = torch.eye(S, dtype=p.dtype)
    ways = (combinations_with_replacement(range(S), t + 1) for t in range(N))
    return torch.stack([sum(_chance(p, way) * places[way[-1]] for way in some) for some in ways])


def _chance(p: Tensor, way: tuple[int, ...]) -> Tensor:
    steps = zip(p, pairwise((0, *way)))
    return math.prod((1 - row[start:stop]).prod() * row[stop] for row, (start, stop) in steps)


def _monotonic(of: str) -> Callable[..., Any]:
    """The chances with one thing changed."""

    def finger(p: Tensor) -> Tensor:
        first = torch.eye(p.shape[1], dtype=p.dtype)[0]
        before, rows = first, []
        for t, chances in enumerate(p):
            if of == "begins anew":
                before = first
            if of == "must move" and t:
                before = torch.nn.functional.pad(before[:-1], (1, 0))
            on = (torch.ones_like if of == "never passes" else lambda c: 1 - c)(chances)
            here, row = p.new_zeros(()), []
            for s in range(len(chances)):
                here = here * on[s - 1] + before[s] if s else before[0]
                row.append(here * chances[s] * (on[s] if of == "passes its own" else 1))
            before = torch.stack(row)
            if of == "made to sum":
                before = before / before.sum()
            if of == "hard":
                before = torch.nn.functional.one_hot(before.argmax(), p.shape[1]).to(p)
            rows.append(before)
        return torch.stack(rows)

    return finger


def _monotonic_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, S = [(2, 3), (3, 2), (3, 5), (4, 4)][i]
    return {"p": 0.1 + 0.8 * torch.rand(N, S, generator=g, dtype=torch.float64)}


MONOTONIC = Exercise(
    chapter=CHAPTER, tier=4, minutes=40,
    signature="monotonic_attention(p) -> a",
    text="""A reader follows the source with a finger that never goes back. Before the answer begins, it
lies on the first of S words. For each word t of the answer it starts from where it lies, and there it stays
with probability p[t, s]; or else it goes on to the next word, where it is asked again, until it stops or
has left the sentence. Then it is gone, also for the words that follow. p (N, S). Return a (N, S): the
probability that for word t of the answer the finger stops at s. There are very many ways for it to go; do
not try them all.""",
    worked=monotonic_attention,
    cases=_monotonic_case,
    axes={"p": "N S", "return": "N S"},
    grads=("p",),
    right={"all ways, one by one": _by_paths},
    wrong={
        "it begins anew for each word": (
            _monotonic("begins anew"),
            "Your finger goes back to the first word before each word of the answer. It starts from where it "
            "stopped: row t needs row t - 1."),
        "it must move": (
            _monotonic("must move"),
            "Your finger leaves its place before it is asked. It may stay: the first place that is asked is "
            "the one where it lies."),
        "nothing is lost on the way": (
            _monotonic("never passes"),
            "To come past a place, the finger must not have stopped there. That has the probability 1 - p."),
        "the place itself is passed": (
            _monotonic("passes its own"),
            "You multiply by 1 - p of the place where it stops, too. Only the places before it were passed."),
        "made to sum to 1": (
            _monotonic("made to sum"),
            "Your rows sum to 1. The finger may have left the sentence, and the row is short by as much."),
        "a softmax": (
            lambda p: p.softmax(-1),
            "A softmax of each row knows nothing of where the finger was. Stopping at s needs not having "
            "stopped before s."),
        "only the likeliest place": (
            _monotonic("hard"),
            "You put the finger on its likeliest place. Asked are the chances of all places, which have a "
            "gradient."),
    },
    hints=(
        "For the first word write down a[0, 0], a[0, 1] and a[0, 2] by hand.",
        "How likely is it that place s is asked at all? Either the finger lay there, or place s - 1 was "
        "asked and did not hold it.",
        "Two loops will do, one over the words of the answer and one over the places.",
    ),
    explain="for which pairs of languages would this be enough, and for which sentence of ours is it not?",
)

EXERCISES = (MONOTONIC,)
