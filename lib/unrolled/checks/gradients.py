"""Does the gradient get through? Detached tensors have the right values, so that only this catches them."""

from typing import Any

import torch

from .compare import clone, close, tensors, tolerance
from .sandbox import plain
from .trial import Hindered, Property, Trial

_IN_PLACE = (
    "a value that it needs was changed in place. Write `h = h * o` for `h *= o`, and collect rows in a list "
    "for `torch.stack` instead of writing them into a tensor, as `H[:, t] = h` does"
)
_CUT = "is a `.detach()`, `.item()`, `.data` or `torch.tensor(...)` on the way?"


def demands(names: tuple[str, ...]) -> tuple[list[Property], list[Property]]:
    """Two demands for exercises whose result is learned through: reach (before values), size (after them)."""
    if not names:
        return [], []
    listed = ", ".join(names)
    return [Property(f"gradient reaches {listed}", reach)], [Property("the gradient is right too", equal)]


def reach(trial: Trial) -> str | None:
    """A gradient that is not zero arrives at each input that the exercise names."""
    mine, theirs = _both(trial)
    if mine is None:
        return f"the result is cut off from the graph: {_CUT}"
    for name, g, r in zip(trial.exercise.grads, mine, theirs):
        if r.any() and not g.any():
            return f"no gradient reaches {name}: {_CUT}"
    return None


def equal(trial: Trial) -> str | None:
    """The gradient is the reference's gradient."""
    mine, theirs = _both(trial)
    for name, g, r in zip(trial.exercise.grads, mine or (), theirs):
        if not close(g, r, *tolerance(g)):
            return f"the values are right, but the gradient of {name} is not: part of the way is cut; {_CUT}"
    return None


def _both(trial: Trial) -> tuple[Any, Any]:
    theirs = gradient(lambda *arguments: trial.exercise.observed(trial.case, *arguments), trial)
    return gradient(lambda *arguments: trial.run(list(arguments)), trial), theirs


def gradient(function: Any, trial: Trial) -> list[torch.Tensor] | None:
    """The gradient of a fixed weighting of the output, at each named input; None where there is no graph."""
    names = trial.exercise.grads
    arguments = {k: clone(v).requires_grad_() if k in names else clone(v) for k, v in trial.case.items()}
    with torch.enable_grad():
        outputs = tensors(function(*arguments.values()))
        total = sum(_weighted(o) for o in outputs if o.requires_grad)
    if not isinstance(total, torch.Tensor):
        return None
    inputs = [arguments[n] for n in names]
    found = way_back(total, inputs)
    return [torch.zeros_like(i) if g is None else g for g, i in zip(found, inputs)]


def way_back(total: torch.Tensor, inputs: list[torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
    """torch.autograd.grad, None where nothing arrives; Hindered where the answer has blocked the way."""
    try:
        return torch.autograd.grad(total, inputs, allow_unused=True)
    except RuntimeError as error:
        why = _IN_PLACE if "inplace" in str(error) else plain(str(error)).strip()
        raise Hindered(f"the way back does not run: {why}") from error


def _weighted(output: torch.Tensor) -> torch.Tensor:
    """A weighted sum: in a plain sum, gradients of opposite sign could cancel."""
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=output.dtype)
    return (output * weights).sum()
