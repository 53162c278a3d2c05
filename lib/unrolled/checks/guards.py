"""The demands on every answer, whatever the exercise: it runs, it returns the right kind of thing.

Each has its own message: a learner whose tensor is transposed should read that, and not "values differ".
"""

import itertools
from typing import Any

import torch

from .compare import SEVERAL, beside, describe, digits, kind, numeric, opened, places, same, size, tolerance
from .trial import Property, Trial


def runs(trial: Trial) -> str | None:
    """The function returned something."""
    if trial.outcome.broken:
        advice = _advice(trial)
        return str(trial.outcome.broken).rstrip("." if advice else "") + advice
    if trial.got is None and trial.expected is not None:
        return "it returned None: is there a `return` at the end, on every path?"
    return None


def _advice(trial: Trial) -> str:
    text, like = trial.outcome.broken.message, _real(trial.case)
    if like and "double" in text.lower() and ("dtype" in text or "scalar type" in text):
        return f". The check computes in float64: make new tensors with `.to({like})` or `dtype={like}.dtype`"
    if "cannot be multiplied" in text or "matmul" in text:
        return ". In `a @ b` the last size of a has to equal the first size of b: which of them needs a `.T`?"
    if "must match" in text or "broadcast" in text:
        return ". Print the shapes of both sides of that line."
    return ""


def _real(case: dict[str, Any]) -> str:
    """An argument that holds real numbers, as one writes it in code; "" where there is none."""
    named = dict(case)
    for name, value in case.items():
        named |= {f"{name}[{i}]": v for i, v in enumerate(value)} if kind(value) in SEVERAL else {}
    real = (k for k, v in named.items() if isinstance(v, torch.Tensor) and v.is_floating_point())
    return next(real, "")


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
    """As many parts as expected, nested in the same way, each of the same kind."""
    names = trial.names(len(trial.expected)) if opened(trial.expected) else []
    if message := _nesting(trial.expected, trial.got, names):
        return message
    for name, w, h in trial.parts():
        if message := _kind(w.value, h.value):
            return _part(name) + message
    return None


def right_shape(trial: Trial) -> str | None:
    """Each part of the right shape, and of the right dtype: whole, real or boolean."""
    like = _real(trial.case)
    for (name, w, h), axes in zip(trial.parts(), trial.letters()):
        if message := _shape(w.value, h.value, axes) or _dtype(w.value, h.value, like):
            return _part(name) + message
    return None


def _part(name: str) -> str:
    return f"{name}: " if name else ""


def _nesting(want: Any, have: Any, names: list[str], name: str = "") -> str | None:
    """Where an answer has more or fewer parts than expected, or parts within parts; None where it has not."""
    if beside(want, have) is not None:
        return None
    if opened(want) and kind(have) in SEVERAL and len(want) == len(have):
        inside = zip(want, have, names or places(want, name))
        return next(message for w, h, part in inside if (message := _nesting(w, h, [], part)))
    why = ": write a list, with [ ]" if kind(have) == "generator" else ""
    if not name and kind(have) == "tuple" and len(have) == 1 and beside(want, have[0]) is not None:
        why = ": is there a comma at the end of `return`?"
    return f"{_part(name)}expected {_parts(want)}, got {_parts(have)}{why}"


def _parts(value: Any) -> str:
    if kind(value) not in SEVERAL:
        return describe(value) if kind(value) in _SAID_BY_KIND else f"one {kind(value)}"
    if len(value) < 2 or not opened(value):
        return f"a {kind(value)} of {len(value)}"
    inside = f" ({', '.join(kind(v) for v in value)})" if len(value) <= 4 else ""
    return f"{len(value)} parts{inside}"


_SAID_BY_KIND = ("nothing", "function", "generator", "array", "other", "dict", "tensor from elsewhere")


def _kind(want: Any, have: Any) -> str | None:
    w, h = kind(want), kind(have)
    if w == h or {w, h} == set(SEVERAL):
        return None
    if {w, h} == {"tensor", "number"} and (want if w == "tensor" else have).ndim == 0:
        return None
    if w == "bool" and h == "tensor" and have.ndim == 0 and have.dtype == torch.bool:
        return None
    more = ": torch.from_numpy turns it into a tensor" if h == "array" else ""
    return f"expected a {w}, got {describe(have) if h in _SAID_BY_KIND else f'a {h}, {describe(have)}'}{more}"


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


def _dtype(want: Any, have: Any, like: str) -> str | None:
    """Whole numbers may have any width; reals too, where no input is real (`like` names one that is)."""
    if kind(want) != "tensor" or kind(have) != "tensor" or want.dtype == have.dtype:
        return None
    w, h = _sort(want), _sort(have)
    if w == h and (w == "whole" or not like):
        return None
    if w == "real" and not like and not have.is_complex() and want.eq(want.ne(0)).all():
        return None  # a mask of zeros and ones: the values decide
    names = [str(v.dtype).removeprefix("torch.") for v in (want, have)]
    return f"expected dtype {names[0]}, got {names[1]}{_cure(w, h, like)}"


def _sort(value: torch.Tensor) -> str:
    if value.dtype == torch.bool:
        return "bool"
    return "real" if value.is_floating_point() else "complex" if value.is_complex() else "whole"


def _cure(want: str, have: str, like: str) -> str:
    """What to write, where numbers of one sort are wanted and there are others."""
    if have == "complex":
        return "; `.real` or `.abs()` makes it real"
    real = f"`.to({like})`" if like else "`.float()`"
    return {
        "bool": "; a comparison gives bools, and so does `.bool()`",
        "whole": "; `.long()` makes whole numbers of them",
        "real": f"; a new tensor takes its dtype from its inputs with `dtype={like}.dtype`"
        if have == "real"
        else f"; {real} makes real numbers of them",
    }[want]


def finite(trial: Trial) -> str | None:
    """No NaN or infinity where the reference has a number."""
    for _, want, have in trial.parts():
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
    if kind(want) == "bool" and h is not None and h.ndim == 0:
        return f"expected {bool(want)}, yours is {bool(have)}"
    if w is not None and h is not None and w.shape == h.shape:
        return _difference(w, h, axes or [], tolerance(want, have))
    if kind(want) == "dict":
        return _dict_difference(want, have)
    if kind(want) in SEVERAL and len(want) != len(have):
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
