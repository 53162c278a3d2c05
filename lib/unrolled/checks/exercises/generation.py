"""Chapter 8, one draw: apply_temperature, inverse_cdf."""

from typing import Any

import torch

from ...shapes import Float, Int, Tensor
from ..exercise import Exercise

CHAPTER = "08_generation"


def apply_temperature(logits: Float[Tensor, "V"], T: float) -> Float[Tensor, "V"]:
    """softmax(logits / T); at T = 0 all on the likeliest symbol, of equal ones the first."""
    if T == 0:
        return torch.eye(len(logits)).to(logits)[logits.argmax()]
    scaled = (logits - logits.max()) / T  # the largest is 0, so no exponential overflows
    return scaled.exp() / scaled.exp().sum()


def _temperature_case(g: torch.Generator, i: int) -> dict[str, Any]:
    V, T = [(3, 0.5), (5, 2.0), (4, 0.0), (6, 0.1)][i]
    logits = torch.randn(V, generator=g, dtype=torch.float64)
    if i == 2:
        logits[[1, 3]] = logits.max() + 1  # two are the likeliest
    return {"logits": 100 * logits if i == 3 else logits, "T": T}


def _even(logits: Tensor, T: float) -> Tensor:
    best = (logits == logits.max()).to(logits.dtype)
    return best / best.sum() if T == 0 else (logits / T).softmax(-1)


def _root(logits: Tensor, T: float) -> Tensor:
    return apply_temperature(logits, T) if T == 0 else logits.softmax(-1) / T / (logits.softmax(-1) / T).sum()


def _overflows(logits: Tensor, T: float) -> Tensor:
    return apply_temperature(logits, T) if T == 0 else (logits / T).exp() / (logits / T).exp().sum()


TEMPERATURE = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="apply_temperature(logits, T) -> p",
    text="""logits (V,) are the scores of the next symbol, T is 0 or more. Return the distribution (V,) from
which a sampler of temperature T draws: softmax(logits / T). At T = 0 all of it lies on the likeliest symbol,
of several equally likely ones on the first. Logits may be in the hundreds.""",
    worked=apply_temperature,
    cases=_temperature_case,
    axes={"logits": "V", "return": "V"},
    right={
        "softmax of the quotient": lambda logits, T: apply_temperature(logits, T) if T == 0
        else (logits / T).softmax(-1),
        "powers of the probabilities": lambda logits, T: apply_temperature(logits, T) if T == 0
        else (logits.log_softmax(-1) / T).softmax(-1),
    },
    wrong={
        "multiplied by T": (
            lambda logits, T: apply_temperature(logits, T) if T == 0 else (logits * T).softmax(-1),
            "Your hot distributions are the sharp ones. A temperature divides the logits: what is hot is "
            "flat."),
        "the probabilities are divided": (
            _root,
            "You divide the probabilities by T and make them sum to 1 again, and T cancels. It has to act "
            "before the exponential, on the logits."),
        "zero is divided by": (
            lambda logits, T: (logits / T).softmax(-1),
            "At T = 0 your answer is not a number. Nothing can be divided by 0: this case needs a line of "
            "its own."),
        "the likeliest ones share": (
            _even,
            "At T = 0 you let equally likely symbols share. That is the limit of the formula, and here the "
            "first of them takes all, as `argmax` does."),
        "the exponential overflows": (
            _overflows,
            "With large logits your exponentials become infinite. Take the largest logit off all of them "
            "first: the distribution stays the same."),
        "the scaled logits themselves": (
            lambda logits, T: apply_temperature(logits, T) if T == 0 else logits / T,
            "These are still logits. A distribution is positive and sums to 1: the softmax is missing."),
    },
    hints=(
        "The softmax of chapter 4 does nearly all of it. What do you hand to it?",
        "T = 0 is a case of its own: ask for it first, and return a vector with a single 1.",
    ),
    explain="which T makes every symbol equally likely, and which T leaves the model as it is?",
    harder="nucleus",
)


