"""Chapter 5, gradients by hand: tanh_step_backward, state_bytes, bptt_grads."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..question import Question

CHAPTER = "05_bptt"


def tanh_step_backward(
    dh: Float[Tensor, "B H"],
    h: Float[Tensor, "B H"],
    h_prev: Float[Tensor, "B H"],
    W_h: Float[Tensor, "H H"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "H H"], Float[Tensor, "B H"]]:
    """The gradients of one step h = tanh(W_h h_prev + ...): for the sum inside, for W_h, for h_prev."""
    da = dh * (1 - h**2)  # the slope of tanh, from its value
    dW_h = da.T @ h_prev  # a = h_prev @ W_h.T, summed over the examples
    return da, dW_h, da @ W_h


def _step_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, H = [(2, 3), (3, 2), (1, 4), (4, 4)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    h_prev, W_h = draw(B, H).tanh(), draw(H, H)
    return {"dh": draw(B, H), "h": (h_prev @ W_h.T + draw(B, H)).tanh(), "h_prev": h_prev, "W_h": W_h}


def _slope(slope: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """The step with another slope of tanh."""

    def backward(dh: Tensor, h: Tensor, h_prev: Tensor, W_h: Tensor) -> tuple[Tensor, ...]:
        da = dh * slope(h, h_prev)
        return da, da.T @ h_prev, da @ W_h

    return backward


def _from_graph(dh: Tensor, h: Tensor, h_prev: Tensor, W_h: Tensor) -> tuple[Tensor, ...]:
    rest = torch.atanh(h) - h_prev @ W_h.T
    p, W = h_prev.clone().requires_grad_(), W_h.clone().requires_grad_()
    a = p @ W.T + rest
    return torch.autograd.grad((a.tanh() * dh).sum(), (a, W, p))


STEP = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="tanh_step_backward(dh, h, h_prev, W_h) -> da, dW_h, dh_prev",
    text="""A step has computed h = tanh(a) with a = W_h h_prev + (what came in), for B examples as rows. dh
(B, H) is the gradient of the loss with respect to h (B, H). Return the gradients with respect to a (B, H),
to W_h (H, H), summed over the examples, and to h_prev (B, H).""",
    worked=tanh_step_backward,
    cases=_step_case,
    axes={"dh": "B H", "h": "B H", "h_prev": "B H", "W_h": "H H", "return": "B H, H H, B H"},
    right={"autograd": _from_graph},
    wrong={
        "the slope of tanh at h, not from h": (
            _slope(lambda h, p: 1 - h.tanh() ** 2),
            "The slope is 1 - tanh(a)^2, and h is tanh(a) already: you squash it a second time."),
        "the slope is taken at the old state": (
            _slope(lambda h, p: 1 - p**2),
            "The tanh that you go back through has made h, not h_prev. Which of the two is its value?"),
        "no slope": (
            _slope(lambda h, p: torch.ones_like(h)),
            "Your da is dh. Going back through a tanh multiplies by its slope, which is between 0 and 1."),
        "the slope of a sigmoid": (
            _slope(lambda h, p: h * (1 - h)),
            "h (1 - h) is the slope of a sigmoid. For tanh it is 1 minus the square."),
        "W_h is transposed on the way back": (
            lambda dh, h, h_prev, W_h: (
                lambda da: (da, da.T @ h_prev, da @ W_h.T))(dh * (1 - h**2)),
            "On the way forward it was h_prev @ W_h.T. On the way back it is the other one; W_h is square, "
            "so no error tells you."),
        "the gradient of W_h is turned": (
            lambda dh, h, h_prev, W_h: (
                lambda da: (da, h_prev.T @ da, da @ W_h))(dh * (1 - h**2)),
            "Entry (i, j) of W_h leads from the j-th number of h_prev to the i-th of a. Which of the two "
            "belongs to the rows of dW_h?"),
        "the mean over the examples": (
            lambda dh, h, h_prev, W_h: (
                lambda da: (da, da.T @ h_prev / len(h), da @ W_h))(dh * (1 - h**2)),
            "You divide by the number of examples. The loss is a sum over them, and so is its gradient."),
    },
    hints=(
        "Go back through one operation at a time: first through the tanh, then through the product.",
        "With h = tanh(a), the slope is 1 - h**2: no need to know a.",
        "da is (B, H), h_prev is (B, H), and dW_h is (H, H): the batch has to be summed away.",
    ),
    explain="why is it handy that the slope of tanh can be had from its value?",
    harder="bptt_grads",
)

BYTES = Question(
    chapter=CHAPTER, tier=1, minutes=3,
    signature="state_bytes(number)",
    text="""A network with H = 512 numbers in its state reads B = 32 rows of T = 1,000 steps, in single
