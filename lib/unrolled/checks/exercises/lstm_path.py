"""Chapter 7, what stays: direct_cell_path, half_life."""

from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..properties import finite_when
from .lstm import CHAPTER


def direct_cell_path(a: Float[Tensor, "T H"]) -> Float[Tensor, "T H"]:
    """dc_T/dc_t with the gates held fixed, at [t] for t = 0 ... T - 1; a: the sums inside the f gates."""
    f = a.sigmoid()  # f[t] leads from c_t to c_{t+1}
    return f.flip(0).cumprod(0).flip(0)  # the product of all gates that are still to come


def _by_gradient(a: Tensor) -> Tensor:
    cells = [torch.zeros_like(a[0], requires_grad=True)]
    for f in a.sigmoid():
        cells.append(f * cells[-1])
    return torch.stack(torch.autograd.grad(cells[-1].sum(), cells[:-1]))


def _path_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T, H = [(2, 1), (4, 2), (5, 3), (4, 4)][i]
    return {"a": torch.randn(T, H, generator=g, dtype=torch.float64)}


PATH = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="direct_cell_path(a) -> pull",
    text="""a (T, H) holds the sums inside the forget gates at the steps 1 ... T, before the sigmoid. With all
gates held fixed, return the derivative of c_T with respect to c_t for t = 0 ... T - 1, as a tensor (T, H). At
[t] stands the one for c_t.""",
    worked=direct_cell_path,
    cases=_path_case,
    axes={"a": "T H", "return": "T H"},
    right={"by autograd": _by_gradient},
    wrong={
        "from the wrong end": (
            lambda a: a.sigmoid().cumprod(0),
            "You multiply the gates from the first step on: this is dc_t/dc_0. Asked is the way from c_t to "
            "the end."),
        "one gate too few": (
            lambda a: torch.cat([a.sigmoid().flip(0).cumprod(0).flip(0)[1:], torch.ones_like(a[:1])]),
            "Your last row is 1, as if c_{T-1} were the end already. From c_t to c_{t+1} there is a gate."),
        "gates are added": (
            lambda a: a.sigmoid().flip(0).cumsum(0).flip(0),
            "You add the gates up. Going through one after the other multiplies."),
        "the sigmoid is missing": (
            lambda a: a.flip(0).cumprod(0).flip(0),
            "a is what stands inside the sigmoid. Your factors can be negative, and a gate cannot."),
        "the slope of the sigmoid": (
            lambda a: (a.sigmoid() * (1 - a.sigmoid())).flip(0).cumprod(0).flip(0),
            "You multiply slopes of the gates. The gates are held fixed: c_t is f c_{t-1} plus something."),
        "one gate alone": (
            lambda a: a.sigmoid(),
            "This is one step, from c_t to c_{t+1}. How many are there to the end?"),
    },
    hints=(
        "c_t = f_t c_{t-1} + something that does not depend on c_{t-1}. What is dc_t/dc_{t-1}?",
        "From c_t to c_T all gates f_{t+1} ... f_T lie on the way. `cumprod` runs from the front; `flip` "
        "turns a tensor round.",
    ),
    explain="why is this not the whole derivative of c_T for c_t in a real LSTM?",
    harder="parallel_scan",
)


def half_life(f: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    """After how many steps half of a cell is left whose forget gate stays at f."""
    return torch.log(torch.tensor(0.5).to(f)) / torch.log(f)  # f ** steps = 1/2


def _half_case(g: torch.Generator, i: int) -> dict[str, Any]:
    f = torch.rand((2, 3, 5, 4)[i], generator=g, dtype=torch.float64)
    return {"f": 0.3 + 0.69 * f}


HALF = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="half_life(f) -> steps",
    text="""A cell's forget gate stays at a value f, and nothing is written. After how many steps is half of
the cell left? f is a tensor of numbers between 0 and 1; the answer has the same shape and need not be
whole.""",
    worked=half_life,
    cases=_half_case,
    axes={"f": "N", "return": "N"},
    properties=(
        finite_when("a gate that is nearly open is no trouble",
                    lambda case: {"f": torch.full_like(case["f"], 0.999)}),
    ),
    right={"by base 2": lambda f: -1 / torch.log2(f)},
    wrong={
        "what is lost in place of what stays": (
            lambda f: torch.log(torch.tensor(0.5)) / torch.log(1 - f),
            "You take f for the share that is lost. f is the share that stays: 0.99 is a long memory."),
        "a straight line": (
            lambda f: 0.5 / (1 - f),
            "You let the cell lose the same amount at each step. It loses the same share of what is left."),
        "the time scale, not the half": (
            lambda f: -1 / torch.log(f),
            "After so many steps a share of 1/e is left, some 37 %. Asked is the half."),
        "it is searched for step by step": (
            lambda f: torch.tensor([next(n for n in range(1, 500) if v**n <= 0.5 or n == 499) for v in f],
                                   dtype=f.dtype),
            "You count whole steps, and give up at some point. Solve f ** steps = 1/2 for the steps."),
    },
    hints=("After n steps f ** n is left.", "Take the logarithm of both sides of f ** n = 1/2."),
    explain="what is the half-life of a gate with the bias 1, if nothing else comes in?",
)

EXERCISES = (PATH, HALF)
