"""The demands on every answer, whatever the exercise: it runs, it returns the right kind of thing.

Each has its own message: a learner whose tensor is transposed should read that, and not "values differ".
"""

import itertools
from typing import Any

import torch

from .compare import Leaf, describe, digits, kind, leaves, numeric, same, size, tolerance
from .trial import Property, Trial


def runs(trial: Trial) -> str | None:
    """The function returned something."""
    if trial.outcome.broken:
        return f"{trial.outcome.broken}{_advice(trial)}"
    if trial.got is None and trial.expected is not None:
        return "it returned None: is there a `return` at the end, on every path?"
    return None


def _advice(trial: Trial) -> str:
    text = trial.outcome.broken.message
    if "cannot be multiplied" in text or "matmul" in text:
        return ". In `a @ b` the last size of a has to equal the first size of b: which of them needs a `.T`?"
    if "must match" in text or "broadcast" in text:
        return ". Print the shapes of both sides of that line."
    return ""


def untouched(trial: Trial) -> str | None:
    """The inputs are what they were before the call."""
    for (name, before), after in zip(trial.case.items(), trial.after):
        if not same(before, after):
            return (
                f"it changed its input {name} in place. The caller still needs {name}, and so does "
                "autograd: make a new value, as in `a = a + b` instead of `a += b`."
            )
    return None


def right_kind(trial: Trial) -> str | None:
    """As many parts as expected, each of the same kind."""
    want, have = leaves(trial.expected), leaves(trial.got)
    if len(want) != len(have):
        return f"expected {_parts(want)}, got {_parts(have)}"
    for name, w, h in trial.parts():
        if message := _kind(w.value, h.value):
            return _part(name) + message
    return None


def right_shape(trial: Trial) -> str | None:
    """Each part of the right shape, and of the right dtype: whole, real or boolean."""
    real = any(isinstance(v, torch.Tensor) and v.is_floating_point() for v in trial.case.values())
    for (name, w, h), axes in zip(trial.parts(), trial.letters()):
        if message := _shape(w.value, h.value, axes) or _dtype(w.value, h.value, real):
            return _part(name) + message
    return None


def _part(name: str) -> str:
    return f"{name}: " if name else ""


def _parts(parts: list[Leaf]) -> str:
    if len(parts) == 1:
        return f"one {kind(parts[0].value)}"
    if len(parts) > 4:
        return f"{len(parts)} parts"
    return f"{len(parts)} parts ({', '.join(kind(p.value) for p in parts)})"


def _kind(want: Any, have: Any) -> str | None:
    w, h = kind(want), kind(have)
    if w == h or ({w, h} == {"tensor", "number"} and (want if w == "tensor" else have).ndim == 0):
        return None
    if w == "bool" and h == "tensor" and have.ndim == 0 and have.dtype == torch.bool:
        return None
    more = ": torch.from_numpy turns it into a tensor" if h == "array" else ""
    return f"expected a {w}, got {'None' if h == 'nothing' else f'a {h}, {describe(have)}'}{more}"


def _shape(want: Any, have: Any, axes: list[str]) -> str | None:
    if kind(want) != "tensor" or kind(have) != "tensor" or want.shape == have.shape:
        return None
    letters = f"({', '.join(axes)}) = " if len(axes) == want.ndim and axes else ""
    story = _shape_story(want, have, axes)
    return f"expected shape {letters}{size(want.shape)}, got {size(have.shape)}{story}"


def _shape_story(want: torch.Tensor, have: torch.Tensor, axes: list[str]) -> str:
    names = axes if len(axes) == want.ndim else [str(i) for i in range(want.ndim)]
    if want.ndim == have.ndim:
        wrong = [i for i in range(want.ndim) if want.shape[i] != have.shape[i]]
        if sorted(want.shape) == sorted(have.shape):
            order = next(p for p in itertools.permutations(range(want.ndim)) if _is(want, have, p))
            return f": the right sizes in another order, ({', '.join(names[i] for i in order)})"
        if len(wrong) == 1:
            i = wrong[0]
            return f": axis {names[i]} has {have.shape[i]} instead of {want.shape[i]}"
    if want.ndim == have.ndim + 1:
        gone = [i for i in range(want.ndim) if want.shape[:i] + want.shape[i + 1 :] == have.shape]
        return f": axis {names[gone[-1]]} is missing" if gone else ""
    return ": there is one axis too many" if have.ndim == want.ndim + 1 else ""


