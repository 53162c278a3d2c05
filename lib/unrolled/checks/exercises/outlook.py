"""Chapter 15, what came after: ssm_two_ways, linear_attention."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...shapes import Float, Tensor
from ..exercise import Exercise

CHAPTER = "15_then_now_next"


def ssm_two_ways(
    A: Float[Tensor, "H H"], B: Float[Tensor, "H"], C: Float[Tensor, "H"], x: Float[Tensor, "T"]
) -> tuple[Float[Tensor, "T"], Float[Tensor, "T"]]:
    """The kernel of h_t = A h_{t-1} + B x_t, y_t = C . h_t, and y by convolution with it."""
    T, power, kernel = len(x), B, []
    for _ in range(T):
        kernel.append(C @ power)  # what an input of k steps ago adds to the output
        power = A @ power
    K = torch.stack(kernel)
    y = [K[: t + 1].flip(0) @ x[: t + 1] for t in range(T)]  # the newest input meets K_0
    return K, torch.stack(y)


def _by_recurrence(A: Tensor, B: Tensor, C: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """An impulse gives the kernel; the recurrence itself gives y."""

    def run(line: Tensor) -> Tensor:
        h, out = torch.zeros_like(B), []
        for value in line:
            h = A @ h + B * value
            out.append(C @ h)
        return torch.stack(out)

    impulse = torch.zeros_like(x)
    impulse[0] = 1
    return run(impulse), run(x)


def _ssm(of: str) -> Callable[..., Any]:
    """The right answer with one thing changed."""

    def wrong(A: Tensor, B: Tensor, C: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        if of == "late":
            K, _ = ssm_two_ways(A, A @ B, C, x)
        else:
            K, _ = ssm_two_ways(A.T if of == "transposed" else A, B, C, x)
        T = len(x)
        if of == "circular":
            return K, torch.fft.irfft(torch.fft.rfft(K) * torch.fft.rfft(x), n=T)
        if of == "future":
            return K, torch.stack([K[: T - t] @ x[t:] for t in range(T)])
        if of == "not flipped":
            return K, torch.stack([K[: t + 1] @ x[: t + 1] for t in range(T)])
        return K, torch.stack([K[: t + 1].flip(0) @ x[: t + 1] for t in range(T)])

    return wrong


def _ssm_case(g: torch.Generator, i: int) -> dict[str, Any]:
    H, T = [(2, 3), (3, 5), (2, 6), (4, 4)][i]
    draw = lambda *s: torch.randn(*s, generator=g, dtype=torch.float64)  # noqa: E731
    return {"A": 0.7 * draw(H, H), "B": draw(H), "C": draw(H), "x": draw(T)}


TWO_WAYS = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="ssm_two_ways(A, B, C, x) -> K, y",
    text="""A linear recurrence reads one number at a time: h_t = A h_{t-1} + B x_t, y_t = C . h_t, with h = 0
