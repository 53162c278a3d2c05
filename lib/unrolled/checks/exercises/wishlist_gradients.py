"""Chapter 3, a checker of gradients: is_differentiable."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from .. import zoo
from ..exercise import Exercise
from ..zoo import Encoder, matrix
from .wishlist import CHAPTER, says


def is_differentiable(enc: torch.nn.Module, x: Float[Tensor, "T D"]) -> bool:
    """Whether a gradient that is not zero arrives at every element of x and at every parameter of enc."""
    x = x.clone().requires_grad_()
    h = enc(x)
    if not h.requires_grad:
        return False
    # random weights: in a plain sum of h, gradients of opposite sign could cancel
    total = (h * torch.randn(h.shape, dtype=h.dtype)).sum()
    on_x, *on_weights = torch.autograd.grad(total, [x, *enc.parameters()], allow_unused=True)
    if on_x is None or not on_x.any(dim=1).all():
        return False
    return all(g is not None and bool(g.any()) for g in on_weights)


_LEARN_ZOO: list[Callable[[], Encoder]] = [
    zoo.bag,
    lambda: Encoder("a one-hot vector of the largest feature of the sum", lambda x: torch.eye(
        zoo.D, dtype=x.dtype)[x.sum(0).argmax()]),
    lambda: Encoder("the signs of W x, added up", lambda x, W: torch.sign(x @ W.T).sum(0),
                    matrix(7, zoo.H, zoo.D)),
    lambda: Encoder("the squares of W x, added up", lambda x, W: ((x @ W.T) ** 2).sum(0),
                    matrix(8, zoo.H, zoo.D)),
    lambda: Encoder("a sum in which the first half is detached", lambda x, W: W @ (
        x[: len(x) // 2].detach().sum(0) + x[len(x) // 2 :].sum(0)), matrix(9, zoo.H, zoo.D)),
    lambda: Encoder("a layer whose inputs are detached", lambda x, W: torch.tanh(x.detach() @ W.T).sum(0),
                    matrix(11, zoo.H, zoo.D)),
    lambda: Encoder("a layer whose weights are detached", lambda x, W: torch.tanh(x @ W.detach().T).sum(0),
                    matrix(10, zoo.H, zoo.D)),
    lambda: Encoder("two outputs of opposite sign", lambda x, W: torch.outer(
        x.new_tensor([1.0, -1.0]), W @ x.sum(0)).flatten(), matrix(12, zoo.H, zoo.D)),
    zoo.rnn,
]


def _learn_case(g: torch.Generator, i: int) -> dict[str, Any]:
    return {"enc": _LEARN_ZOO[i](), "x": torch.randn(6, zoo.D, generator=g, dtype=torch.float64)}


def _grads(enc: Any, x: Tensor, weighted: bool = True) -> list[Tensor | None]:
    """The gradients at x and at each parameter; all None where there is no graph."""
    x = x.clone().requires_grad_()
    wanted, h = [x, *enc.parameters()], enc(x)
    if not h.requires_grad:
        return [None] * len(wanted)
    weights = torch.linspace(1, 1 + weighted, len(h), dtype=h.dtype)
    return list(torch.autograd.grad((h * weights).sum(), wanted, allow_unused=True))


def _alive(g: Tensor | None) -> bool:
    return g is not None and bool(g.any())


def _each_row(enc: Any, x: Tensor, weighted: bool = True) -> bool:
    on_x, *others = _grads(enc, x, weighted)
    return all(map(_alive, others)) and on_x is not None and all(_alive(row) for row in on_x)


LEARN = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="is_differentiable(enc, x) -> bool",
    text="""enc is a torch module that reads x (T, D) and returns a vector h. Write a checker: return True
if it can be learned by gradients, that is, if a gradient that is not zero arrives at each of the T
elements of x and at each of enc.parameters(). Return False otherwise.

The checker is judged on nine encoders of which the answer is known.""",
    worked=is_differentiable,
    cases=_learn_case,
    count=len(_LEARN_ZOO),
    axes={"x": "T D"},
    properties=(says(True, "says yes where a gradient arrives"), says(False, "says no where none does")),
    right={"row by row": _each_row},
    wrong={
        "requires_grad is believed": (
            lambda enc, x: enc(x.clone().requires_grad_()).requires_grad,
            "`requires_grad` says that there is a graph. It does not say that anything flows through it: the "
            "gradient of a sign is 0 everywhere. Compute the gradient and look at it."),
        "a gradient of zero is accepted": (
            lambda enc, x: all(g is not None for g in _grads(enc, x)),
            "You ask whether there is a gradient, and 0 is one. A weight whose gradient is 0 at every point "
            "never learns."),
        "tested at zero": (
            lambda enc, x: is_differentiable(enc, torch.zeros_like(x)),
            "You try it at x = 0, where the gradient of a square happens to vanish. Use a point with nothing "
            "special about it."),
        "the parameters are forgotten": (
            lambda enc, x: _grads(enc, x)[0] is not None and all(_alive(row) for row in _grads(enc, x)[0]),
            "You look at the inputs. One encoder has weights that no gradient reaches: it passes on what it "
            "gets and learns nothing itself."),
        "the inputs are forgotten": (
            lambda enc, x: enc(x).requires_grad and all(map(_alive, _grads(enc, x)[1:])),
            "You look at the parameters. In one encoder the first half of x is detached: whatever made those "
            "elements could not be trained through it."),
        "one element is enough": (
            lambda enc, x: all(map(_alive, _grads(enc, x))),
            "You ask whether any number of the gradient of x is not zero. Each of the T elements needs its "
            "own."),
        "the outputs are added first": (
            lambda enc, x: _each_row(enc, x, weighted=False),
            "You go back from the plain sum of h. One encoder has outputs of opposite sign: their gradients "
            "cancel in the sum, and each of them is alive. Weight the outputs at random before adding them."),
    },
    hints=(
        "Make a copy of x that asks for a gradient, make one number of h, and go backwards from it.",
        "`torch.autograd.grad(number, [x, *enc.parameters()], allow_unused=True)` gives None where nothing "
        "arrives.",
        "There are three ways to fail: no graph, None, and all zeros. For x, look at each row.",
    ),
    explain="a table of counts is not differentiable. How is it fitted, and what is lost?",
    harder="memory_horizon",
)

EXERCISES = (LEARN,)
