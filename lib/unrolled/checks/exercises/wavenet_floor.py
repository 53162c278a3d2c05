"""Chapter 12, the best possible: noise_floor."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .wavenet import CHAPTER


def noise_floor(
    voice: Float[Tensor, "T"], edges: Float[Tensor, "E"], sigma: float
) -> Float[Tensor, "T"]:
    """Bits for the level of voice_t + noise, for one who knows the voice and the noise's deviation."""
    below = torch.special.ndtr((edges - voice[:, None]) / sigma)  # (T, E): chances of lying below
    T = len(voice)
    nothing, all_of_it = below.new_zeros(T, 1), below.new_ones(T, 1)
    p = torch.cat([nothing, below, all_of_it], 1).diff(dim=1)  # (T, E + 1): one for each level
    return torch.special.entr(p).sum(1) / math.log(2)


def _floor_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T, E, sigma = [(2, 3, 0.3), (4, 6, 0.3), (5, 9, 0.5), (6, 6, 0.3), (4, 5, 0.01)][i]
    edges = torch.linspace(-1, 1, E, dtype=torch.float64)
    voice = 2 * torch.rand(T, generator=g, dtype=torch.float64) - 1
    if i == 4:  # little noise, near the edges: most levels have a chance of exactly 0
        voice = edges[1:] + 0.01 * voice
    return {"voice": voice, "edges": edges, "sigma": sigma}


def _floor(of: str) -> Callable[..., Any]:
    """The floor with one thing changed."""

    def floor(voice: Tensor, edges: Tensor, sigma: float) -> Tensor:
        away = edges - (0 * voice[:, None] if of == "no voice" else voice[:, None])
        below = torch.special.ndtr(away / (sigma**2 if of == "variance" else sigma))
        ends = below.new_zeros(len(voice), 1)
        p = torch.cat([ends, below, ends + 1], 1).diff(dim=1)
        if of == "no ends":
            p = p[:, 1:-1]
        if of == "density":
            middle = (away[:, 1:] + away[:, :-1]) / 2 / sigma
            p = torch.exp(-(middle**2) / 2) / math.sqrt(2 * math.pi) / sigma
        terms = -p * p.log() if of == "log of 0" else torch.special.entr(p)
        bits = terms.sum(1) / (1 if of == "nats" else math.log(2))
        return bits.mean().expand(len(voice)) if of == "mean" else bits

    return floor


FLOOR = Exercise(
    chapter=CHAPTER, tier=4, minutes=40,
    signature="noise_floor(voice, edges, sigma) -> bits",
    text="""A sample is voice_t plus Gaussian noise of deviation sigma, and then becomes a level: the number
of edges that lie below it. edges (E,) rise; so there are E + 1 levels, and the first and the last are open to
one side. Somebody knows voice (T,), edges and sigma exactly, but not the noise. Return for each t how many
bits the level is worth to them: the entropy of its distribution. No model can need fewer on average.""",
    worked=noise_floor,
    cases=_floor_case,
    count=5,
    axes={"voice": "T", "edges": "E", "return": "T"},
    right={
        "by torch.distributions": lambda voice, edges, sigma: torch.distributions.Categorical(
            torch.cat([0 * voice[:, None],
                       torch.distributions.Normal(voice[:, None], sigma).cdf(edges),
                       0 * voice[:, None] + 1], 1).diff(dim=1)).entropy() / math.log(2),
    },
    wrong={
        "nats": (
            _floor("nats"),
            "Your numbers are nats. A bit is ln 2 of a nat."),
        "the logarithm of a chance of 0": (
            _floor("log of 0"),
            "With little noise some levels have a chance of exactly 0, and 0 times its logarithm is not a "
            "number. Such a level adds 0 bits: take care of it before the logarithm."),
        "the open levels are left out": (
            _floor("no ends"),
            "You count the levels between two edges. Below the first and above the last there is one each."),
        "the density in place of the chance": (
            _floor("density"),
            "You read the bell curve at the middle of each level. The chance of a level is the area between "
            "its edges: a difference of two values of the distribution function."),
        "the variance in place of the deviation": (
            _floor("variance"),
            "You divide by the square of sigma. The distance is measured in deviations."),
        "the voice is left out": (
            _floor("no voice"),
            "Your bell curve stands at 0 at all times. It moves with the voice."),
        "one mean for all": (
            _floor("mean"),
            "You return the mean. Asked is one number for each t: loud samples are worth fewer bits."),
    },
    hints=(
        "`torch.special.ndtr(u)` is the chance that a standard Gaussian lies below u. What is u for an edge?",
        "The chance of a level is the difference of that at its two edges; beyond the ends it is 0 and 1.",
        "`torch.special.entr(p)` is -p log p in nats, and 0 where p is 0.",
    ),
    explain="why does a loud sample cost fewer bits than a quiet one, when the levels follow mu-law?",
    harder="parallel_scan",
)

EXERCISES = (FLOOR,)
