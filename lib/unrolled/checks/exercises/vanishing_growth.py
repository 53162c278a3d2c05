"""Chapter 6, the hard one: transient_growth."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .vanishing import CHAPTER


def transient_growth(radius: float, k: int, height: float) -> Float[Tensor, "2 2"]:
    """A matrix of this spectral radius whose k-th power has this norm, however large."""
    a = radius**k  # U^k = [[a, b], [0, a]] with b = k radius^(k - 1) c, for U = [[radius, c], [0, radius]]
    b = height - a**2 / height  # singular values: height and a^2 / height, so b = their difference
    c = b / (k * radius ** (k - 1))
    return torch.tensor([[radius, c], [0.0, radius]], dtype=torch.float64)


def _observe(U: Any, radius: float, k: int, height: float) -> Any:
    """Of a matrix its radius, and the norm of its k-th power."""
    if not isinstance(U, torch.Tensor) or U.shape != (2, 2):
        return U
    size = torch.linalg.eigvals(U).abs().max()
    near = (size - radius).abs() < 1e-4  # a double eigenvalue is found to half of the digits only
    return torch.where(near, radius, size), torch.linalg.matrix_norm(torch.linalg.matrix_power(U, k), 2)


def _growth_case(g: torch.Generator, i: int) -> dict[str, Any]:
    k = (2, 5, 9, 12)[i]
    radius = 0.7 + 0.25 * float(torch.rand((), generator=g, dtype=torch.float64))
    return {"radius": radius, "k": k, "height": (1.5, 3.0, 77.5, 20.0)[i]}


def _corner(of: Callable[[float, int, float], float]) -> Callable[..., Tensor]:
    """[[radius, c], [0, radius]] with another c."""
    return lambda radius, k, height: torch.tensor(
        [[radius, of(radius, k, height)], [0.0, radius]], dtype=torch.float64)


def _turned(radius: float, k: int, height: float) -> Tensor:
    Q = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    return Q @ transient_growth(radius, k, height) @ Q.T


TRANSIENT = Exercise(
    chapter=CHAPTER, tier=4, minutes=40,
    signature="transient_growth(radius, k, height) -> U",
    text="""Build a matrix U (2, 2) whose spectral radius is `radius`, which lies between 0 and 1, and for
which the norm of U to the power k is exactly `height`, which is above 1. So in the end it shrinks everything,
and after k steps it has stretched something to `height` times its size.""",
    worked=transient_growth,
    cases=_growth_case,
    observe=_observe,
    both_shown=False,
    right={"transposed": lambda radius, k, height: transient_growth(radius, k, height).T, "turned": _turned},
    wrong={
        "the corner of the power is the height": (
            _corner(lambda r, k, s: s / (k * r ** (k - 1))),
            "You make the corner of U^k as large as `height`. The diagonal counts too, so the norm is a "
            "little more than that."),
        "the height in the corner": (
            _corner(lambda r, k, s: s),
            "Your corner is the height of U itself. What is the corner of U^2, of U^3?"),
        "the number of steps is forgotten": (
            _corner(lambda r, k, s: (s - r ** (2 * k) / s) / r ** (k - 1)),
            "Each of the k steps adds one more term to the corner of U^k: there are k of them."),
        "one step too many": (
            _corner(lambda r, k, s: (s - r ** (2 * k) / s) / (k * r**k)),
            "In each term of the corner, radius stands k - 1 times: one of the k factors is c."),
        "all directions alike": (
            lambda radius, k, height: radius * torch.eye(2, dtype=torch.float64),
            "A multiple of the identity or of a rotation has a norm of radius^k after k steps. It never "
            "grows. What could move one number into the other, and not back?"),
        "scaled to the height": (
            lambda radius, k, height: height ** (1 / k) * torch.eye(2, dtype=torch.float64),
            "After k steps it is right, and it goes on growing: the radius is above 1."),
    },
    hints=(
        "Compute U^2 and U^3 for U = [[r, c], [0, r]] on paper. What is the corner of U^k?",
        "So U^k is [[a, b], [0, a]] with a = r^k. Its singular values s and t satisfy s t = a^2 and "
        "s^2 + t^2 = 2 a^2 + b^2. What is (s - t)^2?",
        "The larger one is to be `height`. Then t, b and c follow, one after the other.",
    ),
    explain="after how many steps is the norm largest, for a radius of 0.9?",
)

EXERCISES = (TRANSIENT,)
