"""The one interface of the book, and the loss that all its models share.

Every model, n-gram and transformer alike, is called in the same way:

    logits, state = model(x, state=None)

and obeys one law: *reading a sequence whole or in pieces gives the same logits.*
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

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


def nll(model: SequenceModel, x: Int[Tensor, "B T"], state: State = None) -> Float[Tensor, ""]:
    """The mean surprise of x[:, 1:], in bits per token; x[:, 0] is given.

    This is the lecture's loss (the cross-entropy of each next element, its row R4), divided by the number
    of elements and by ln 2, so that models of one corpus can be compared by eye.
    """
    if x.shape[1] < 2:
        raise ValueError(f"x is {x.shape[1]} long: it takes one token to read, one to predict")
    logits, _ = model(x[:, :-1], state)
    return F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()) / math.log(2)


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