precision (4 bytes a number). How many megabytes (millions of bytes) are needed to keep all of its states
for the way back?""",
    answer=lambda: 32 * 1000 * 512 * 4 / 1e6,
    way="B, T, H = 32, 1000, 512\nB * T * H * 4 / 1e6",
    wrong={
        "the last state alone": (32 * 512 * 4 / 1e6,
            "This is one state for each row. Going back takes all T of them."),
        "one row alone": (1000 * 512 * 4 / 1e6,
            "This is for one row. There are 32 of them, each with states of its own."),
        "numbers, not bytes": (32 * 1000 * 512 / 1e6, "These are millions of numbers. Each takes 4 bytes."),
        "the weights": (512 * 512 * 4 / 1e6,
            "This is W_h. It is kept once, however long the text is. The states are what grows."),
    },
    hints=("How many numbers is one state? How many states are there?",
           "Every row has its own state at every step."),
    explain="what would truncation after 50 steps make of it?",
)


def bptt_grads(
    g: Float[Tensor, "B T H"],
    h: Float[Tensor, "B T1 H"],
    x: Float[Tensor, "B T D"],
    W_h: Float[Tensor, "H H"],
) -> tuple[Float[Tensor, "H H"], Float[Tensor, "H D"], Float[Tensor, "H"]]:
    """The gradients of a whole sequence for W_h, W_x and b, in one sweep from the end."""
    dW_h, dW_x, db, delta = 0, 0, 0, 0
    for t in reversed(range(x.shape[1])):
        da = (g[:, t] + delta) * (1 - h[:, t + 1] ** 2)  # its own loss, and all later ones
        dW_h, dW_x, db = dW_h + da.T @ h[:, t], dW_x + da.T @ x[:, t], db + da.sum(0)
        delta = da @ W_h
    return dW_h, dW_x, db


def run_case(generator: torch.Generator, sizes: tuple[int, int, int, int]) -> dict[str, Tensor]:
    """g, h, x and W_h of a network that has read x."""
    B, T, D, H = sizes
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    x, W_x, W_h, h = draw(B, T, D), draw(H, D), draw(H, H), [draw(B, H).tanh()]
    for x_t in x.unbind(1):
        h.append(torch.tanh(h[-1] @ W_h.T + x_t @ W_x.T))
    return {"g": draw(B, T, H), "h": torch.stack(h, 1), "x": x, "W_h": W_h}


def _grads_case(g: torch.Generator, i: int) -> dict[str, Any]:
    return run_case(g, [(1, 2, 1, 2), (2, 4, 3, 2), (3, 5, 2, 4), (4, 4, 4, 4)][i])


def _sweep(of: str) -> Callable[..., Any]:
    """The sweep with one thing changed."""

    def sweep(g: Tensor, h: Tensor, x: Tensor, W_h: Tensor) -> tuple[Tensor, ...]:
        T, delta, parts = x.shape[1], 0, []
        for t in reversed(range(T)):
            own = g[:, t] if of != "last loss" or t == T - 1 else 0
            slope = {"no slope": 1, "old slope": 1 - h[:, t] ** 2}.get(of, 1 - h[:, t + 1] ** 2)
            da = (own + delta) * slope
            parts.append((da.T @ h[:, t + (of == "new state")], da.T @ x[:, t], da.sum(0)))
            delta = 0 if of == "one step" else da @ (W_h.T if of == "transposed" else W_h)
        if of == "replaced":
            return parts[-1]
        scale = len(g) if of == "mean" else 1
        return tuple(sum(part) / scale for part in zip(*parts))

    return sweep


GRADS = Exercise(
    chapter=CHAPTER, tier=2, minutes=25,
    signature="bptt_grads(g, h, x, W_h) -> dW_h, dW_x, db",
    text="""A network has read x (B, T, D) by h_t = tanh(W_h h_{t-1} + W_x x_t + b). h (B, T + 1, H) holds its
states, the first of them h_0. g (B, T, H) holds the gradient of each step's own loss with respect to its
state: g[:, t] is for h[:, t + 1]. Return the gradients of the summed loss with respect to W_h (H, H), W_x
(H, D) and b (H,).""",
    worked=bptt_grads,
    cases=_grads_case,
    axes={"g": "B T H", "h": "B T1 H", "x": "B T D", "W_h": "H H", "return": "H H, H D, H"},
    right={"collected first": _sweep("")},
    wrong={
        "one step back only": (
            _sweep("one step"),
            "Each loss reaches the step that it belongs to, and none before it: this is the explicit part. "
            "What does delta pass on to the step before?"),
        "only the last loss counts": (
            _sweep("last loss"),
            "The message of the last loss travels all the way, and the losses of the other steps are never "
            "picked up. Each step adds its own g."),
        "no slope of tanh": (
            _sweep("no slope"),
            "Nothing bends on your way back. Each step multiplies by 1 - h_t^2."),
        "the slope is taken at the old state": (
            _sweep("old slope"),
            "You use 1 - h_{t-1}^2. The tanh of step t has made h_t."),
        "the new state in place of the old one": (
            _sweep("new state"),
            "W_h is multiplied with h_{t-1}, the state before the step. h[:, 0] is h_0, so h[:, t] stands "
            "before x[:, t]."),
        "only the first step is kept": (
            _sweep("replaced"),
            "You overwrite where you should add: the weights are the same at every step, and what each step "
            "says of them is summed up."),
        "W_h is transposed on the way back": (
            _sweep("transposed"),
            "Forward it was h @ W_h.T, so back it is da @ W_h. W_h is square, so no error tells you."),
        "the mean over the batch": (
            _sweep("mean"),
            "You divide by the number of rows. The loss is a sum over them, and so is its gradient."),
    },
    hints=(
        "One variable delta (B, H): what all later losses want of the state at which you stand. What is it "
        "behind the last step?",
        "At step t: the state hears its own loss and delta. Then back through the tanh, then to the three "
        "parameters, then through W_h to the state before.",
        "Index with care: x[:, t] and g[:, t] belong to h[:, t + 1], and the state before it is h[:, t].",
    ),
    explain="which part of this sweep would be missing if the loss were at the last step only?",
    harder="truncated_bptt",
)

EXERCISES = (STEP, BYTES, GRADS)
