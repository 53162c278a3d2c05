"""What does a state know? A linear probe asks it, and a single unit is asked alone (lecture O2, O4).

A probe is a straight-line reading of the notes: w . h + b, fitted by least squares on some texts and asked
about others. What it can read was there to be read; whether the network uses it is another question.
"""

from typing import NamedTuple

import torch

from .shapes import Bool, Float, Tensor


class Probe(NamedTuple):
    """One direction in the space of states: a state is answered "yes" where w . h + b is positive."""

    w: Float[Tensor, "H"]
    b: Float[Tensor, ""]

    def __call__(self, h: Float[Tensor, "*N H"]) -> Float[Tensor, "*N"]:
        """The reading of each state: near 1 for yes, near -1 for no."""
        return h @ self.w + self.b

    def accuracy(self, h: Float[Tensor, "N H"], y: Bool[Tensor, "N"]) -> float:
        """The share of states whose answer is right."""
        return ((self(h) > 0) == y).float().mean().item()


def probe(h: Float[Tensor, "N H"], y: Bool[Tensor, "N"], ridge: float | int = 1e-3) -> Probe:
    """Fit a probe to states h and what was true of them, y: least squares to +1 and -1.

    `ridge` keeps the weights small where states say the same thing twice. Raises ValueError unless both
    answers occur: of one alone there is nothing to learn.
    """
    if y.all() or not y.any():
        raise ValueError(f"y holds {int(y.sum())} yes of {len(y)}: a probe needs states of both kinds")
    target = 2.0 * y.to(h) - 1
    middle, mean = h.mean(0), target.mean()
    centred = h - middle
    square = centred.T @ centred / len(h) + ridge * torch.eye(h.shape[1]).to(h)
    w = torch.linalg.solve(square, centred.T @ (target - mean) / len(h))
    return Probe(w, mean - middle @ w)


def correlations(h: Float[Tensor, "N H"], y: Tensor) -> Float[Tensor, "H"]:
    """How closely each unit alone follows y, from -1 to 1; 0 for a unit that never moves."""
    h, y = h - h.mean(0), y.to(h) - y.to(h).mean()
    return (h.T @ y) / (h.norm(dim=0) * y.norm()).clamp(min=1e-12)


def rotation(H: int, seed: int = 0) -> Float[Tensor, "H H"]:
    """A random turn of a space of H dimensions: lengths and angles stay, the axes do not."""
    q, r = torch.linalg.qr(torch.randn(H, H, generator=torch.Generator().manual_seed(seed)))
    return q * r.diagonal().sign()
