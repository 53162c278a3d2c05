"""Chapter 1, what order is worth: split_by_time, order_test."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from ..properties import demand
from ..trial import Trial

CHAPTER = "01_sequences"


def split_by_time(x: Tensor, T: int, share: float) -> tuple[Tensor, Tensor]:
    """Windows of T neighbours of the first `share` of x (N,) for training, of the rest for validation."""
    cut = int(share * len(x))  # cut the row first: no window may reach over the cut
    return x[:cut].unfold(0, T, 1), x[cut:].unfold(0, T, 1)


def _split_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, T, share = [(12, 3, 0.5), (17, 4, 0.6), (17, 3, 0.7), (30, 5, 0.8)][i]  # 10.2 and 11.9 elements
    return {"x": torch.arange(N) * 10, "T": T, "share": share}


def _loop_split(x: Tensor, T: int, share: float) -> list[Tensor]:
    cut = int(share * len(x))
    return [torch.stack([part[k : k + T] for k in range(len(part) - T + 1)]) for part in (x[:cut], x[cut:])]


def _windows_first(order: Callable[[int], Tensor]) -> Callable[..., Any]:
    def split(x: Tensor, T: int, share: float) -> tuple[Tensor, Tensor]:
        windows = x.unfold(0, T, 1)
        windows = windows[order(len(windows))]
        cut = int(share * len(windows))
        return windows[:cut], windows[cut:]

    return split


def _future_first(x: Tensor, T: int, share: float) -> tuple[Tensor, Tensor]:
    cut = len(x) - int(share * len(x))
    return x[cut:].unfold(0, T, 1), x[:cut].unfold(0, T, 1)


def _cut_at(cut: Callable[[float], int]) -> Callable[..., Any]:
    def split(x: Tensor, T: int, share: float) -> tuple[Tensor, Tensor]:
        place = cut(share * len(x))
        return x[:place].unfold(0, T, 1), x[place:].unfold(0, T, 1)

    return split


def _shared(trial: Trial) -> set:
    train, valid = trial.got
    return set(train.flatten().tolist()) & set(valid.flatten().tolist())


SPLIT = Exercise(
    chapter=CHAPTER, tier=2, minutes=10,
    signature="split_by_time(x, T, share) -> train, valid",
    text="""x is one long row of N elements in the order of time. Return two sets of windows of T
