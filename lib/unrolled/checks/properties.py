"""Demands that several exercises share. Each makes a Property: a name, and a test of one trial."""

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from .compare import close, digits, numeric
from .trial import Property, Trial


def demand(name: str, holds: Callable[[Trial], Any], message: str) -> Property:
    """A demand that a trial meets when `holds(trial)` is true; `message` is said where it is not."""
    return Property(name, lambda trial: None if bool(holds(trial)) else message)


def sums_to_one(name: str, axis: int | None = -1, part: int = 0) -> Property:
    """Part `part` of the answer is a distribution along `axis` (None: over all its cells)."""

    def test(trial: Trial) -> str | None:
        p = numeric(trial.parts()[part][2].value)
        total = p.sum().reshape(1) if axis is None else p.sum(axis).flatten()
        off = (total - 1).abs() > 1e-5
        if not off.any():
            return None
        many = f" ({int(off.sum())} of {len(off)} sums are off)" if len(off) > 1 else ""
        return f"the sum should be 1, yours is {digits(1.0, total[off][0].item())[1]}{many}"

    return Property(name, test)


def finite_when(name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Property:
    """The answer is finite, and right to 3 digits, when the arguments are pushed by `change(case)`."""

    def test(trial: Trial) -> str | None:
        changed = change(trial.case)
        want = numeric(trial.exercise.observed(trial.case, *{**trial.case, **changed}.values()))
        have = numeric(trial.call(**changed))
        if have is None or have.shape != want.shape:
            return "there the answer has another kind or shape"
        if not have.isfinite().all():
            seen = digits(have[~have.isfinite()][0].item())[0]
            return f"there the answer is {seen}, where {digits(want.flatten()[0].item())[0]} is expected"
        return None if close(have, want, 1e-3, 1e-6) else "there the answer is finite, and not the right one"

    return Property(name, test)


class _Counter(TorchFunctionMode):
    """Counts the functions of torch that are called."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.total += 1
        return func(*args, **(kwargs or {}))


def operations(run: Callable[[], Any]) -> int:
    """How many functions of torch the call takes; a loop over T steps takes at least T."""
    with _Counter() as counter:
        run()
    return counter.total
