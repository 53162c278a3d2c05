"""Chapter 12, layers and queues: gated_layer, queued_conv."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...shapes import Float, Tensor
from ...wavenet import gate, taps
from ..exercise import Exercise
from .wavenet import CHAPTER


def gated_layer(
    x: Float[Tensor, "B T D"],
    a: Float[Tensor, "B T A"],
    c: Float[Tensor, "B C"],
    V: Float[Tensor, "A C"],
    W_r: Float[Tensor, "D D"],
) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B T D"]]:
    """What the next layer reads, and what goes to the output: z = tanh(filter) sigmoid(gate), x + W_r z."""
    a = a + (c @ V.T)[:, None]  # the condition is the same at all times
    content, share = a.chunk(2, -1)
    z = content.tanh() * share.sigmoid()
    return x + z @ W_r.T, z


def _library_layer(x: Tensor, a: Tensor, c: Tensor, V: Tensor, W_r: Tensor) -> tuple[Tensor, Tensor]:
    z = gate(a + F.linear(c, V)[:, None])
    return x + F.linear(z, W_r), z


def _layer_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, D, C = [(1, 2, 1, 2), (2, 3, 4, 5), (4, 2, 3, 1), (3, 3, 3, 3)][i]
    shapes = {"x": (B, T, D), "a": (B, T, 2 * D), "c": (B, C), "V": (2 * D, C), "W_r": (D, D)}
    return {k: torch.randn(s, generator=g, dtype=torch.float64) for k, s in shapes.items()}


def _layer(of: str) -> Callable[..., Any]:
    """The layer with one thing changed."""

    def layer(x: Tensor, a: Tensor, c: Tensor, V: Tensor, W_r: Tensor) -> tuple[Tensor, Tensor]:
        added = (c @ V.T)[:, None].expand_as(a)
        left, right = added.chunk(2, -1)
        if of in ("after", "none"):
            added = 0 * added
        if of == "first":
            added = torch.cat([added[:, :1], 0 * added[:, 1:]], 1)
        if of == "filter only":
            added = torch.cat([left, 0 * right], -1)
        content, share = (a + added).chunk(2, -1)
        if of == "swapped":
            content, share = share, content
        z = (content.relu() if of == "relu" else content.tanh()) * share.sigmoid()
        z = z + left if of == "after" else z
        new = z @ W_r.T if of == "no residual" else x + z @ W_r.T
        return new, new if of == "late skip" else z

    return layer


LAYER = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="gated_layer(x, a, c, V, W_r) -> x_new, z",
    text="""x (B, T, D) is what a layer read, a (B, T, 2D) what its convolution made of it: D sums for the
