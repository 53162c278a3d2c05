"""Chapter 3, what is remembered and what it costs: memory_horizon, param_growth."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from .. import zoo
from ..exercise import Exercise
from ..question import Question
from ..zoo import Encoder
from .wishlist import CHAPTER


def memory_horizon(enc: Callable[[Tensor], Tensor], x: Float[Tensor, "T D"], eps: float) -> int:
    """How many of the last elements matter: to the oldest with a gradient above eps times the newest's."""
    J = torch.autograd.functional.jacobian(enc, x)  # (H, T, D): each output by each input
    g = J.pow(2).sum((0, 2)).sqrt().flip(0)  # (T,) g[k]: the size of the gradient k steps back
    return int((g > eps * g[0]).nonzero().max()) + 1


_MEMORY_ZOO: list[tuple[Callable[[], Encoder], float]] = [
    (lambda: Encoder("the last 3 elements side by side", lambda x: zoo.last(x, 3)), 0.01),
    (lambda: Encoder("a running average that keeps 0.5", lambda x: zoo.average(x, 0.5)), 0.01),
    (lambda: Encoder("the sum of all elements, times 0.001", lambda x: x.sum(0) / 1000), 0.05),
    (lambda: Encoder("the last element, the third last and the fifth last",
                     lambda x: x[[-1, -3, -5]].flatten()), 0.01),
    (lambda: zoo.rnn(0.6), 0.05),
    (lambda: Encoder("two outputs that nearly cancel", lambda x: torch.cat(
        [zoo.average(x, 0.7), x[-1] - zoo.average(x, 0.7)])), 0.02),
]


def _memory_case(g: torch.Generator, i: int) -> dict[str, Any]:
    make, eps = _MEMORY_ZOO[i]
    return {"enc": make(), "x": torch.randn(20, zoo.D, generator=g, dtype=torch.float64), "eps": eps}


def _sizes(enc: Any, x: Tensor, of_sum: bool = False) -> Tensor:
    """g[k]: the size of the gradient k steps back, of all outputs or of their sum."""
    x = x.clone().requires_grad_()
    h = enc(x)
    parts = [h.sum()] if of_sum else list(h)
    rows = [torch.autograd.grad(p, x, retain_graph=True)[0] for p in parts]
    return torch.stack(rows).pow(2).sum((0, 2)).sqrt().flip(0)


def _oldest(above: Tensor) -> int:
    return int(above.nonzero().max()) + 1


MEMORY = Exercise(
    chapter=CHAPTER, tier=3, minutes=20,
    signature="memory_horizon(enc, x, eps) -> steps",
    text="""How far back does an encoder remember? Let g[k] be the size of the gradient of h = enc(x) by
the element k steps before the last, x[T - 1 - k]: the root of the sum of squares over all numbers of h
and of that element. Return how many elements the memory spans, up to the oldest with g[k] > eps * g[0].
An encoder that sees the last element and nothing else has horizon 1.""",
    worked=memory_horizon,
    cases=_memory_case,
    count=len(_MEMORY_ZOO),
    axes={"x": "T D"},
    right={"output by output": lambda enc, x, eps: _oldest(_sizes(enc, x) > eps * _sizes(enc, x)[0])},
    wrong={
        "counted from the start": (
            lambda enc, x, eps: _oldest(_sizes(enc, x).flip(0) > eps * _sizes(enc, x)[0]),
            "You count from the first element of x. The horizon is counted back from the last one, k = 0."),
        "an absolute threshold": (
            lambda enc, x, eps: int(max([0, *(_sizes(enc, x) > eps).nonzero().flatten() + 1])),
            "You compare g[k] with eps itself. An encoder that scales everything by 0.001 remembers as much "
            "as before: measure relative to the newest element, g[0]."),
        "up to the first gap": (
            lambda enc, x, eps: int((_sizes(enc, x) > eps * _sizes(enc, x)[0]).long().cumprod(0).sum()),
            "You stop at the first element that has no effect. One encoder skips every second element and "
            "sees further back than you report. Look for the oldest."),
        "the number of elements that matter": (
            lambda enc, x, eps: int((_sizes(enc, x) > eps * _sizes(enc, x)[0]).sum()),
            "You count the elements that matter. With gaps between them, the oldest lies further back than "
            "their number says."),
        "steps instead of elements": (
            lambda enc, x, eps: _oldest(_sizes(enc, x) > eps * _sizes(enc, x)[0]) - 1,
            "You return the largest k. An encoder of the last element has k = 0 and spans one element."),
        "the outputs are added first": (
            lambda enc, x, eps: _oldest(_sizes(enc, x, True) > eps * _sizes(enc, x, True)[0]),
            "You differentiate the sum of h. Where one number of h rises and another falls, their gradients "
            "cancel, and an encoder with two outputs looks forgetful. Take the gradient of each number of "
            "h."),
    },
    hints=(
        "`torch.autograd.functional.jacobian(enc, x)` has shape (H, T, D): each number of h by each number "
        "of x.",
        "Reduce it to one size for each of the T elements, and turn the time axis round, so that k = 0 comes "
        "first.",
        "Of all k with g[k] above the threshold, take the largest. How many elements lie between it and k = "
        "0?",
    ),
    explain="a running average never forgets an element entirely. In what sense does it have a horizon?",
)

_OPTIONS = {
    "table": "a table of n-grams with n = T has one entry for each run of T tokens.",
    "mlp": "a layer that reads T embeddings side by side has a column of weights for each place.",
    "bag": "a bag adds all embeddings up: the same embedding serves every place.",
    "rnn": "a recurrent network uses the same matrices at each step.",
    "attention": "attention compares all places with the same query, key and value matrices. The number of "
                 "comparisons grows, that of weights does not.",
}

GROWTH = Question(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="param_growth({...})",
    text="""A model is to read contexts of T tokens, and T is made ten times as large. Which of these need
more parameters then? Hand over the set of their names: 'table' (n-grams with n = T), 'mlp' (one layer on
T embeddings side by side), 'bag' (the sum of the embeddings), 'rnn', 'attention' (without learned
positions).""",
    answer=lambda: {"table", "mlp"},
    way="# V ** T entries; H * T * D weights; the others use one set of weights everywhere\n{'table', 'mlp'}",
    options=_OPTIONS,
    wrong={
        "the layer is forgotten": ({"table"},
            "The table grows fastest, and it is not alone: think of the shape of the weights of a layer that "
            "reads T * D numbers."),
        "the table is forgotten": ({"mlp"},
            "The layer's weights grow in proportion to T. One other grows much faster."),
        "attention's comparisons": ({"table", "mlp", "attention"},
            "Attention makes T * T comparisons: time and memory grow, but each comparison uses the same "
            "matrices. Count what is learned."),
        "the steps of the recurrent network": ({"table", "mlp", "rnn"},
            "Unrolled, the network looks T layers deep. Count the different matrices in that picture."),
        "everything grows": (set(_OPTIONS),
            "Time and memory grow for all of them. Parameters are what is learned and stored: where is one "
            "weight used at many places?"),
    },
    hints=(
        "For each model, write the shapes of what is learned. Which of them has a T in it?",
        "Sharing weights between places is what makes any length possible. Who shares?",
    ),
    explain="what has the number of parameters to do with the wish for variable length?",
)

EXERCISES = (MEMORY, GROWTH)
