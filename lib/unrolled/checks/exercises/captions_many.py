"""Chapter 11, many right captions and what the picture is worth: consensus_caption, information_gain."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ...pairs import cross_entropy
from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from .captions import CHAPTER, captions_case


def consensus_caption(similarity: Float[Tensor, "K K"]) -> int:
    """Which of K captions is most like the others."""
    others = similarity.masked_fill(torch.eye(len(similarity), dtype=torch.bool), 0)
    return int(others.sum(1).argmax())  # all have K - 1 others, so the sum will do


def _consensus_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """Shared words of made-up captions: on the diagonal stands a caption's own length."""
    K = (3, 4, 6, 5)[i]
    tables = [
        [[4, 1, 3], [1, 9, 2], [3, 2, 5]],
        [[6, 5, 3, 0], [5, 3, 4, 1], [3, 4, 6.5, 0], [0, 1, 0, 2]],
    ]
    if i < 2:
        return {"similarity": torch.tensor(tables[i], dtype=torch.float64)}
    half = torch.rand(K, K, generator=g, dtype=torch.float64)
    return {"similarity": half + half.T + torch.diag(4 * torch.rand(K, generator=g, dtype=torch.float64))}


def _by_loop(similarity: Tensor) -> int:
    K = len(similarity)
    means = [sum(similarity[i, j].item() for j in range(K) if j != i) / (K - 1) for i in range(K)]
    return max(range(K), key=means.__getitem__)


CONSENSUS = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="consensus_caption(similarity) -> index",
    text="""K captions were sampled for one picture. similarity (K, K), symmetric, says how much two of them
have in common; on the diagonal stands how much a caption has in common with itself. Return the index of the
caption that on average has most in common with the others.""",
    worked=consensus_caption,
    cases=_consensus_case,
    axes={"similarity": "K K"},
    right={"by a loop": _by_loop},
    wrong={
        "itself included": (
            lambda similarity: int(similarity.sum(1).argmax()),
            "You count how much a caption has in common with itself. That favours long captions: leave the "
            "diagonal out."),
        "the longest": (
            lambda similarity: int(similarity.diagonal().argmax()),
            "You look at the diagonal only. It says how long a caption is, not what it shares with others."),
        "the odd one out": (
            lambda similarity: int((similarity.sum(1) - similarity.diagonal()).argmin()),
            "This is the caption that has least in common with the others: the odd one out."),
        "one of the closest pair": (
            lambda similarity: int((similarity - similarity.diag().diag()).amax(1).argmax()),
            "You look for the closest pair. Two captions that share a mistake would win: take the mean over "
            "all others."),
    },
    hints=(
        "Take the diagonal away first, for instance with `masked_fill` and `torch.eye`.",
        "Then one sum over each row, and `argmax`. All rows have equally many others.",
    ),
    explain="what does the consensus of many samples lose that a single sample has?",
    harder="information_gain",
)  # fmt: skip


def information_gain(
    seeing: Float[Tensor, "B T V"],
    blind: Float[Tensor, "B T V"],
    x: Int[Tensor, "B T"],
    lengths: Int[Tensor, "B"],
) -> Float[Tensor, ""]:
    """How many bits the picture saves on a caption, on average."""
    real = torch.arange(1, x.shape[1]) < lengths[:, None]
    saved = seeing.log_softmax(-1) - blind.log_softmax(-1)
    words = saved[:, :-1].gather(-1, x[:, 1:, None])[..., 0]
    return (words * real).sum() / len(x) / math.log(2)


def _library(seeing: Tensor, blind: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
    words = (lengths - 1).sum() / len(x)
    a, b = (cross_entropy(z[:, :-1], x[:, 1:], lengths - 1) for z in (blind, seeing))
    return (a - b) * words


def _gain_case(g: torch.Generator, i: int) -> dict[str, Any]:
    case = captions_case(g, i)
    blind = torch.randn(case["logits"].shape, generator=g, dtype=torch.float64)
    return {"seeing": 2 * case["logits"], "blind": blind, "x": case["x"], "lengths": case["lengths"]}


def _gain(of: str) -> Callable[..., Tensor]:
    """The gain with one thing changed."""

    def gain(seeing: Tensor, blind: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        if of == "logits":
            a, b = seeing, blind
        else:
            a, b = seeing.log_softmax(-1), blind.log_softmax(-1)
        at = lambda z: z[:, :-1].gather(-1, x[:, 1:, None])[..., 0]  # noqa: E731
        real = torch.arange(1, x.shape[1]) < lengths[:, None]
        if of == "end":
            real = torch.arange(1, x.shape[1]) < lengths[:, None] - 1
        other = torch.ones_like(real) if of == "masks" else real
        bits = ((at(a) * real).sum() - (at(b) * other).sum()) / len(x) / math.log(2)
        if of == "filling":
            return (at(a) - at(b)).sum() / len(x) / math.log(2)
        if of == "word":
            return bits * len(x) / real.sum()
        return {"sign": -bits, "nats": bits * math.log(2)}.get(of, bits)

    return gain


GAIN = Exercise(
    chapter=CHAPTER, tier=3, minutes=20,
    signature="information_gain(seeing, blind, x, lengths) -> bits",
    text="""Two models have read the same captions x (B, T): one sees the picture, the other is blind.
Their logits are seeing and blind (B, T, V), and [:, t] scores x[:, t + 1]. Row b of x ends after lengths[b]
symbols. Return how many bits the picture saves on a caption: the blind model's surprise less the seeing
one's, added up over the predicted symbols of a caption (the end too), and averaged over the captions.""",
    worked=information_gain,
    reference=_library,
    cases=_gain_case,
    axes={"seeing": "B T V", "blind": "B T V", "x": "B T", "lengths": "B", "return": ""},
    grads=("seeing", "blind"),
    right={"as one sum": _gain("")},
    wrong={
        "the sign": (
            _gain("sign"),
            "Yours is negative where the picture helps. Gain is what the blind one pays in excess."),
        "in nats": (
            _gain("nats"), "This is in nats. A bit is ln 2 nats: divide by math.log(2)."),
        "per word": (
            _gain("word"), "You give bits per symbol. Asked is the saving on a caption: add up first."),
        "two masks": (
            _gain("masks"),
            "You count the filling for one of the models and not for the other. Compare the same symbols."),
        "the filling counts": (
            _gain("filling"),
            "You add up over the filling too. What either model says after the end means nothing."),
        "the end is left out": (
            _gain("end"), "You leave out the end of the caption. It is predicted as well, so it counts."),
        "logits are subtracted": (
            _gain("logits"),
            "You subtract logits as if they were log-probabilities. Each needs its own log_softmax."),
    },
    hints=(
        "The surprise of the true symbol under either model is a `gather` of its log-probabilities.",
        "Subtract symbol by symbol, then mask, add up over a caption, and average over captions.",
    ),
    explain="what would a gain of 0 bits on the first word say, and what a negative one?",
)  # fmt: skip

EXERCISES = (CONSENSUS, GAIN)