before the first. A (H, H), B and C (H,), x (T,). Without a squashing function, y_t is a sum over all inputs
so far, each times a number that depends on its age alone. Return these numbers K (T,), K[k] for the age k,
and the outputs y (T,).""",
    worked=ssm_two_ways,
    cases=_ssm_case,
    axes={"A": "H H", "B": "H", "C": "H", "x": "T", "return": "T, T"},
    right={"an impulse, and the recurrence": _by_recurrence},
    wrong={
        "the kernel begins one step late": (
            _ssm("late"),
            "Your K[0] is C A B. The newest input has not been through A yet: it adds C B."),
        "the convolution wraps around": (
            _ssm("circular"),
            "With Fourier transforms of length T the end of x comes round to the beginning. Pad both with "
            "zeros to twice the length."),
        "it looks ahead": (
            _ssm("future"),
            "Your y_t is made of x_t and what comes after it. It is a correlation, and it knows the future."),
        "the kernel is not turned round": (
            _ssm("not flipped"),
            "You multiply K[k] with x[k]. The newest input has the age 0, and the oldest the age t."),
        "A is transposed": (
            _ssm("transposed"),
            "You use the transpose of A, as if h were a row. Here h is a column: A @ h."),
    },
    hints=(
        "Write out y_0, y_1 and y_2 by hand. Which powers of A stand between C and B?",
        "Keep a vector that begins as B and goes through A once for each step of age.",
        "y_t pairs the age k with the input x_{t-k}: one of the two lists has to be read backwards.",
    ),
    explain="what stands in K if all eigenvalues of A are smaller than 1? And if one is larger?",
)


def linear_attention(
    q: Float[Tensor, "T K"], k: Float[Tensor, "T K"], v: Float[Tensor, "T D"]
) -> Float[Tensor, "T D"]:
    """Causal attention with elu + 1 in place of the softmax, as a recurrence with a state of fixed size."""
    q, k = F.elu(q) + 1, F.elu(k) + 1  # positive, so that the weights are shares
    S, z, out = q.new_zeros(q.shape[1], v.shape[1]), q.new_zeros(q.shape[1]), []
    for q_t, k_t, v_t in zip(q, k, v):
        S, z = S + k_t[:, None] * v_t, z + k_t  # all that is kept of the past
        out.append(q_t @ S / (q_t @ z))
    return torch.stack(out)


def _linear(of: str) -> Callable[..., Any]:
    """All scores at once, with one thing changed."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bend = {"identity": lambda t: t, "relu": lambda t: t.relu() + 1e-6}.get(of, lambda t: F.elu(t) + 1)
        scores = bend(q) @ bend(k).T
        if of == "softmax":
            scores = (q @ k.T).exp()
        if of != "not causal":
            scores = scores.tril(-1 if of == "not itself" else 0)
        if of == "not itself":
            scores[0, 0] = 1
        return scores @ v if of == "no normaliser" else scores / scores.sum(1, keepdim=True) @ v

    return attend


def _attention_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T, K, D = [(2, 1, 2), (3, 2, 4), (5, 3, 2), (4, 4, 4)][i]
    draw = lambda n: torch.randn(T, n, generator=g, dtype=torch.float64)  # noqa: E731
    return {"q": draw(K), "k": draw(K), "v": draw(D)}


LINEAR = Exercise(
    chapter=CHAPTER, tier=3, minutes=30,
    signature="linear_attention(q, k, v) -> y",
    text="""Replace the softmax of causal attention by a product of positive features, phi(t) = elu(t) + 1:
y_t is the mean of v_1 ... v_t, each weighted by phi(q_t) . phi(k_s). q, k (T, K), v (T, D), y (T, D). Because
the sums can be pulled apart, it can be computed step by step with a state of K D + K numbers, however long
the past. Write it so.""",
    worked=linear_attention,
    cases=_attention_case,
    axes={"q": "T K", "k": "T K", "v": "T D", "return": "T D"},
    grads=("q", "k", "v"),
    right={"all scores at once": _linear("")},
    wrong={
        "not divided by the sum": (
            _linear("no normaliser"),
            "Your weights do not sum to 1, so y grows with the length. Keep the sum of phi(k_s) too."),
        "it knows the future": (
            _linear("not causal"),
            "Each of your y_t is a mean over all v. Only those up to t have been read."),
        "phi is left out": (
            _linear("identity"),
            "Your weights are q . k itself, which can be negative. phi makes them positive."),
        "it leaves itself out": (
            _linear("not itself"),
            "Your y_t ends with v_{t-1}. The newest element counts as well: add it before you read."),
        "the softmax is still there": (
            _linear("softmax"),
            "This is attention with exp, as in chapter 14. Exp of a product cannot be pulled apart into a "
            "part of q and a part of k; phi . phi can."),
        "relu in place of elu + 1": (
            _linear("relu"),
            "Your features are 0 for negative numbers. Those of elu + 1 are small there, and never 0."),
    },
    hints=(
        "The numerator is a sum over s of (phi(q_t) . phi(k_s)) v_s. Which part of it does not depend on t?",
        "S is the sum of the outer products of phi(k_s) and v_s: (K, D). z is the sum of phi(k_s): (K,).",
        "First add the new element to S and z, then ask with phi(q_t).",
    ),
    explain="a transformer keeps T keys, this keeps K D numbers. What can it no longer do?",
    harder="ssm_two_ways",
)

EXERCISES = (LINEAR, TWO_WAYS)