neighbouring elements, each window one row. `train` holds all windows of the first int(share * N) elements
of x, `valid` all windows of the others. No element may be touched by both.""",
    worked=split_by_time,
    cases=_split_case,
    axes={"x": "N", "return": "K T, K T"},
    early=(
        demand("no element is in both", lambda t: not _shared(t),
               "some elements stand in a window of train and in a window of valid: that part of the test is "
               "known"),
        demand("train comes before valid", lambda t: not t.got[0].numel() or not t.got[1].numel()
               or t.got[0].max() < t.got[1].min(),
               "some window of train comes later than one of valid (x grows with time here, so this can be "
               "seen)"),
    ),
    right={"a loop": _loop_split},
    wrong={
        "the windows are shuffled, then split": (
            _windows_first(torch.randperm),
            "Neighbouring windows share T - 1 of their T elements. After shuffling, nearly every validation "
            "window has a neighbour in training, so the score measures memory. Think about what has to be "
            "cut first."),
        "the windows are made before the cut": (
            _windows_first(torch.arange),
            "The last windows of train reach over the cut, up to T - 1 elements deep into valid. Change the "
            "order of the two steps."),
        "the model is trained on the future": (
            _future_first,
            "Train holds the end of x and valid its beginning. A forecast is tested on what comes later; "
            "what is known about the future leaks back."),
        "the cut is rounded": (
            _cut_at(round),
            "You round share * N to the nearest whole number. The task takes int(share * N), which cuts off "
            "what stands after the point."),
        "the cut is rounded up": (
            _cut_at(math.ceil),
            "You round share * N up, so train may hold one element too many. The task takes int(share * N), "
            "which cuts off what stands after the point."),
        "the last window of each part is missing": (
            lambda x, T, share: tuple(w[:-1] for w in split_by_time(x, T, share)),
            "Count the windows of 4 elements with T = 3: there are two. Look at where your loop ends."),
    },
    hints=(
        "Which elements of x does each window touch? Two windows that overlap are not independent.",
        "There are two steps, cutting and making windows. Only one order of them keeps the parts apart.",
        "After the cut each part is a row of its own: `unfold` it, or slide over it, as if the other did not "
        "exist.",
    ),
    explain="why does a random split, right for photographs of cats, flatter a model of sequences?",
)


def order_test(x: Float[Tensor, "N"], perms: Int[Tensor, "R N"]) -> float:
    """The p-value of a permutation test for dependence between neighbours (Fisher's idea, lag 1)."""

    def statistic(rows):  # (..., N) -> (...): how strongly neighbours go together
        centred = rows - x.mean()
        return (centred[..., 1:] * centred[..., :-1]).sum(-1).abs()

    shuffled = statistic(x[perms])  # (R,)
    # the order that we have is one of the R + 1 orders that we look at
    return (1 + (shuffled >= statistic(x) - 1e-12).sum().item()) / (1 + len(perms))


def _order_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, R = [(14, 19), (60, 99), (12, 39), (30, 49)][i]
    x = torch.randn(N, generator=g, dtype=torch.float64) + 1
    if i == 1:  # with memory: each element is 0.8 of the last one, and something new
        for t in range(1, N):
            x[t] += 0.8 * x[t - 1]
    if i == 2:  # coin tosses: many orders share one value of the statistic
        x = (x > 1).double()
    return {"x": x, "perms": torch.stack([torch.randperm(N, generator=g) for _ in range(R)])}


def _variant(of: str) -> Callable[..., Any]:
    """The test with one thing changed."""

    def test(x: Tensor, perms: Tensor) -> float:
        mean = 0.0 if of == "mean" else x.mean()
        both = torch.cat([x[None], x.flip(0).expand(len(perms), -1) if of == "reversal" else x[perms]]) - mean
        s = (both[:, 1:] * both[:, :-1]).sum(1)
        s = s if of == "sign" else s.abs()
        tail = {"tail": s[1:] <= s[0] + 1e-12, "strict": s[1:] > s[0] + 1e-12}.get(of, s[1:] >= s[0] - 1e-12)
        hits = tail.sum().item()
        return hits / len(perms) if of == "one" else (1 + hits) / (1 + len(perms))

    return test


def _loop_test(x: Tensor, perms: Tensor) -> float:
    def s(row: Tensor) -> float:
        row = row - row.mean()
        return abs(sum(float(a * b) for a, b in zip(row[1:], row[:-1])))

    mine = s(x) - 1e-12
    return sum([1, *(s(x[p]) >= mine for p in perms)]) / (len(perms) + 1)


TEST = Exercise(
    chapter=CHAPTER, tier=3, minutes=20,
    signature="order_test(x, perms) -> p",
    text="""Does the order of x (N,) matter? Measure how strongly neighbours go together: subtract the
mean of x, and take the absolute value of the sum of x[t] * x[t + 1]. Do the same for x in each of the R
orders that `perms` (R, N) holds, `x[perms[r]]`. The p-value is the share of orders whose measure is at
least that of x.

The order that x came in counts as one of them, so there are R + 1. Two sums that differ by less than
1e-12 count as equal.""",
    worked=order_test,
    cases=_order_case,
    properties=(
        demand("p is never 0", lambda t: t.got > 0,
               "p = 0 would mean that chance is ruled out: no test can say that"),
        demand("p is small for a series with memory", lambda t: t.index != 1 or t.got < 0.1,
               "in this case each element is made from the one before, and p should be small"),
    ),
    right={"a loop": _loop_test, "numbers in one tensor": _variant("")},
    wrong={
        "the order itself is not counted": (
            _variant("one"),
            "With R shuffles you looked at R + 1 orders: the one that came is among those that chance could "
            "give. Leaving it out makes p too small, and sometimes 0."),
        "ties are not counted": (
            _variant("strict"),
            "Orders that score the same as x are evidence for chance, too. With coin tosses there are many "
            "of them; look at your comparison sign."),
        "the other tail": (
            _variant("tail"),
            "You count the shuffles in which neighbours go together less. A series with memory then looks "
            "like pure chance. Which shuffles speak against an effect of order?"),
        "the mean is still in": (
            _variant("mean"),
            "Without subtracting the mean, the sum measures mostly how far x lies from 0, in every order "
            "alike. The part that depends on the order drowns in it."),
        "no absolute value": (
            _variant("sign"),
            "Neighbours that alternate (up, down, up) make a large negative sum. That is order as well; the "
            "task asks for the size of the sum."),
        "reversed instead of shuffled": (
            _variant("reversal"),
            "Read backwards, all neighbours stay neighbours, so the measure does not change at all. The "
            "shuffles to use are the rows of `perms`."),
    },
    hints=(
        "`x[perms]` has shape (R, N): all shuffled rows at once. The mean of x is the same in each.",
        "Write the measure as a function that works on one row, then on many along the last axis.",
        "Count the shuffles with a measure at least as large, then add one to that count and one to R.",
    ),
    explain="why is the smallest p that R shuffles can give 1 / (R + 1)?",
)

EXERCISES = (SPLIT, TEST)
