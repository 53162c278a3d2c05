"""Chapter 15, a claim tried again: gain_interval."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .outlook import CHAPTER


def gain_interval(ours: Float[Tensor, "S"], peer: Float[Tensor, "S"], t: float) -> tuple[Tensor, ...]:
    """The mean of what is gained, seed by seed, and the interval of t standard errors around it."""
    gain = peer - ours  # fewer bits are better
    error = gain.std() / math.sqrt(len(gain))
    return gain.mean(), gain.mean() - t * error, gain.mean() + t * error


def _by_hand(ours: Tensor, peer: Tensor, t: float) -> tuple[Tensor, ...]:
    n = len(ours)
    mean = (peer - ours).sum() / n
    half = t * (((peer - ours - mean) ** 2).sum() / (n - 1) / n) ** 0.5
    return mean, mean - half, mean + half


def _interval(of: str) -> Callable[..., Any]:
    """The interval with one thing changed."""

    def interval(ours: Tensor, peer: Tensor, t: float) -> tuple[Tensor, ...]:
        n, gain = len(ours), ours - peer if of == "turned round" else peer - ours
        error = gain.std(correction=0 if of == "over n" else 1) / math.sqrt(n)
        if of == "not paired":
            error = ((ours.var() + peer.var()) / n).sqrt()
        if of == "one run":
            error = error * math.sqrt(n)
        if of == "over n twice":
            error = gain.std() / n
        half = error * {"always 1.96": 1.96, "one error": 1.0}.get(of, t)
        if of == "extremes":
            return gain.mean(), gain.min(), gain.max()
        return gain.mean(), gain.mean() - half, gain.mean() + half

    return interval


def _interval_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """Seeds that are hard for one model are hard for the other, too."""
    S, t = [(3, 4.303), (5, 2.776), (8, 2.365), (6, 2.571)][i]
    hard, mine, other = (torch.randn(S, generator=g, dtype=torch.float64) for _ in range(3))
    return {"ours": 2.0 + 0.3 * hard + 0.1 * mine, "peer": 2.2 + 0.3 * hard + 0.1 * other, "t": t}


INTERVAL = Exercise(
    chapter=CHAPTER, tier=4, minutes=45,
    signature="gain_interval(ours, peer, t) -> mean, low, high",
    text="""Two models were trained with the same S seeds, on the same batches. ours (S,) and peer (S,) are
their bits on the test, seed by seed; fewer are better. Return by how much ours is better on average, and
from where to where that can be trusted: t standard errors of the mean to both sides. t comes from a table,
for 95 % and S - 1 degrees of freedom. Then take a claim of the lecture, or of this book, that you do not
believe. Train both sides with at least five seeds, choose nothing by the test, and report the three
numbers, also if 0 lies between the last two.""",
    worked=gain_interval,
    cases=_interval_case,
    axes={"ours": "S", "peer": "S"},
    right={"from sums": _by_hand},
    wrong={
        "the sign is turned round": (
            _interval("turned round"),
            "Your gain is negative where ours is better. Fewer bits are better: take ours from the peer's."),
        "the seeds are not paired": (
            _interval("not paired"),
            "You add the variances of the two models. A seed that is hard for one is hard for the other: "
            "take the differences first, seed by seed, and then their deviation."),
        "the deviation of one run": (
            _interval("one run"),
            "You say how far one run lies from the mean. The mean of S runs is surer, by the root of S."),
        "divided by S in place of its root": (
            _interval("over n twice"),
            "The error of a mean falls with the root of S: four times as many runs halve it."),
        "the mean square over S": (
            _interval("over n"),
            "You divide the squares by S. The mean was taken from the same runs, so S - 1 is right; with few "
            "runs it matters."),
        "1.96 whatever S is": (
            _interval("always 1.96"),
            "1.96 is for very many runs. With five seeds the deviation itself is a guess, and t is larger."),
        "one standard error": (
            _interval("one error"),
            "Your interval is one standard error to each side: too often the truth lies outside. Use t."),
        "the smallest and the largest": (
            _interval("extremes"),
            "You return the extremes of the runs. They move apart with more seeds; an interval for the mean "
            "closes in."),
    },
    hints=(
        "What is compared is a pair of runs. So the first line is a difference.",
        "`x.std()` divides by S - 1 already.",
        "The standard error of a mean of S runs is their deviation over the root of S.",
    ),
    explain="what is wrong with training twenty pairs, and reporting the five in which ours is better?",
)

EXERCISES = (INTERVAL,)