def inverse_cdf(p: Float[Tensor, "V"], u: Float[Tensor, "N"]) -> Int[Tensor, "N"]:
    """For each u the first symbol at which the running sum of p is larger than u."""
    edges = p.cumsum(0)  # symbol i owns the numbers from edges[i - 1] up to edges[i]
    return (u[:, None] >= edges).sum(1)


def _cdf_case(g: torch.Generator, i: int) -> dict[str, Tensor]:
    V, N = [(3, 4), (4, 6), (5, 7), (6, 6)][i]
    counts = torch.ones(V, dtype=torch.float64)
    for k in torch.randint(V, (16 - V,), generator=g).tolist():
        counts[k] += 1
    if i >= 2:
        counts[1] += counts[0]
        counts[0] = 0.0  # an impossible symbol, which u = 0 must not draw
    u = torch.randint(160, (N,), generator=g).double() / 160
    u[0], u[1] = 0.0, (counts.cumsum(0) / 16)[1]  # the first number, and one that lies on an edge
    u[2] = 159 / 160
    return {"p": counts / 16, "u": u % 1.0}


def _first(found: Tensor) -> Tensor:
    return found.long().argmax(-1)


SAMPLE = Exercise(
    chapter=CHAPTER, tier=1, minutes=15,
    signature="inverse_cdf(p, u) -> ids",
    text="""Drawing is measuring. Lay the probabilities p (V,) side by side on a ruler from 0 to 1: symbol 0
owns the piece from 0 up to p[0], symbol 1 the next piece, and so on. Each u (N,), from 0 up to but not
including 1, falls into one piece. Return the ids (N,) of their owners. An edge belongs to the piece that
begins there, and a symbol of probability 0 owns nothing. Use no random numbers of your own.""",
    worked=inverse_cdf,
    cases=_cdf_case,
    axes={"p": "V", "u": "N", "return": "N"},
    right={
        "searchsorted": lambda p, u: torch.searchsorted(p.cumsum(0), u, right=True),
        "one by one": lambda p, u: torch.tensor(
            [next(i for i in range(len(p)) if v < p[: i + 1].sum()) for v in u]),
    },
    wrong={
        "always the likeliest": (
            lambda p, u: p.argmax().expand(len(u)),
            "You never look at u: this is greedy writing. Where on the ruler does u fall?"),
        "the ruler is sorted and never sorted back": (
            lambda p, u: (u[:, None] >= p.sort(descending=True)[0].cumsum(0)).sum(1),
            "You sorted the probabilities first. That is allowed, if the ids are sorted with them. Here the "
            "pieces lie in the order of the symbols."),
        "one too far": (
            lambda p, u: ((u[:, None] >= p.cumsum(0)).sum(1) + 1).clamp(max=len(p) - 1),
            "Your ids are one too large. Symbol 0 owns the numbers below p[0]: how many edges lie at or "
            "below such a u?"),
        "u is compared with single probabilities": (
            lambda p, u: _first(p > u[:, None]),
            "You look for a symbol whose own probability is larger than u. What counts is where its piece "
            "ends on the ruler, and that is the running sum."),
        "an edge belongs to the piece before": (
            lambda p, u: torch.searchsorted(p.cumsum(0), u),
            "You are right except on the edges. An edge belongs to the piece that begins there; with yours, "
            "u = 0 can draw a symbol that is impossible."),
        "the ruler begins at the other end": (
            lambda p, u: len(p) - 1 - (u[:, None] >= p.flip(0).cumsum(0)).sum(1),
            "You have laid the pieces from the last symbol to the first. The draws are as good, and others."),
    },
    hints=(
        "The ends of the pieces are the running sum of p: `cumsum`.",
        "For one u, count the ends that it has reached or passed. What does the count tell you?",
        "`u[:, None]` makes a column, which can be compared with all ends at once.",
    ),
    explain="what happens where rounding makes the last edge a little smaller than 1?",
    harder="gumbel_top_k",
)


EXERCISES = (TEMPERATURE, SAMPLE)
