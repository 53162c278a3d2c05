"""Long short-term memory (lecture M1 to M5; Hochreiter and Schmidhuber, 1997; Gers et al., 2000, for f).

    f_t = sigmoid(W_f [x_t, h_{t-1}] + b_f)     the forget gate: how much of each cell stays
    i_t = sigmoid(W_i [x_t, h_{t-1}] + b_i)     the input gate: how much is written
    g_t = tanh(W_g [x_t, h_{t-1}] + b_g)        the candidate: what is written
    o_t = sigmoid(W_o [x_t, h_{t-1}] + b_o)     the output gate: how much is shown
    c_t = f_t c_{t-1} + i_t g_t                 the cell: long-term
    h_t = o_t tanh(c_t)                         the view of it: short-term, and all that others see

A product with [x, h] is W_x x + W_h h. The half with x need not wait for the state, so a_t = W_x x_t + b is
made for all t at once. W_x, W_h and b hold the four gates below each other, in torch's order i, f, g, o.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from . import init
from .layers import Layer, Layers, copy
from .model import CoreModel
from .shapes import Float, Tensor


class LSTMState(NamedTuple):
    """What an LSTM keeps of the past: the view h and the cell c (M1).

    (B, H) each within a layer, (B, layers, H) each outside.
    """

    h: Float[Tensor, "B *layers H"]
    c: Float[Tensor, "B *layers H"]


class Gates(NamedTuple):
    """The gates i, f, o in (0, 1) and the candidate g in (-1, 1), each (B, H)."""

    i: Float[Tensor, "B H"]
    f: Float[Tensor, "B H"]
    g: Float[Tensor, "B H"]
    o: Float[Tensor, "B H"]


def gates(h: Float[Tensor, "B H"], a: Float[Tensor, "B G"], W_h: Float[Tensor, "G H"]) -> Gates:
    """The gates and the candidate (M2 to M4), from the view h_{t-1} and a_t = W_x x_t + b; G = 4 H."""
    i, f, g, o = (a + h @ W_h.T).chunk(4, -1)
    return Gates(i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid())


def step(
    h: Float[Tensor, "B H"], c: Float[Tensor, "B H"], a: Float[Tensor, "B G"], W_h: Float[Tensor, "G H"]
) -> LSTMState:
    """One update: the cell keeps some of what it held and adds some of what is new (M2 to M5)."""
    i, f, g, o = gates(h, a, W_h)
    c = f * c + i * g
    return LSTMState(o * c.tanh(), c)


def unroll(
    h: Float[Tensor, "B H"], c: Float[Tensor, "B H"], a: Float[Tensor, "B T G"], W_h: Float[Tensor, "G H"]
) -> tuple[Float[Tensor, "B T H"], LSTMState]:
    """All the views h_1 ... h_T, and the state after the last: the same `step`, the same W_h, every time."""
    views = []
    for a_t in a.unbind(1):
        h, c = step(h, c, a_t, W_h)
        views.append(h)
    return torch.stack(views, 1), LSTMState(h, c)


class LSTMLayer(Layer):
    """One layer: 4 (D H + H H + H) numbers, four blocks where the RNN has one."""

    gates, keeps = "ifgo", "f"

    def forward(
        self, a: Float[Tensor, "B T D"], state: LSTMState | None
    ) -> tuple[Float[Tensor, "B T H"], LSTMState]:
        """The views h_t (B, T, H), and the state (B, H) after the last; None is zeros."""
        zeros = a.new_zeros(len(a), self.hidden)
        h, c = (zeros, zeros) if state is None else state
        if self.fused:
            views, h, c = self.kernel(torch.lstm, a, (h[None], c[None]))
            return views, LSTMState(h[0], c[0])
        return unroll(h, c, F.linear(a, self.W_x, self.b), self.W_h)

    def to_torch(self) -> list[Tensor]:
        """As torch takes them: of its two biases, which are only ever added, the second is zero."""
        return [self.W_x, self.W_h, self.b, torch.zeros_like(self.b)]

    def from_torch(self, W_x: Tensor, W_h: Tensor, b_x: Tensor, b_h: Tensor) -> None:
        """Take over torch's weights; the two biases become one."""
        copy((self.W_x, self.W_h, self.b), (W_x, W_h, b_x + b_h))


class LSTMCore(Layers):
    """An LSTM as a core (the lecture's f): h, state = core(a, state), with a (B, T, D) and h (B, T, H).

    The state is LSTMState(h, c), (B, layers, H) each; None stands for zeros. `forget_bias` is b_f at the
    start of training: at 1 the gates begin open, 0.73 of a cell stays at each step, and the gradient finds
    its way back (Gers et al., 2000; Jozefowicz et al., 2015). `fused=True` runs the same weights through
    torch's kernel: faster, and closed to the reader. `from_torch` and `to_torch` exchange weights with
    torch.nn.LSTM. Raises ValueError for wrong shapes.
    """

    peer, kept = nn.LSTM, LSTMState

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int = 1,
        dropout: float | int = 0.0,
        fused: bool = False,
        forget_bias: float | int = 1.0,
    ):
        super().__init__([LSTMLayer(hidden if k else inputs, hidden, fused) for k in range(layers)], dropout)
        init.forget_bias(self, forget_bias)


class LSTM(CoreModel):
    """A language model with an LSTM as its memory: logits, state = model(x, state).

    `embed` is the width of the vectors that stand for symbols; None takes min(vocab_size, hidden), since
    more than vocab_size would add nothing. The rest is as in LSTMCore.
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
        super().__init__(vocab_size, LSTMCore(width, hidden, layers, dropout, fused))
