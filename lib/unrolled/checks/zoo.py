"""A small zoo of encoders, on which the checkers that learners write in chapter 3 are judged.

An encoder reads x (T, D) and returns a vector h: the lecture's f. Each animal here is clear-cut: what a
checker should say of it is known. All of them compute in float64.
"""

from collections.abc import Callable

import torch
from torch import nn

from ..shapes import Float, Tensor

D, H = 3, 4


class Encoder(nn.Module):
    """An encoder: `label` says in words what it does, `read(x, *weights)` does it with learned weights."""

    def __init__(self, label: str, read: Callable[..., Tensor], *weights: Tensor):
        super().__init__()
        self.label, self.read = label, read
        self.weights = nn.ParameterList(weights)

    def forward(self, x: Float[Tensor, "T D"]) -> Tensor:
        """The vector h for x; an encoder that cannot take this length raises ValueError."""
        return self.read(x, *self.weights)


def matrix(seed: int, *shape: int) -> Tensor:
    """Fixed random weights, of about unit length in each row."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64) / shape[-1] ** 0.5


def add_up(x: Tensor) -> Tensor:
    """The sum of all elements, one after the other."""
    total = torch.zeros_like(x[0])
    for row in x:
        total = total + row
    return total


def recur(x: Tensor, W_x: Tensor, W_h: Tensor) -> Tensor:
    """The last state of a recurrent network."""
    h = x.new_zeros(len(W_h))
    for row in x:
        h = torch.tanh(W_x @ row + W_h @ h)
    return h


def average(x: Tensor, keep: float) -> Tensor:
    """A running average: `keep` of what was there, and the rest from the new element."""
    h = torch.zeros_like(x[0])
    for row in x:
        h = keep * h + (1 - keep) * row
    return h


def last(x: Tensor, n: int) -> Tensor:
    """The last n elements side by side; ValueError where there are fewer."""
    if len(x) < n:
        raise ValueError(f"this encoder needs {n} elements and got {len(x)}")
    return x[-n:].flatten()


def only(x: Tensor, allowed: bool) -> Tensor:
    """x, where its length is allowed; else ValueError."""
    if not allowed:
        raise ValueError(f"this encoder cannot take {len(x)} elements")
    return x


def padded(x: Tensor, n: int) -> Tensor:
    """The last n elements side by side, zeros before them where there are fewer; the rest is cut silently."""
    return torch.cat([x.new_zeros(n, x.shape[1]), x])[-n:].flatten()


def rnn(scale: float = 1.0) -> Encoder:
    """A recurrent network whose matrix is a rotation times `scale`."""
    rotation = torch.linalg.qr(matrix(2, H, H))[0] * scale
    return Encoder("a recurrent network", recur, 0.3 * matrix(1, H, D), rotation)


def bag() -> Encoder:
    """Everything added up, then one linear layer."""
    label = "a bag (the sum of all elements, and a linear layer)"
    return Encoder(label, lambda x, W: W @ add_up(x), matrix(3, H, D))
