"""Chapter 4, training: lm_loss, stream_batches."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...shapes import Bool, Float, Int, Tensor
from ..exercise import Exercise
from ..properties import demand
from ..trial import Trial

CHAPTER = "04_rnn"


def lm_loss(
    logits: Float[Tensor, "B T V"], x: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Mean bits per predicted token: logits[:, t] scores x[:, t + 1], where mask[:, t + 1] is True."""
    logp = torch.log_softmax(logits[:, :-1], -1)  # (B, T - 1, V): the last place predicts nothing we have
    surprise = -logp.gather(-1, x[:, 1:, None])[..., 0]  # (B, T - 1) in nats
    return surprise[mask[:, 1:]].mean() / math.log(2)


def _loss_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, V = [(2, 4, 3), (3, 6, 4), (4, 6, 5), (2, 9, 7)][i]  # T - 1 = V in two of them
    lengths = torch.randint(2, T, (B,), generator=g)
    lengths[0] = T
    return {
        "logits": torch.randn(B, T, V, generator=g, dtype=torch.float64),
        "x": torch.randint(0, V, (B, T), generator=g),
        "mask": torch.arange(T) < lengths[:, None],
    }


def _surprise(logits: Tensor, x: Tensor) -> Tensor:
    """Bits for each place of x but the first, (B, T - 1)."""
    p = logits[:, :-1].log_softmax(-1)
    return -p.gather(-1, x[:, 1:, None])[..., 0] / math.log(2)


def _classes_last(logits: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    bits = F.cross_entropy(logits[:, :-1], x[:, 1:], reduction="none") / math.log(2)
    return bits[mask[:, 1:]].mean()


def _by_cross_entropy(logits: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    y = torch.where(mask[:, 1:], x[:, 1:], -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), y.flatten()) / math.log(2)


def _padding_is_mute(trial: Trial) -> bool:
    logits, mask = trial.case["logits"], trial.case["mask"]
    unread = ~torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)  # places that predict no real token
    changed = trial.call(logits=torch.where(unread[..., None], logits.roll(1, 2) + 1, logits))
    return abs(float(changed) - float(trial.got)) < 1e-9


LOSS = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="lm_loss(logits, x, mask) -> bits",
    text="""A model has read x (B, T) and returned logits (B, T, V), where logits[:, t] scores the next
token, x[:, t + 1]. mask (B, T) is True where x holds a token and False on padding, which is on the right.
Return the mean surprise in bits per token, over all tokens that are predicted: the first of each row is
given.""",
    worked=lm_loss,
    cases=_loss_case,
    axes={"logits": "B T V", "x": "B T", "mask": "B T"},
    grads=("logits",),
    properties=(
        demand("what is scored on padding changes nothing", _padding_is_mute,
               "the loss changes with logits that predict no token of any sequence"),
    ),
    right={"cross_entropy, flattened": _by_cross_entropy,
           "sum over count": lambda logits, x, mask: (
               _surprise(logits, x) * mask[:, 1:]).sum() / mask[:, 1:].sum()},
    wrong={
        "cross_entropy takes time for the classes": (
            _classes_last,
            "`F.cross_entropy` expects the classes on axis 1, and found time there. Where T - 1 and V differ "
            "that is an error; where they are equal it is a wrong number without a word. Move the axes, or "
            "flatten B and T."),
        "padding counts in the mean": (
            lambda logits, x, mask: (_surprise(logits, x) * mask[:, 1:]).mean(),
            "The sum is right; it is divided by all places, padding included. The more padding, the better "
            "the model looks. How many tokens were predicted?"),
        "the mean of the sentences' means": (
            lambda logits, x, mask: ((_surprise(logits, x) * mask[:, 1:]).sum(1) / mask[:, 1:].sum(1)).mean(),
            "Each sequence counts the same in your mean, however short. Per token means that each token "
            "does."),
        "the targets are not moved": (
            lambda logits, x, mask: (
                -logits.log_softmax(-1).gather(-1, x[..., None])[..., 0])[mask].mean() / math.log(2),
            "You score x[:, t] with logits[:, t], which were made after reading x[:, t]: a model can look "
            "the answer up. logits[:, t] are about the token that comes next."),
        "nats": (
            lambda logits, x, mask: lm_loss(logits, x, mask) * math.log(2),
            "The number is right in nats. The book counts in bits."),
        "the mask is one place off": (
            lambda logits, x, mask: _surprise(logits, x)[mask[:, :-1]].mean(),
            "You take the mask of the token that was read. It has to be that of the token which is "
            "predicted: at the end of a short sequence, the next token is padding."),
        "the mask is not used": (
            lambda logits, x, mask: _surprise(logits, x).mean(),
            "You average over all places, padding as well. The mask says which predicted tokens are real."),
    },
    hints=(
        "Line up what predicts with what is predicted: T places are read, T - 1 of them have a next token "
        "here.",
        "Three tensors have to be cut: logits loses its last place, x and mask lose their first.",
        "Surprise is -log p of the token that came, picked with `gather`; nats become bits by / math.log(2).",
    ),
    explain="a loss of 0.0 on the first batch: which of the mistakes above would you suspect?",
    harder="stream_batches",
)


