"""Where an element stands, for models that see all elements at once and would not know.

Clock hands of many speeds tell the time: fast ones tell neighbours apart, slow ones far-off places. Their
sines and cosines are added to what stands there (`sinusoids`; Vaswani et al., 2017, arXiv 1706.03762), or
questions and keys are turned by their angles (`rotate`), so that only distances count.
"""

import torch

from .shapes import Float, Tensor


def times(start: int, T: int, like: Tensor) -> Float[Tensor, "T"]:
    """The places start, start + 1, ...: never in less than single precision, where large ones blur."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.arange(start, start + T, device=like.device).to(dtype)


def angles(t: Float[Tensor, "T"], d: int, base: float | int = 10000) -> Float[Tensor, "T n"]:
    """Where n = d/2 clock hands stand at the times t, in radians: the first turns by 1 a step."""
    if d % 2:
        raise ValueError(f"d is {d}: expected an even number, sines and turns come in pairs")
    return t[:, None] * base ** (-torch.arange(0, d, 2, device=t.device, dtype=t.dtype) / d)


def sinusoids(angle: Float[Tensor, "T n"]) -> Float[Tensor, "T 2*n"]:
    """A code for each position, to be added to what stands there: sine and cosine of each hand, in turn."""
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def rotate(x: Float[Tensor, "B N T d"], angle: Float[Tensor, "T n"]) -> Float[Tensor, "B N T d"]:
    """Turn pairs of numbers of x, i and i + d/2, by the angle of hand i (Su et al., 2021, arXiv 2104.09864).

    Of two turned vectors, the product depends on what they are and on how far apart they stand, not on
    where: positions become distances.
    """
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
