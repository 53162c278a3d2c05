"""Chapter 4, the recurrent network and its size: rnn_forward, rnn_param_count."""

from collections.abc import Callable
from typing import Any

import torch

from ...rnn import unroll
from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..gradients import way_back
from ..heat import Picture
from ..properties import demand
from ..question import Question
from ..trial import Property, Trial

CHAPTER = "04_rnn"


def rnn_forward(
    x: Float[Tensor, "B T D"],
    h0: Float[Tensor, "B H"],
    W_x: Float[Tensor, "H D"],
    W_h: Float[Tensor, "H H"],
    b: Float[Tensor, "H"],
) -> Float[Tensor, "B T H"]:
    """All states h_1 ... h_T of a recurrent network: h_t = tanh(W_x x_t + W_h h_{t-1} + b)."""
    h, states = h0, []
    for x_t in x.unbind(1):  # (B, D), one time step after the other
        h = torch.tanh(x_t @ W_x.T + h @ W_h.T + b)  # rows are examples: W h is h @ W.T
        states.append(h)
    return torch.stack(states, 1)


def _library_rnn(x: Tensor, h0: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor) -> Tensor:
    return unroll(h0, x @ W_x.T + b, W_h)


def _rnn_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, D, H = [(2, 3, 1, 2), (2, 5, 3, 4), (3, 4, 2, 5), (5, 5, 5, 5)][i]  # at last, all sizes alike
    shapes = {"x": (B, T, D), "h0": (B, H), "W_x": (H, D), "W_h": (H, H), "b": (H,)}
    return {k: torch.randn(s, generator=g, dtype=torch.float64) for k, s in shapes.items()}


def _variant(of: str) -> Callable[..., Tensor]:
    """The recurrent network with one thing changed."""

    def forward(x: Tensor, h0: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor) -> Tensor:
        h, states = h0, []
        for x_t in x.flip(1).unbind(1) if of == "backwards" else x.unbind(1):
            before = {"reset": h0, "detach": h.detach()}.get(of, h)
            by_x, by_h = x_t @ W_x.T, before @ (W_h if of == "transposed" else W_h.T)
            if of == "inside":
                h = torch.tanh(by_x) + torch.tanh(by_h) + b
            else:
                squash = {"linear": lambda a: a, "sigmoid": torch.sigmoid}.get(of, torch.tanh)
                h = squash(by_x + by_h + b)
            states.append(before if of == "late" else h)
        return states[-1] if of == "last" else torch.stack(states, 0 if of == "time first" else 1)

    return forward


def _causal(trial: Trial) -> bool:
    t = trial.case["x"].shape[1] - 2
    x = trial.case["x"].clone()
    x[:, t + 1 :] += 1
    return torch.allclose(trial.call(x=x)[:, : t + 1], trial.got[:, : t + 1])


def _long_gradient(trial: Trial) -> str | None:
    x = trial.case["x"].clone().requires_grad_()
    last = trial.call(x=x)[:, -1]
    g = way_back(last.sum(), [x])[0] if last.requires_grad else None
    if g is None or not g[:, 0].any():
        return "no gradient goes from the last state back to the first input: where is the graph cut?"
    return None