def _is(want: torch.Tensor, have: torch.Tensor, order: tuple[int, ...]) -> bool:
    return tuple(want.shape[i] for i in order) == tuple(have.shape)


def _dtype(want: Any, have: Any, strict: bool) -> str | None:
    """`strict` tells float32 from float64: where no input is a float, either will do."""
    if kind(want) != "tensor" or kind(have) != "tensor" or want.dtype == have.dtype:
        return None
    if not strict and want.is_floating_point() and have.is_floating_point():
        return None
    w, h = (str(v.dtype).removeprefix("torch.") for v in (want, have))
    why = "; a new tensor takes its dtype from its inputs with `dtype=x.dtype`" if "float" in w + h else ""
    return f"expected dtype {w}, got {h}{why}"


def finite(trial: Trial) -> str | None:
    """No NaN or infinity where the reference has a number."""
    for want, have in zip(leaves(trial.expected), leaves(trial.got)):
        w, h = numeric(want.value), numeric(have.value)
        if w is None or h is None or w.shape != h.shape:
            continue
        bad = w.isfinite() & ~h.isfinite()
        if bad.any():
            first = digits(float(h[bad].flatten()[0]))[0]
            return f"{int(bad.sum())} of {bad.numel()} numbers are {first} where finite numbers are expected"
    return None


def values(trial: Trial) -> str | None:
    """The same numbers, within 1e-6 of their size."""
    for (name, w, h), axes in zip(trial.parts(), trial.letters()):
        if not same(w.value, h.value, strict=False):
            return _part(name) + difference(w.value, h.value, axes)
    return None


def difference(want: Any, have: Any, axes: list[str] | None = None) -> str:
    """Where two values of one kind differ first, in a sentence with numbers."""
    w, h = numeric(want), numeric(have)
    if w is not None and h is not None and w.shape == h.shape:
        return _difference(w, h, axes or [], tolerance(want, have))
    if kind(want) == "dict":
        return _dict_difference(want, have)
    if kind(want) == "list" and len(want) != len(have):
        return f"expected {len(want)} elements, {describe(want)}; yours has {len(have)}, {describe(have)}"
    return f"expected {describe(want)}, yours is {describe(have)}"


def _difference(want: torch.Tensor, have: torch.Tensor, axes: list[str], allowed: tuple[float, float]) -> str:
    if want.ndim == 0:
        w, h = digits(want.item(), have.item())
        return f"expected {w}, yours is {h}"
    off = ~torch.isclose(have, want, *allowed, equal_nan=True)
    place = (off.nonzero() if off.any() else torch.zeros(1, want.ndim, dtype=torch.long))[0].tolist()
    named = len(axes) == want.ndim
    where = ", ".join(f"{a.lower()} = {i}" for a, i in zip(axes, place)) if named else str(place)
    w, h = digits(want[tuple(place)].item(), have[tuple(place)].item())
    return f"{int(off.sum())} of {off.numel()} numbers differ, first at {where}: expected {w}, yours is {h}"


def _dict_difference(want: dict, have: dict) -> str:
    missing, extra = [k for k in want if k not in have], [k for k in have if k not in want]
    if missing:
        return f"{len(missing)} of {len(want)} keys are missing, such as {describe(missing[0])}"
    if extra:
        return f"{len(extra)} keys should not be there, such as {describe(extra[0])}"
    key = next(k for k in want if not same(want[k], have[k], strict=False))
    return f"at {describe(key)}: {difference(want[key], have[key])}"


BEFORE = [
    Property("it runs", runs),
    Property("its inputs stay as they were", untouched),
    Property("it returns the right kind of thing", right_kind),
]
SHAPE = [Property("shape and dtype", right_shape), Property("finite numbers", finite)]
