"""Chapter 5, cut short and run forward: truncated_bptt, rtrl_step."""

from collections.abc import Callable
from typing import Any

import torch

from ...bptt import dW_recursion, explicit, jacobians
from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..properties import demand
from ..trial import Trial
from .bptt import CHAPTER, run_case


def truncated_bptt(
    g: Float[Tensor, "B T H"], h: Float[Tensor, "B T1 H"], W_h: Float[Tensor, "H H"], k: int
) -> Float[Tensor, "H H"]:
    """dL/dW_h where the loss of each step is heard at k steps only, its own and k - 1 before it."""
    T, dW_h = g.shape[1], 0
    for t in range(T):
        delta = g[:, t]
        for j in range(t, max(t - k, -1), -1):  # k steps, or as many as there are
            da = delta * (1 - h[:, j + 1] ** 2)
            dW_h = dW_h + da.T @ h[:, j]
            delta = da @ W_h
    return dW_h


def _cut_case(g: torch.Generator, i: int) -> dict[str, Any]:
    (B, T, H), k = [((1, 3, 2), 2), ((2, 5, 3), 2), ((2, 6, 2), 4), ((3, 7, 3), 3)][i]
    case = run_case(g, (B, T, 1, H))
    return {"g": case["g"], "h": case["h"], "W_h": case["W_h"], "k": k}


def _by_products(g: Tensor, h: Tensor, W_h: Tensor, k: int) -> Tensor:
    J, dW = jacobians(W_h, h), 0
    for t in range(g.shape[1]):
        message = g[:, t]
        for j in range(t, max(t - k, -1), -1):
            dW = dW + torch.einsum("bi,bikl->kl", message, explicit(h[:, j + 1], h[:, j]))
            message = torch.einsum("bi,bij->bj", message, J[:, j])
    return dW


def _pieces(g: Tensor, h: Tensor, W_h: Tensor, k: int) -> Tensor:
    T = g.shape[1]
    starts = range(0, T, k)
    return sum(truncated_bptt(g[:, s : s + k], h[:, s : s + k + 1], W_h, k) for s in starts)


def _empty_past(g: Tensor, h: Tensor, W_h: Tensor, k: int) -> Tensor:
    T, dW = g.shape[1], 0
    for t in range(T):
        first = max(0, t - k + 1)
        past = torch.cat([torch.zeros_like(h[:, :1]), h[:, first + 1 : t + 2]], 1)
        own = torch.zeros_like(g[:, first : t + 1])
        own[:, -1] = g[:, t]
        dW = dW + truncated_bptt(own, past, W_h, k)
    return dW


def _all_heard(trial: Trial) -> bool:
    T = trial.case["g"].shape[1]
    J = jacobians(trial.case["W_h"], trial.case["h"])
    whole = dW_recursion(trial.case["g"], J, trial.case["h"], trial.case["h"][:, :-1])
    return torch.allclose(trial.call(k=T + 3), whole)


CUT = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="truncated_bptt(g, h, W_h, k) -> dW_h",
    text="""g (B, T, H) holds the gradient of each step's own loss with respect to its state, h (B, T + 1, H)
the states with h_0 first, and g[:, t] is for h[:, t + 1]. Each loss sends its message back through k steps
at most: the loss of step t is heard at the steps t, t - 1, ..., t - k + 1. Return the gradient for W_h (H,
H). With k = 1 only the explicit part is left, with k = T (or more) the whole gradient.""",
    worked=truncated_bptt,
    cases=_cut_case,
    axes={"g": "B T H", "h": "B T1 H", "W_h": "H H", "return": "H H"},
    properties=(
        demand("with k as long as the text it is the whole gradient", _all_heard,
               "with k = T + 3 your gradient is not the whole one"),
    ),
    right={"by products of Jacobians": _by_products},
    wrong={
        "one step too many": (
            lambda g, h, W_h, k: truncated_bptt(g, h, W_h, k + 1),
            "Each loss is heard at k + 1 steps. Its own step is one of the k."),
        "nothing is cut": (
            lambda g, h, W_h, k: truncated_bptt(g, h, W_h, g.shape[1]),
            "This is the whole gradient. Where does k end the way back?"),
        "one step too few": (
            lambda g, h, W_h, k: truncated_bptt(g, h, W_h, k - 1) if k > 1 else 0 * W_h,
            "Each loss is heard at k - 1 steps. Count again: t, t - 1, ..., t - k + 1."),
        "cut into pieces": (
            _pieces,
            "You cut the text into pieces of k steps and go back within each. Then the first loss of a piece "
            "is heard once and the last k times; here every loss has its own k steps."),
        "the state before the cut is taken as zero": (
            _empty_past,
            "Truncation cuts the message, not the state. The network did start from the state at the cut, "
            "so W_h was multiplied with that one and not with zeros."),
        "the explicit part alone": (
            lambda g, h, W_h, k: truncated_bptt(g, h, W_h, 1),
            "Every message ends at its own step. k says how many steps hear it."),
    },
    hints=(
        "Two loops: one over the losses, one that follows the message of one loss back.",
        "What stops the inner loop: k steps, or the beginning of the text?",
    ),
    explain="libraries cut into pieces instead. Which of the losses get a worse gradient that way?",
    harder="rtrl_step",
)


