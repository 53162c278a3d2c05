"""Answers that are one step from right: transposed, backwards, one place off, times a constant ...

These transforms know nothing of the exercise, so they also name errors that no author foresaw. One is
reported only if it makes the answer right on every case.
"""

import itertools
import math
from typing import NamedTuple

import torch

from ..shapes import Tensor
from .compare import close, digits, leaves, numeric
from .trial import Trial


class Pair(NamedTuple):
    """One part of an answer on one case, as float64: expected, got, axis letters, named sizes."""

    want: Tensor
    have: Tensor
    axes: list[str]
    sizes: dict[str, int]

    def axis(self, i: int) -> str:
        """What axis i is called."""
        return f"axis {self.axes[i]}" if len(self.axes) == self.want.ndim else f"axis {i}"


def near(trials: list[Trial]) -> str | None:
    """A sentence about the one change that would make the answer right on every case, or None."""
    for part in range(len(leaves(trials[0].expected))):
        pairs = _pairs(trials, part)
        if pairs is None:
            return None
        if not all(close(p.have, p.want) for p in pairs):
            return next((message for test in _TESTS if (message := test(pairs))), None)
    return None


def _pairs(trials: list[Trial], part: int) -> list[Pair] | None:
    pairs = []
    for trial in trials:
        parts = trial.parts()
        if trial.outcome.broken or not parts:
            return None
        w, h = (numeric(leaf.value) for leaf in parts[part][1:])
        if w is None or h is None or w.is_complex() or h.is_complex() or not w.numel():
            return None
        pairs.append(Pair(w, h, trial.letters()[part], trial.sizes()))
    return pairs


def _rank(pairs: list[Pair]) -> int:
    """The number of axes where all parts agree on it, else 0: then no axis can be named."""
    ranks = {p.want.ndim for p in pairs} | {p.have.ndim for p in pairs}
    return ranks.pop() if len(ranks) == 1 else 0


def _one_shape(pairs: list[Pair]) -> bool:
    return all(p.want.shape == p.have.shape for p in pairs)


def _transposed(pairs: list[Pair]) -> str | None:
    for i, j in itertools.combinations(range(_rank(pairs)), 2):
        if all(close(p.have.transpose(i, j), p.want) for p in pairs):
            names = f"{pairs[0].axis(i)} and {pairs[0].axis(j)}"
            return f"it is right, but transposed: {names} have changed places."
    return None


def _flipped(pairs: list[Pair]) -> str | None:
    for i in range(_rank(pairs)):
        if all(close(p.have.flip(i), p.want) for p in pairs):
            return f"it is right, but backwards along {pairs[0].axis(i)}."
    return None


def _shifted(pairs: list[Pair]) -> str | None:
    for i, early in itertools.product(range(_rank(pairs)), (1, 0)):
        longest = max(p.want.shape[i] for p in pairs)
        if longest > 2 and _one_shape(pairs) and all(_overlap(p, i, early) for p in pairs):
            return f"it is right, but one place too {'early' if early else 'late'} along {pairs[0].axis(i)}."
    return None


def _overlap(pair: Pair, axis: int, early: int) -> bool:
    """Whether have[t] is want[t + 1] (early) or want[t - 1] (late) along the axis, where both exist."""
    n = pair.want.shape[axis] - 1
    return close(pair.have.narrow(axis, 1 - early, n), pair.want.narrow(axis, early, n))


def _scaled(pairs: list[Pair]) -> str | None:
    factors = [_ratio(p) for p in pairs]
    if None in factors:
        return None
    if all(_equal(f, -1.0) for f in factors):
        return "your numbers have the right size and the opposite sign."
    name = _known_factor(factors) or _named_factor(factors, pairs)
    if not name and all(_equal(f, factors[0]) for f in factors):
        name = digits(factors[0])[0]
    return f"your numbers are the right ones times {name}." if name else None


def _ratio(pair: Pair) -> float | None:
    """have / want where it is one number for the whole part, else None."""
    filled = pair.want.abs() > 1e-12
    if pair.want.shape != pair.have.shape or not filled.any() or not pair.have.isfinite().all():
        return None
    ratio = (pair.have[filled] / pair.want[filled])[0].item()
    return ratio if ratio and close(pair.have, ratio * pair.want) else None


def _equal(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)


def _known_factor(factors: list[float]) -> str | None:
    known = {"ln 2 (nats against bits)": math.log(2), "1 / ln 2 (bits against nats)": 1 / math.log(2)}
    return next((name for name, c in known.items() if all(_equal(f, c) for f in factors)), None)


def _named_factor(factors: list[float], pairs: list[Pair]) -> str | None:
    """The factor as a size of this exercise, its root, or one over them."""
    forms = {"{}": lambda n: n, "1 / {}": lambda n: 1 / n, "√{}": math.sqrt, "1 / √{}": lambda n: n**-0.5}
    letters = sorted(set.intersection(*(set(p.sizes) for p in pairs)))
    for letter, (form, change) in itertools.product(letters, forms.items()):
        sizes = [p.sizes[letter] for p in pairs]
        if min(sizes) > 1 and all(_equal(f, float(change(n))) for f, n in zip(factors, sizes)):
            return f"{form.format(letter)} (here {letter} = {sizes[0]}): is there a sum or a mean too many"
    return None


def _offset(pairs: list[Pair]) -> str | None:
    if not _one_shape(pairs):
        return None
    gaps = [(p.have - p.want).flatten()[0].item() for p in pairs]
    if not math.isfinite(gaps[0]) or not all(_equal(g, gaps[0]) for g in gaps):
        return None
    if all(close(p.have - gaps[0], p.want) for p in pairs):
        return f"your numbers are the right ones plus {digits(gaps[0])[0]}, everywhere."
    return None


def _logarithm(pairs: list[Pair]) -> str | None:
    for name, change in (("logarithm", torch.exp), ("exponential", torch.log)):
        if all(close(change(p.have), p.want) for p in pairs):
            return f"your numbers are the {name} of the right ones."
    return None


def _sums(pairs: list[Pair]) -> str | None:
    if _rank(pairs) < 1 or not _one_shape(pairs) or not all(_ones(p.want.sum(-1)) for p in pairs):
        return None
    if all(close(p.have / p.have.sum(-1, keepdim=True), p.want) for p in pairs):
        return "your rows are proportional to the right ones, and they do not sum to 1."
    if _rank(pairs) == 2 and all(_ones(p.have.sum(0)) for p in pairs):
        return "your columns sum to 1; it is the rows that should."
    return None


def _ones(sums: Tensor) -> bool:
    return close(sums, torch.ones_like(sums))


def _permuted(pairs: list[Pair]) -> str | None:
    if max(p.want.numel() for p in pairs) < 4 or not _one_shape(pairs):
        return None
    if all(close(p.have.flatten().sort()[0], p.want.flatten().sort()[0]) for p in pairs):
        return "these are the right numbers in another order."
    return None


_TESTS = (_transposed, _flipped, _shifted, _scaled, _offset, _logarithm, _sums, _permuted)
