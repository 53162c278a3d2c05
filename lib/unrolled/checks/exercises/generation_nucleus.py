"""Chapter 8, the likeliest symbols: nucleus."""

from collections.abc import Callable
from typing import Any

import torch

from ...generate import keep_top_p
from ...shapes import Float, Tensor
from ..exercise import Exercise
from .generation import CHAPTER


def nucleus(p: Float[Tensor, "V"], mass: float) -> Float[Tensor, "V"]:
    """p on the smallest set of likeliest symbols that holds `mass` or more, 0 elsewhere, summing to 1."""
    order = p.argsort(descending=True)
    before = p[order].cumsum(0) - p[order]  # the mass of all likelier ones
    kept = order[before < mass]  # back in the order of the symbols, because `order` holds their ids
    q = torch.zeros_like(p)
    q[kept] = p[kept]
    return q / q.sum()


def _library(p: Tensor, mass: float) -> Tensor:
    return keep_top_p(p.log()[None], mass)[0].softmax(-1)


def _nucleus_case(g: torch.Generator, i: int) -> dict[str, Any]:
    V, mass = [(4, 0.6), (6, 0.9), (5, 0.3), (8, 0.75), (4, 0.75)][i]
    p = torch.randn(V, generator=g, dtype=torch.float64).mul(1.5).softmax(-1)
    if i == 4:  # two of them hold the mass exactly
        p = torch.tensor([4, 8, 1, 3], dtype=torch.float64)[torch.randperm(V, generator=g)] / 16
    return {"p": p[p.argsort().roll(1)] if 0 < i < 4 else p, "mass": mass}


def _keep(of: str) -> Callable[..., Any]:
    """The nucleus with one thing changed."""

    def filtered(p: Tensor, mass: float) -> Tensor:
        order = p.argsort(descending=of != "tail")
        sums = p[order].cumsum(0)
        before = sums - p[order]
        stays = {"drops": sums <= mass, "one more": before <= mass}.get(of, before < mass)
        if of == "threshold":
            kept = (p >= (1 - mass) * p.max()).nonzero()[:, 0]
        elif of == "unsorted":
            kept = stays.nonzero()[:, 0]
        else:
            kept = order[stays]
        q = torch.zeros_like(p)
        q[kept] = p[kept]
        return {"raw": q, "even": (q > 0) / (q > 0).sum().to(p)}.get(of, q / q.sum())

    return filtered


NUCLEUS = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="nucleus(p, mass) -> q",
    text="""p (V,) is the distribution of the next symbol. Sort the symbols from the likeliest down, and keep
the smallest number of them that together have `mass` or more. Return q (V,): the symbols keep their places,
what is left out gets 0, and the rest sums to 1 again in the same proportions. `mass` lies between 0 and
1.""",
    worked=nucleus,
    reference=_library,
    cases=_nucleus_case,
    count=5,
    axes={"p": "V", "return": "V"},
    right={"one by one": _keep(""), "the library's, on logits": _library},
    wrong={
        "the one that crosses is left out": (
            _keep("drops"),
            "Your set stops short of the mass. The symbol with which the sum reaches it belongs to the set; "
            "without it a very likely first symbol leaves you with none at all."),
        "one more where the mass is reached exactly": (
            _keep("one more"),
            "Your set has one symbol too many where the sum is exactly the mass. It holds `mass` or more "
            "already: look at your comparison sign."),
        "the sum is not 1": (
            _keep("raw"),
            "The right symbols stay, with their old probabilities. What was left out has to be shared among "
            "them: divide by what is left."),
        "all that stay are alike": (
            _keep("even"),
            "The right symbols stay, and you make them equally likely. They keep their proportions."),
        "a threshold for each symbol": (
            _keep("threshold"),
            "You compare each symbol with the likeliest: that is min-p. Here the running sum decides."),
        "the tail stays": (
            _keep("tail"),
            "You keep what should go, from the least likely symbol up. Sort the other way round."),
        "the places are those of the sorted list": (
            _keep("unsorted"),
            "You keep the first places of p, as if p were sorted. `argsort` tells you which symbol stands "
            "at each place of the sorted list."),
    },
    hints=(
        "`p.argsort(descending=True)` holds the ids from the likeliest down; `cumsum` adds up along it.",
        "A symbol stays if all symbols before it, without itself, have less than the mass.",
        "Put what stays into a vector of zeros at its old place, and divide by the sum.",
    ),
    explain="why does one symbol always stay, even for a tiny mass?",
    harder="beam_search",
)

EXERCISES = (NUCLEUS,)
