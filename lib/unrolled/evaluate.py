"""How well a model knows a text: bits per token, and the gap to the best that is possible."""

import math
from typing import NamedTuple

import torch

from .model import SequenceModel, in_float64, reading
from .shapes import Int, Tensor


class Score(NamedTuple):
    """Bits per token over `tokens` predicted tokens; `floor` is the entropy where it is known.

    `window` names the protocol: None means that the state was carried through the whole text, a number
    that the model started afresh after so many predictions. Figures of two protocols do not compare.
    """

    bits: float
    tokens: int
    floor: float | None = None
    window: int | None = None

    @property
    def perplexity(self) -> float:
        """2 ** bits: the model is as unsure as a fair choice among so many symbols."""
        return 2.0**self.bits

    @property
    def gap(self) -> float | None:
        """Bits per token above the floor, or None where the floor is not known."""
        return None if self.floor is None else self.bits - self.floor

    def __repr__(self) -> str:
        gap = "" if self.floor is None else f"; floor {self.floor:.3f}, gap {self.gap:.3f}"
        protocol = "state carried" if self.window is None else f"windows of {self.window}"
        return (
            f"{self.bits:.3f} bits per token (perplexity {self.perplexity:.2f}{gap}; "
            f"{self.tokens:,} tokens, {protocol})"
        )


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    x: Int[Tensor, "N"],
    floor: float | int | None = None,
    window: int | None = None,
    chunk: int = 256,
) -> Score:
    """The mean surprise of x[1:] in bits per token; x[0] is given.

    The text is read `chunk` tokens at a time with carried state, so a long one needs little memory, and
    by the law the chunk changes nothing. With `window=256` the model forgets everything after each 256
    predictions, as many published figures do. `floor` is the text's entropy in the same unit, such as
    `stories.floor(text)`. Raises ValueError for a text of fewer than two tokens.
    """
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}: pass one text of two or more tokens, shape (N,)")
    if chunk < 1 or (window is not None and window < 1):
        raise ValueError(f"chunk is {chunk} and window is {window}: both count tokens, at least 1")
    with reading(model):
        total = sum(_surprise(model, rows, chunk) for rows in _rows(x, window))
    return Score(total / (len(x) - 1), len(x) - 1, floor, window)


def _rows(x: Int[Tensor, "N"], window: int | None) -> list[Int[Tensor, "_B _T"]]:
    """Batches of rows; each row gives its first token and is scored on the others, so rows overlap by one."""
    size = len(x) - 1 if window is None else min(window, len(x) - 1)
    rows = x.unfold(0, size + 1, size)
    rest = x[len(rows) * size :]
    return [*rows.split(32), rest[None]] if len(rest) > 1 else list(rows.split(32))


def _surprise(model: SequenceModel, rows: Int[Tensor, "B T"], chunk: int) -> float:
    """The bits of rows[:, 1:] in total, read in pieces."""
    total, state = 0.0, None
    for start in range(0, rows.shape[1] - 1, chunk):
        piece = rows[:, start : start + chunk + 1].long()
        logits, state = model(piece[:, :-1], state)
        log_p = in_float64(logits).log_softmax(-1)
        total -= log_p.gather(-1, piece[:, 1:, None].to(log_p.device)).sum().item()
    return total / math.log(2)