filter, then D for the gate. c (B, C) is a condition for each row. Add V c, with V (2D, C), to a at all times;
let z = tanh(filter) sigmoid(gate); return x_new = x + W_r z, which the next layer reads, and z (B, T, D),
which goes to the output.""",
    worked=gated_layer,
    reference=_library_layer,
    cases=_layer_case,
    axes={"x": "B T D", "a": "B T A", "c": "B C", "V": "A C", "W_r": "D D", "return": "B T D, B T D"},
    grads=("x", "a", "c", "V", "W_r"),
    right={"with broadcasting": _layer("")},
    wrong={
        "filter and gate are swapped": (
            _layer("swapped"),
            "The first D sums are the filter and get the tanh; the other D are the gate."),
        "a relu in place of the tanh": (
            _layer("relu"),
            "Your filter is never negative. A wave swings both ways, and the tanh lets it."),
        "the condition reaches the filter only": (
            _layer("filter only"),
            "You add V c to the first half. The gate is told as well: a has 2D sums, and so has V c."),
        "the condition comes after the gate": (
            _layer("after"),
            "You add the condition to z. It belongs inside, so that it can open and shut the gate."),
        "the condition is left out": (
            _layer("none"),
            "c has no part in your answer: all voices would sound alike."),
        "the condition is told once": (
            _layer("first"),
            "You add V c at the first time only. It holds for the whole sound."),
        "no way around the layer": (
            _layer("no residual"),
            "Your next layer reads W_r z alone. x goes around the layer and is added."),
        "the output reads the sum": (
            _layer("late skip"),
            "You hand x_new to the output as well. What goes there is z, before the residual sum."),
    },
    hints=(
        "c @ V.T has the shape (B, 2D). To add it at every time it needs an axis for T in the middle.",
        "`chunk(2, -1)` gives filter and gate; one goes through a tanh, the other through a sigmoid.",
    ),
    explain="what does the next layer read when all gates are shut?",
    harder="queued_conv",
)


def queued_conv(
    x: Float[Tensor, "D"], queue: Float[Tensor, "P D"], W: Float[Tensor, "E K D"], d: int
) -> tuple[Float[Tensor, "E"], Float[Tensor, "P D"]]:
    """One output of a dilated convolution from its last inputs, and the queue for the next one."""
    line = torch.cat([queue, x[None]])  # the last (K - 1) d inputs, and the new one
    seen = line[::d]  # K of them, d apart, the oldest first
    return (W * seen).sum((1, 2)), line[1:]


def _by_taps(x: Tensor, queue: Tensor, W: Tensor, d: int) -> tuple[Tensor, Tensor]:
    seen, past = taps(x[None, None], queue[None], d)
    return W.flatten(1) @ seen[0, 0], past[0]


def _queue_case(g: torch.Generator, i: int) -> dict[str, Any]:
    D, E, K, d = [(1, 1, 2, 2), (2, 3, 3, 2), (3, 4, 2, 5), (3, 3, 3, 3)][i]
    draw = lambda *shape: torch.randn(shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {"x": draw(D), "queue": draw((K - 1) * d, D), "W": draw(E, K, D), "d": d}


def _queue(of: str) -> Callable[..., Any]:
    """The step with one thing changed."""

    def step(x: Tensor, queue: Tensor, W: Tensor, d: int) -> tuple[Tensor, Tensor]:
        line = torch.cat([queue, x[None]])
        moved = torch.cat([queue[1:], x[None]])
        seen = {
            "last": line[-W.shape[1] :],
            "first": line[: W.shape[1]],
            "flipped": line[::d].flip(0),
            "pushed": torch.cat([moved, x[None]])[::d],
        }.get(of, line[::d])
        kept = {"still": queue, "stack": torch.cat([x[None], queue[:-1]]), "long": line}.get(of, moved)
        return torch.einsum("ekd,kd->e", W, seen), kept

    return step


QUEUE = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="queued_conv(x, queue, W, d) -> y, queue_new",
    text="""A dilated convolution has W (E, K, D): a matrix for each of K taps that stand d apart, the oldest
first. queue (P, D) holds the last P = (K - 1) d inputs, the oldest first, and x (D,) is the new one. Return
the new output y (E,), and the queue as the next step needs it, of the same shape.""",
    worked=queued_conv,
    reference=_by_taps,
    cases=_queue_case,
    axes={"x": "D", "queue": "P D", "W": "E K D", "return": "E, P D"},
    grads=("x", "queue", "W"),
    right={"by einsum": _queue("")},
    wrong={
        "the last K inputs": (
            _queue("last"),
            "Your taps stand side by side. They are d apart: every d-th of the line, from the oldest on."),
        "the oldest K inputs": (
            _queue("first"),
            "You read the oldest inputs, side by side. The new one is the last tap, and it is not there."),
        "the taps are turned round": (
            _queue("flipped"),
            "W[:, 0] belongs to the oldest input, and your first tap reads the newest."),
        "pushed before it is read": (
            _queue("pushed"),
            "You drop the oldest input before you have read it. Read first, then let the queue move on."),
        "the queue stands still": (
            _queue("still"),
            "Your queue comes back as it was. The new input goes in at the end, and the oldest one leaves."),
        "a stack in place of a queue": (
            _queue("stack"),
            "You put the new input in front. The oldest stands first, so the new one goes to the end."),
        "the queue grows": (
            _queue("long"),
            "Your queue is one longer than before. If nothing leaves, each step costs more than the last."),
    },
    hints=(
        "Put the new input behind the queue: now you have a line of (K - 1) d + 1 inputs.",
        "Which of them do the taps read? The oldest, the newest, and every d-th between them.",
        "What the next step needs is that line without its oldest input.",
    ),
    explain="how many numbers do the queues of ten layers hold, with dilations 1 to 512, K = 2 and D = 24?",
    harder="noise_floor",
)

EXERCISES = (LAYER, QUEUE)
