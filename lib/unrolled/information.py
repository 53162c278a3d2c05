"""How much a row of symbols surprises, and what its order is worth (lecture S1; Shannon, 1948)."""

import torch

from .shapes import Int, Tensor


def entropy(x: Int[Tensor, "*rows N"]) -> float:
    """How unsure a guess is, in bits, that knows only how often each symbol of x occurs.

    Several rows stand for one row of columns: `entropy(torch.stack([a, b]))` is that of the pairs.
    """
    _, counts = x.unique(dim=-1, return_counts=True)
    p = counts.double() / counts.sum()
    return float(-(p * p.log2()).sum())


def bits_saved(x: Int[Tensor, "N"]) -> float:
    """What the element before tells about the next one: H(x_t) + H(x_{t-1}) - H(x_{t-1}, x_t), in bits."""
    if len(x) < 2:
        return 0.0
    pairs = torch.stack([x[:-1], x[1:]])
    return entropy(x[1:]) + entropy(x[:-1]) - entropy(pairs)
