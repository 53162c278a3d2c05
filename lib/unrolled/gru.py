"""The gated recurrent unit (lecture M6, M7; Cho et al., 2014, arXiv 1406.1078).

    r_t = sigmoid(W_r [x_t, h_{t-1}] + b_r)                 the reset gate: how much of the state is asked
    z_t = sigmoid(W_z [x_t, h_{t-1}] + b_z)                 the update gate: how much of it stays
    n_t = tanh(W_n x_t + b_n + r_t (U_n h_{t-1} + b'_n))    the candidate
    h_t = z_t h_{t-1} + (1 - z_t) n_t                       one state, both long-term and view

This is torch's convention: the reset gate acts after the product with U_n, so that the three products with h
are one. Cho et al. reset the state before it, n_t = tanh(W_n x_t + b_n + U_n (r_t h_{t-1})): pass
`reset_first=True` to GRUCore. Some papers swap the names z and 1 - z.

The half with x is made for all t at once, a_t = W_x x_t + b. W_x, W_h and b hold the blocks r, z, n below
each other, as torch does; b'_n stands alone, as `b_n`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Layer, Layers, copy
from .model import CoreModel
from .shapes import Float, Tensor


def blend(
    h: Float[Tensor, "B H"], n: Float[Tensor, "B H"], z: Float[Tensor, "B H"]
) -> Float[Tensor, "B H"]:
    """The new state: a share z of the old one stays, the rest is the candidate."""
    return z * h + (1 - z) * n


def step(
    h: Float[Tensor, "B H"], a: Float[Tensor, "B G"], W_h: Float[Tensor, "G H"], b_n: Float[Tensor, "H"]
) -> Float[Tensor, "B H"]:
    """One update, with a_t = W_x x_t + b; G = 3 H. The reset gate acts on the product with h, as in torch."""
    a_r, a_z, a_n = a.chunk(3, -1)
    u_r, u_z, u_n = (h @ W_h.T).chunk(3, -1)
    r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
    n = (a_n + r * (u_n + b_n)).tanh()
    return blend(h, n, z)


def step_reset_first(
    h: Float[Tensor, "B H"], a: Float[Tensor, "B G"], W_h: Float[Tensor, "G H"]
) -> Float[Tensor, "B H"]:
    """One update as Cho et al. wrote it: the reset gate acts on h itself, so its product has to wait."""
    a_r, a_z, a_n = a.chunk(3, -1)
    W_r, W_z, W_n = W_h.chunk(3)
    r, z = (a_r + h @ W_r.T).sigmoid(), (a_z + h @ W_z.T).sigmoid()
    n = (a_n + (r * h) @ W_n.T).tanh()
    return blend(h, n, z)


def unroll(
    h: Float[Tensor, "B H"],
    a: Float[Tensor, "B T G"],
    W_h: Float[Tensor, "G H"],
    b_n: Float[Tensor, "H"] | None = None,
) -> Float[Tensor, "B T H"]:
    """All the states h_1 ... h_T: the same update every time. Without b_n the reset comes first."""
    states = []
    for a_t in a.unbind(1):
        h = step_reset_first(h, a_t, W_h) if b_n is None else step(h, a_t, W_h, b_n)
        states.append(h)
    return torch.stack(states, 1)


class GRULayer(Layer):
    """One layer: 3 (D H + H H + H) numbers, 3/4 of an LSTM's (M6), and H more for b_n."""

    gates, keeps = "rzn", "z"

    def __init__(self, inputs: int, hidden: int, fused: bool = False, reset_first: bool = False):
        super().__init__(inputs, hidden, fused)
        if fused and reset_first:
            raise ValueError("fused and reset_first are both True: torch's kernel resets after the product")
        self.b_n = None if reset_first else nn.Parameter(torch.zeros(hidden))

    def forward(
        self, a: Float[Tensor, "B T D"], state: Float[Tensor, "B H"] | None
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B H"]]:
        """The states h_t (B, T, H), and the last one (B, H); None is zeros."""
        h = a.new_zeros(len(a), self.hidden) if state is None else state
        if self.fused:
            states, h = self.kernel(torch.gru, a, h[None])
            return states, h[0]
        states = unroll(h, F.linear(a, self.W_x, self.b), self.W_h, self.b_n)
        return states, states[:, -1]

    def to_torch(self) -> list[Tensor]:
        """As torch takes them: its second bias is zero but for b_n. ValueError with reset_first."""
        if self.b_n is None:
            raise ValueError("torch's GRU resets after the product: with reset_first there is no equal to it")
        return [self.W_x, self.W_h, self.b, torch.cat([self.b_n.new_zeros(2 * self.hidden), self.b_n])]

    def from_torch(self, W_x: Tensor, W_h: Tensor, b_x: Tensor, b_h: Tensor) -> None:
        """Take over torch's weights; its two biases become one, but for the candidate's."""
        b_h, b_n = b_h.split([2 * self.hidden, self.hidden])
        b = b_x + F.pad(b_h, (0, self.hidden))
        copy((self.W_x, self.W_h, self.b, self.b_n), (W_x, W_h, b, b_n))


class GRUCore(Layers):
    """A GRU as a core (the lecture's f): h, state = core(a, state), with a (B, T, D) and h (B, T, H).

    The state is h (B, layers, H); None stands for zeros. `reset_first=True` is Cho's own convention (see
    above), `fused=True` runs the same weights through torch's kernel. `from_torch` and `to_torch` exchange
    weights with torch.nn.GRU. Raises ValueError for wrong shapes.
    """

    peer = nn.GRU

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int = 1,
        dropout: float | int = 0.0,
        fused: bool = False,
        reset_first: bool = False,
    ):
        widths = [hidden if k else inputs for k in range(layers)]
        super().__init__([GRULayer(width, hidden, fused, reset_first) for width in widths], dropout)


class GRU(CoreModel):
    """A language model with a GRU as its memory: logits, state = model(x, state).

    `embed` is the width of the vectors that stand for symbols; None takes min(vocab_size, hidden), since
    more than vocab_size would add nothing. The rest is as in GRUCore.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden: int,
        layers: int = 1,
        embed: int | None = None,
        dropout: float | int = 0.0,
        fused: bool = False,
    ):
        width = min(vocab_size, hidden) if embed is None else embed
        super().__init__(vocab_size, GRUCore(width, hidden, layers, dropout, fused))
