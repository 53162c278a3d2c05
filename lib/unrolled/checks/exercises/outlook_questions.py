"""Chapter 15, asking and choosing: training_cost, choose_a_model, linear_probe."""

from collections.abc import Callable
from typing import Any

import torch

from ...probe import probe
from ...shapes import Bool, Float, Tensor
from ..exercise import Exercise
from ..question import Question
from .outlook import CHAPTER

COST = Question(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="training_cost(number)",
    text="""A network has N = 100,000 weights, and each is used once for every symbol. It is trained on D =
2,000,000 symbols. A use of a weight forward is a multiplication and an addition; on the way back every use
costs twice as much, since the gradient of the weight and that of its input are both computed. How many
multiplications and additions does the training take?""",
    answer=lambda: 6 * 100_000 * 2_000_000,
    way="N, D = 100_000, 2_000_000\n(2 + 4) * N * D  # forward 2 for each weight and symbol, back 4",
    wrong={
        "forward only": (4e11, "This is what reading costs: 2 N D. In training there is a way back."),
        "the way back is counted once": (
            8e11, "You let the way back cost as much as the way forward. Two gradients are computed there."),
        "one operation a weight": (
            6e11, "You count a weight's use as one operation. It is a multiplication and an addition."),
        "one operation in all": (2e11, "N D counts the uses. What does each of them cost?"),
        "for one symbol": (6e5, "This is the cost of one symbol. There are D of them."),
    },
    hints=("What does one weight cost for one symbol, forward?", "And back? Add both, times N, times D."),
    explain="why does the length of the context not appear here? For which model of the book should it?",
    rtol=1e-6,
)

_MODELS = {
    "5-gram": "it keeps four symbols, and nothing further back can count.",
    "RNN": "its state has a fixed size, and nothing in it says how far back it may reach.",
    "GRU": "its state has a fixed size, and an open gate keeps for as long as it is open.",
    "WaveNet": "it keeps as many inputs as its taps reach back, and no more.",
    "transformer": "it keeps a key and a value for every element that was read.",
    "linear recurrence": "its state has a fixed size, and a gate near 1 keeps for long.",
}
_RIGHT = {"RNN", "GRU", "linear recurrence"}

CHOOSE = Question(
    chapter=CHAPTER, tier=2, minutes=8,
    signature="choose_a_model({...})",
    text="""A small device listens for days. Its memory is fixed, and something that was said at any distance
may matter: the model must be able, in principle, to let it count. Which models come into question? Hand over
the set of their names: '5-gram', 'RNN', 'GRU', 'WaveNet', 'transformer' (which keeps all its keys),
'linear recurrence'.""",
    answer=lambda: _RIGHT,
    way="# a state of fixed size, and no end to what may reach it\n{'RNN', 'GRU', 'linear recurrence'}",
    options=_MODELS,
    wrong={
        "the transformer too": (_RIGHT | {"transformer"},
            "It can look at any distance because it keeps everything. After days the device is full."),
        "WaveNet too": (_RIGHT | {"WaveNet"},
            "Its memory is fixed, and so is its reach: what lies beyond its widest tap cannot count."),
        "the 5-gram too": (_RIGHT | {"5-gram"},
            "Its memory is fixed, and so is its reach: four symbols."),
        "the plain network is left out": (_RIGHT - {"RNN"},
            "In practice it forgets, and hardly learns not to. Asked is what it can do in principle: its "
            "state may carry something for ever."),
        "only what also trains in parallel": ({"linear recurrence"},
            "This one also trains in parallel over time, which is a good reason to prefer it. The question "
            "asks for less."),
        "everything with a long memory": (_RIGHT | {"WaveNet", "transformer"},
            "Two of these pay for it with a memory that grows, or with an end to what they reach."),
    },
    hints=("For each model: how many numbers does it keep after a million symbols?",
           "And is there a distance beyond which nothing can count, whatever the weights?"),
    explain="which of the three would you train first, and why?",
)


def linear_probe(h: Float[Tensor, "N H"], y: Bool[Tensor, "N"]) -> tuple[Float[Tensor, "H"], Tensor]:
    """w and b for which w . h + b comes closest to +1 where y is True and to -1 where it is False."""
    target = torch.where(y, 1.0, -1.0).to(h)
    ones = torch.cat([h, torch.ones_like(h[:, :1])], 1)  # a last column for b
    solution = torch.linalg.lstsq(ones, target[:, None]).solution[:, 0]
    return solution[:-1], solution[-1]


def _library(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return tuple(probe(h, y, ridge=0))


def _solve(h: Tensor, target: Tensor) -> Tensor:
    return torch.linalg.lstsq(h, target[:, None].to(h)).solution[:, 0]


def _wrong(of: str) -> Callable[..., Any]:
    """The right answer with one thing changed."""

    def wrong(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        target = y.to(h) if of == "0 and 1" else 2 * y.to(h) - 1
        ones = torch.cat([h, torch.ones_like(h[:, :1])], 1)
        if of == "no b":
            return _solve(h, target), torch.zeros_like(h[0, 0])
        if of == "means":
            w = h[y].mean(0) - h[~y].mean(0)
            return w, -(h.mean(0) @ w)
        if of == "centred":
            return _solve(h - h.mean(0), target - target.mean()), target.mean()
        both = _solve(ones, -target if of == "sign" else target)
        return both[:-1], both[-1]

    return wrong


def _probe_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, H = [(6, 1), (9, 2), (14, 3), (20, 4)][i]
    h = 0.5 + torch.randn(N, H, generator=g, dtype=torch.float64)
    y = torch.rand(N, generator=g) < 0.6
    y[:2] = torch.tensor([True, False])
    return {"h": h, "y": y}


PROBE = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="linear_probe(h, y) -> w, b",
    text="""h (N, H) holds N states of a network, y (N,) says of each whether something was true. Fit a
linear probe by least squares: w (H,) and a number b for which w . h + b comes as close as possible to +1
where y is True and to -1 where it is False. Return w and b.""",
    worked=linear_probe,
    reference=_library,
    cases=_probe_case,
    axes={"h": "N H", "y": "N", "return": "H, "},
    right={"the library's, by normal equations": _library},
    wrong={
        "there is no b": (
            _wrong("no b"),
            "Your plane goes through the origin. States are rarely centred there, so it needs a b."),
        "the targets are 0 and 1": (
            _wrong("0 and 1"),
            "You fit 0 for False, so the reading is compared with 1/2 and not with 0. Asked are +1 and -1."),
        "the difference of the means": (
            _wrong("means"),
            "You take the direction from one mean to the other. It ignores that some units move together."),
        "b is not moved back": (
            _wrong("centred"),
            "You took the means off first, which is fine for w. Your b belongs to the centred states."),
        "the sign is turned round": (
            _wrong("sign"),
            "Your probe says no where it should say yes."),
    },
    hints=(
        "Turn y into numbers first: +1 and -1.",
        "A column of ones beside h makes b one more weight. `torch.linalg.lstsq` does the rest.",
    ),
    explain="a probe that finds something has shown that it is there. What has it not shown?",
    harder="linear_attention",
)

EXERCISES = (COST, PROBE, CHOOSE)