FORWARD = Exercise(
    chapter=CHAPTER, tier=1, minutes=15,
    signature="rnn_forward(x, h0, W_x, W_h, b) -> states",
    text="""x (B, T, D) holds B sequences of T vectors; h0 (B, H) is the state before them. W_x (H, D),
W_h (H, H) and b (H,) are the parameters. Return all states h_1 ... h_T, of shape (B, T, H), where

h_t = tanh(W_x x_t + W_h h_{t-1} + b).""",
    worked=rnn_forward,
    reference=_library_rnn,
    cases=_rnn_case,
    axes={"x": "B T D", "h0": "B H", "W_x": "H D", "W_h": "H H", "b": "H", "return": "B T H"},
    grads=("x", "h0", "W_x", "W_h", "b"),
    picture=Picture(lambda h: h[0].T, "hidden units", "time"),
    properties=(
        demand("the future does not change the past", _causal,
               "changing the last input changed an earlier state"),
        Property("a gradient goes from the last state to the first input", _long_gradient),
    ),
    right={
        "torch.nn.RNN": lambda x, h0, W_x, W_h, b: torch.func.functional_call(
            torch.nn.RNN(x.shape[2], len(b), batch_first=True, dtype=x.dtype),
            {"weight_ih_l0": W_x, "weight_hh_l0": W_h, "bias_ih_l0": b, "bias_hh_l0": 0 * b},
            (x, h0[None]))[0],
        "one matrix for both": lambda x, h0, W_x, W_h, b: (lambda M, h: torch.stack(
            [h := torch.tanh(torch.cat([x_t, h], 1) @ M.T + b) for x_t in x.unbind(1)], 1))(
                torch.cat([W_x, W_h], 1), h0),
    },
    wrong={
        "the state is not carried on": (
            _variant("reset"),
            "Each of your steps starts from h0, so a state knows its own input and nothing older. Which h "
            "belongs on the right side of step t?"),
        "no tanh": (
            _variant("linear"),
            "Nothing bends: your states are a linear function of the inputs, and they can grow without "
            "bound. The equation has a function around the whole sum."),
        "W_h is not transposed": (
            _variant("transposed"),
            "You compute h @ W_h, which is W_h.T applied to h. W_h is square, so that no error tells you. "
            "With examples as rows, W h is written h @ W.T: compare with what you do to W_x."),
        "a sigmoid instead of tanh": (
            _variant("sigmoid"),
            "All your states lie between 0 and 1. The lecture's update has tanh, which is centred at 0."),
        "tanh of each part": (
            _variant("inside"),
            "You squash the parts and add them afterwards. Then they cannot cancel each other before the "
            "bend, and the states leave the range from -1 to 1. Look where the bracket closes."),
        "the last state alone": (
            _variant("last"),
            "You return h_T. A prediction is made at every place, so all T states are needed: collect them."),
        "time comes first": (
            _variant("time first"),
            "Your states are right and stacked along axis 0, which gives (T, B, H). The batch comes first in "
            "this book."),
        "the sequence is read backwards": (
            _variant("backwards"),
            "Your first state has read the last input. Look at the order in which you go through time."),
        "the states are one step late": (
            _variant("late"),
            "Your first state is h0, and the last one is missing: you keep the state before the update. "
            "h_t has read x_t."),
        "the graph is cut at every step": (
            _variant("detach"),
            "All numbers are right, and nothing can be learned across time: a gradient stops at the step it "
            "came from. Look for `.detach()`, `.data` or a copy of the state."),
    },
    hints=(
        "A loop over time, one variable h, and a list that collects the states. What is h before the first "
        "step?",
        "`x[:, t]` is (B, D). To get (B, H) from it, W_x has to be turned: with rows as examples W x becomes "
        "x @ W.T.",
        "`torch.stack(states, axis)` makes one tensor of T states of shape (B, H). On which axis should time "
        "be?",
    ),
    explain="why is it the same W_h at every step, and what would go wrong with a W_h for each step?",
    harder="parallel_scan",
)


COUNT = Question(
    chapter=CHAPTER, tier=1, minutes=3,
    signature="rnn_param_count(number)",
    text="""How many numbers does h_t = tanh(W_x x_t + W_h h_{t-1} + b) learn, with inputs of D = 2
numbers, a state of H = 4, and sequences of T = 10 steps?""",
    answer=lambda: 4 * 2 + 4 * 4 + 4,
    way="D, H = 2, 4\nH * D + H * H + H  # W_x, W_h and b; the same ones at every step",
    accepted={
        4 * 2 + 4 * 4 + 2 * 4: "This is what torch.nn.RNN has: two biases, one for the input and one for the "
        "state. The equation has one."},
    wrong={
        "one set for each step": (280,
            "You have counted ten networks. The unrolled picture has ten boxes, and they share their "
            "weights."),
        "the recurrent matrix is forgotten": (12,
            "W_x and b are there. What leads from the old state to the new one?"),
        "the bias is forgotten": (24,
            "Both matrices are counted. One more parameter stands in the equation."),
        "the states are counted": (28 + 40,
            "States are computed, not learned. Count W_x, W_h and b."),
    },
    hints=(
        "Write the shapes of W_x, W_h and b, and multiply each out.",
        "What is in the equation that has no T in its shape?",
    ),
    explain="an LSTM of the same width has four times as many. Where could the four come from?",
    rtol=1e-9,
)

EXERCISES = (FORWARD, COUNT)
