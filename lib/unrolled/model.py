"""The one interface of the book, and the loss that all its models share.

Every model, n-gram and transformer alike, is called in the same way:

    logits, state = model(x, state=None)

and obeys one law: *reading a sequence whole or in pieces gives the same logits.*
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from .shapes import Float, Int, Tensor

State = Any  # whatever a model keeps of the past: None, a tensor, or a tuple of tensors


class SequenceModel(nn.Module):
    """A model that reads from left to right.

    `logits, state = model(x, state)` where

    - x (B, T) holds what is read now, as token ids;
    - logits (B, T, V): `logits[:, t]` scores the next token, `x[:, t + 1]`;
    - state is all that the model keeps of the past; None means that nothing was read yet.

    The law: reading x whole or in pieces gives the same logits. From it follow causality (a piece
    cannot see what it was not given), correct caches, truncated back-propagation, and generation:
    one call with T = all trains, the same call with T = 1 writes.
    """

    vocab_size: int

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Score the element after each of x; return the logits and the state after reading x."""
        raise NotImplementedError


class Core(nn.Module):
    """The lecture's f (its row D1): turns what was read into vectors h, and knows nothing of symbols.

    `h, state = core(a, state)` where

    - a (B, T, D) holds one vector per element, D = `core.inputs`: an embedding, a feature, an observation;
    - h (B, T, H), H = `core.hidden`: `h[:, t]` sums up a[:, : t + 1] and all that the state holds;
    - state is as in SequenceModel, and the same law holds: whole or in pieces gives the same h.

    Rooms that need a recurrent part (a decoder, a policy) take a core as an argument, whichever it is.
    """

    inputs: int
    hidden: int

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T H"], State]:
        """Read a; return h after each of its elements, and the state after the last."""
        raise NotImplementedError


class CoreModel(SequenceModel):
    """A language model around any core: symbols to vectors, the core (f), vectors to logits (g)."""

    def __init__(self, vocab_size: int, core: Core):
        super().__init__()
        if vocab_size < 1:
            raise ValueError(f"vocab_size is {vocab_size}: it must be at least 1")
        self.vocab_size, self.core = vocab_size, core
        self.embed = nn.Embedding(vocab_size, core.inputs)
        self.W_y = nn.Linear(core.hidden, vocab_size)

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the token after each of x, and the core's state."""
        check_tokens(x, self.vocab_size)
        h, state = self.core(self.embed(x), state)
        return self.W_y(h), state


def check_tokens(x: Tensor, vocab_size: int) -> None:
    """Raise a ValueError that says what is wrong, unless x holds ids 0 to vocab_size - 1 of shape (B, T).

    The range is looked at on the CPU only: on a GPU the look would cost a wait at every step.
    """
    if not isinstance(x, Tensor):
        raise ValueError(f"x is a {type(x).__name__}: pass a tensor of whole numbers of shape (B, T)")
    if x.is_floating_point() or x.dtype == torch.bool or x.ndim != 2:
        raise ValueError(f"x is {x.dtype} of shape {tuple(x.shape)}: pass whole numbers of shape (B, T)")
    if x.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"x is {x.dtype}, which no table can be asked with: call x.long()")
    if x.device.type != "cpu" or not x.numel():
        return
    low, high = (int(end) for end in x.aminmax())
    if low < 0 or high >= vocab_size:
        raise ValueError(f"x holds ids from {low} to {high}: this model knows 0 to {vocab_size - 1}")


def check_state(state: State, kind: type, rows: int) -> None:
    """Raise a ValueError unless the state is None or of this kind, each of its tensors with so many rows.

    A state of one row would fit any batch by broadcasting: all rows would go on with the same past.
    """
    if state is not None and not isinstance(state, kind):
        raise ValueError(f"state is a {type(state).__name__}: expected a {kind.__name__} as this model "
                         "returns it, or None")
    for part in tree_leaves(state):
        if isinstance(part, Tensor) and part.ndim and len(part) != rows:
            raise ValueError(f"state was made for {len(part)} rows: x has {rows}")


def nll(model: SequenceModel, x: Int[Tensor, "B T"], state: State = None) -> Float[Tensor, ""]:
    """The mean surprise of x[:, 1:], in bits per token; x[:, 0] is given.

    This is the lecture's loss (the cross-entropy of each next element, its row R4), divided by the number
    of elements and by ln 2, so that models of one corpus can be compared by eye.
    """
    if x.shape[1] < 2 or not len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}: it takes a row, a token to read, one to predict")
    logits, _ = model(x[:, :-1], state)
    return F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()) / math.log(2)


@contextmanager
def reading(model: nn.Module) -> Iterator[None]:
    """`with reading(model):` uses the model as it is, without dropout; afterwards each part is as it was."""
    was = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in was:
            part.training = training


def device_of(model: nn.Module) -> torch.device:
    """Where the model's numbers are; the CPU for a model that has none."""
    return next(chain(model.parameters(), model.buffers(), [torch.empty(0)])).device


def in_float64(t: Tensor) -> Tensor:
    """t in float64, where it is; on the CPU where its device has no such numbers (Apple's has none)."""
    return (t.cpu() if t.device.type == "mps" else t).double()


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def detach(state: State) -> State:
    """The same state, cut off from the graph: the next piece will not send gradients into the last one."""
    if isinstance(state, torch.Tensor):
        return state.detach()
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(detach(s) for s in state))
    if isinstance(state, list | tuple):
        return type(state)(detach(s) for s in state)
    return state


def take_rows(state: State, rows: Int[Tensor, "R"], batch: int) -> State:
    """The state of these rows of the batch, in this order: a row may stand there twice, or not at all.

    So a search follows several continuations of one beginning, and rows that are finished leave. `batch` is
    the number of rows that the state has now. A tensor has the rows as its first axis; None, a whole number
    and a tensor without axes (such as a position) belong to all rows. ValueError for anything else.
    """

    def take(part: Any) -> Any:
        if part is None or isinstance(part, int) or (isinstance(part, Tensor) and part.ndim == 0):
            return part
        if isinstance(part, Tensor) and len(part) == batch:
            return part.index_select(0, rows.to(part.device))
        found = f"a tensor of shape {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__
        raise ValueError(f"state holds {found}: expected tensors whose first axis is the batch of {batch}")

    return tree_map(take, state)