def rtrl_step(
    S: Float[Tensor, "B H H H"],
    h: Float[Tensor, "B H"],
    h_prev: Float[Tensor, "B H"],
    W_h: Float[Tensor, "H H"],
) -> Float[Tensor, "B H H H"]:
    """One step of real-time recurrent learning: dh_t/dW_h from dh_{t-1}/dW_h (Williams and Zipser, 1989)."""
    inside = torch.einsum("il,bljk->bijk", W_h, S)  # through h_prev
    direct = torch.einsum("ij,bk->bijk", torch.eye(len(W_h)).to(h), h_prev)  # row i of W_h only
    return (1 - h**2)[:, :, None, None] * (inside + direct)


def _library_step(S: Tensor, h: Tensor, h_prev: Tensor, W_h: Tensor) -> Tensor:
    J = jacobians(W_h, torch.stack([h_prev, h], 1))[:, 0]
    return explicit(h, h_prev) + torch.einsum("bij,bjkl->bikl", J, S)


def _rtrl_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, H = [(1, 2), (2, 3), (3, 2), (3, 3)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    h_prev, W_h = draw(B, H).tanh(), draw(H, H)
    h = (h_prev @ W_h.T + draw(B, H)).tanh()
    return {"S": draw(B, H, H, H), "h": h, "h_prev": h_prev, "W_h": W_h}


def _changed(of: str) -> Callable[..., Tensor]:
    """The step with one thing changed."""

    def step(S: Tensor, h: Tensor, h_prev: Tensor, W_h: Tensor) -> Tensor:
        inside = torch.einsum("li,bljk->bijk" if of == "transposed" else "il,bljk->bijk", W_h, S)
        letter = "ik,bj->bijk" if of == "turned" else "ij,bk->bijk"
        direct = torch.einsum(letter, torch.eye(len(W_h)).to(h), h if of == "new state" else h_prev)
        slope = (1 - (h_prev if of == "old slope" else h) ** 2)[:, :, None, None]
        if of == "inside only":
            return slope * inside
        if of == "direct only":
            return slope * direct
        return inside + slope * direct if of == "half" else slope * (inside + direct)

    return step


FORWARD = Exercise(
    chapter=CHAPTER, tier=4, minutes=30,
    signature="rtrl_step(S, h, h_prev, W_h) -> S_new",
    text="""S (B, H, H, H) holds dh_prev/dW_h: S[b, i, j, k] is the derivative of the i-th number of h_prev
with respect to W_h[j, k]. h (B, H) = tanh(W_h h_prev + (what came in)). Return the same for h: one step of
the recursion dh_t/dW_h = (explicit part) + (dh_t/dh_{t-1}) dh_{t-1}/dW_h.""",
    worked=rtrl_step,
    reference=_library_step,
    cases=_rtrl_case,
    axes={"S": "B H H H", "h": "B H", "h_prev": "B H", "W_h": "H H", "return": "B H H H"},
    right={"row by row": _changed("")},
    wrong={
        "the explicit part is missing": (
            _changed("inside only"),
            "You pass on what the past knew, and forget that W_h was used in this step as well."),
        "the past is dropped": (
            _changed("direct only"),
            "This is the explicit part alone: S has no part in it. h_prev depends on W_h too."),
        "W_h is transposed": (
            _changed("transposed"),
            "A change of the l-th number of h_prev changes the i-th sum by W_h[i, l]. You use W_h[l, i]."),
        "the slope is taken at the old state": (
            _changed("old slope"),
            "You use 1 - h_prev^2. The tanh of this step has made h."),
        "the new state in the explicit part": (
            _changed("new state"),
            "W_h was multiplied with h_prev. You have put h there."),
        "rows and columns are swapped": (
            _changed("turned"),
            "W_h[j, k] multiplies the k-th number of h_prev and changes the j-th sum. You have it the other "
            "way round."),
        "the past goes around the tanh": (
            _changed("half"),
            "The explicit part is bent and the rest is not. Both are inside the same tanh."),
    },
    hints=(
        "The i-th sum inside the tanh is a_i = sum over l of W_h[i, l] h_prev[l]. Differentiate it for "
        "W_h[j, k]: there are two ways.",
        "Directly: only if i = j, and then it is h_prev[k]. Through h_prev: the sum over l of W_h[i, l] "
        "times S[l, j, k].",
        "`torch.einsum` writes such sums as they stand on paper.",
    ),
    explain="how many numbers does S hold for H = 500, and how long may the text be?",
)

EXERCISES = (CUT, FORWARD)