def stream_batches(x: Int[Tensor, "N"], B: int, T: int) -> tuple[Int[Tensor, "K B T"], Int[Tensor, "K B T"]]:
    """K batches of B rows: row b of batch k + 1 goes on where row b of batch k ended."""
    length = (len(x) - 1) // B // T * T  # what each row reads: a whole number of pieces
    rows, nexts = x[: B * length].view(B, length), x[1 : B * length + 1].view(B, length)
    return tuple(r.view(B, -1, T).transpose(0, 1) for r in (rows, nexts))  # (B, K, T) -> (K, B, T)


def _stream_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, B, T = [(13, 2, 3), (26, 2, 4), (40, 3, 4), (60, 3, 5)][i]  # at last, one element short
    return {"x": torch.arange(N) + 100, "B": B, "T": T}


def _loop_stream(x: Tensor, B: int, T: int) -> tuple[Tensor, Tensor]:
    K = (len(x) - 1) // B // T
    starts = [[b * K * T + k * T for b in range(B)] for k in range(K)]
    pieces = [[[x[s + o : s + o + T] for s in row] for row in starts] for o in (0, 1)]
    return tuple(torch.stack([torch.stack(row) for row in part]) for part in pieces)


def _cut(x: Tensor, B: int, T: int, view: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, Tensor]:
    """Batches from another way, `view(row, K)`, of laying out the first K * B * T elements."""
    K = (len(x) - 1) // B // T
    return view(x[: K * B * T], K), view(x[1 : K * B * T + 1], K)


def _goes_on(trial: Trial) -> bool:
    X, Y = trial.got
    return torch.equal(X[1:, :, 0], Y[:-1, :, -1])


def _in_text_order(trial: Trial) -> bool:
    X, Y = trial.got
    return torch.equal(X[..., 1:], X[..., :-1] + 1) and torch.equal(Y, X + 1)


STREAM = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="stream_batches(x, B, T) -> X, Y",
    text="""To train with a carried state, the batches have to go on where the last ones ended. x (N,) is
one long text. Cut it into B rows of equal length that follow each other in the text, and cut these into
pieces of T. Return X and Y of shape (K, B, T): X[k, b] is piece k of row b, and Y[k, b] holds the next
token for each place of X[k, b].

K is the largest number for which x has K * B * T elements and one more. What is left over at the end is
dropped.""",
    worked=stream_batches,
    cases=_stream_case,
    axes={"x": "N", "return": "K B T, K B T"},
    properties=(
        demand("each piece is a run of the text, and its targets come next", _in_text_order,
               "x counts up by 1 here, so each row of X should count up by 1, and Y should be X + 1"),
        demand("each row goes on in the next batch", _goes_on,
               "X[k + 1, b, 0] should be Y[k, b, -1], for all k and b"),
    ),
    right={"a loop": _loop_stream},
    wrong={
        "neighbours side by side": (
            lambda x, B, T: _cut(x, B, T, lambda r, K: r.view(K, B, T)),
            "Row 1 of your batch goes on where row 0 ended, so in the next batch no row finds its own state: "
            "the state of row 0 is handed to another part of the text. Which axis should be cut first, rows "
            "or pieces?"),
        "time and rows mixed up": (
            lambda x, B, T: _cut(x, B, T, lambda r, K: r.view(K, T, B).transpose(1, 2)),
            "Your rows jump through the text: neighbours in a row are B apart. A `view` fills the last axis "
            "first, so cut the text into rows before you turn axes."),
        "the windows are shuffled": (
            lambda x, B, T: tuple(r[torch.randperm(len(r))] for r in stream_batches(x, B, T)),
            "Shuffled batches are right for a model that starts afresh each time. A carried state belongs to "
            "the text that came before, and to no other."),
        "the targets wrap round": (
            lambda x, B, T: (stream_batches(x, B, T)[0], stream_batches(x, B, T)[0].roll(-1, 2)),
            "The last target of each piece is its own first token. Take the targets from x, one place on, "
            "before you cut it into pieces."),
        "the targets are the inputs": (
            lambda x, B, T: (stream_batches(x, B, T)[0],) * 2,
            "X and Y are equal: the model would learn to repeat what it reads. Y is the same text, one place "
            "on."),
        "pieces that overlap by one": (
            lambda x, B, T: tuple(_overlapping(x, B, T)),
            "Each of your pieces begins with the last element of the piece before. With a carried state that "
            "element is read twice. X[k + 1] begins with what Y[k] ended on."),
    },
    hints=(
        "Lay the text out as B long rows first, (B, K * T). The pieces come afterwards.",
        "For the targets do the same with x from place 1 on. The two layouts then agree place by place.",
        "From (B, K * T) to (B, K, T) is a `view`; from there to (K, B, T) two axes change places.",
    ),
    explain="what would a model learn if its state were carried over to the wrong row?",
    harder="parallel_scan",
)


def _overlapping(x: Tensor, B: int, T: int) -> list[Tensor]:
    K = (len(x) - 1) // B // T
    starts = torch.arange(B)[None, :] * K * T + torch.arange(K)[:, None] * (T - 1)
    return [x[starts[..., None] + torch.arange(T) + o] for o in (0, 1)]


EXERCISES = (LOSS, STREAM)
