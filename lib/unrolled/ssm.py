"""Recurrences without a squashing function, beyond the lecture: what came after the transformer.

    h_t = a_t h_{t-1} + b_t        number by number: each part of the state has its own a_t and b_t

In an RNN h_t has to wait for tanh(W_h h_{t-1}). Here a_t and b_t depend on the input alone, so they are made
for all t at once; the recurrence that is left is cheap, and can even be solved in parallel (`scan`).

- MinGRU (Feng et al., 2024, arXiv 2410.01201): a GRU whose gate sees the input only.
- Diagonal: a state space with one a for all steps (Gu et al., 2022, arXiv 2206.11893; Orvieto et al., 2023,
  arXiv 2303.06349).
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from .model import Core, CoreModel, check_state
from .scan import scan
from .shapes import Float, Tensor

EPS = torch.finfo(torch.float32).eps  # said here, since what torch adds by itself hangs on its version


def time_scales(n: int, longest: float | int) -> Float[Tensor, "n"]:
    """n time scales, from 1 step to `longest`, each a fixed factor above the one before."""
    return longest ** torch.linspace(0, 1, n)


class MinGRU(nn.Module):
    """A GRU whose gate and candidate see the input only: h_t = z_t h_{t-1} + (1 - z_t) n_t.

    z = sigmoid(W_z x + b_z) is the share that stays, and n = W_n x + b_n. At the start the parts of the state
    forget with time scales from 1 to `longest` steps: there is one for every distance.
    """

    def __init__(self, hidden: int, longest: float | int):
        super().__init__()
        self.W = nn.Linear(hidden, 2 * hidden)
        keep = torch.exp(-1 / time_scales(hidden, longest))
        with torch.no_grad():
            self.W.bias[:hidden] = keep.logit()

    def forward(self, x: Float[Tensor, "B T H"], h: Float[Tensor, "B H"]) -> Float[Tensor, "B T H"]:
        """All states from h = h_0; computed in h's precision, since a sum of small steps would be lost."""
        z, n = self.W(x).to(h.dtype).chunk(2, -1)
        z = z.sigmoid()
        return scan(z, (1 - z) * n, h)


class Diagonal(nn.Module):
    """A state space: h_t = a h_{t-1} + W x_t with the same a at every step, which is not learned.

    The H numbers of the state are H / 2 complex ones. The length of a says how long each is kept, its angle
    how fast it turns: from many hands that turn one can tell when something was read. The time scales reach
    from 1 to `longest` steps, the angles are spread over 0 to pi.
    """

    def __init__(self, hidden: int, longest: float | int):
        super().__init__()
        if hidden % 2:
            raise ValueError(f"hidden is {hidden}: Diagonal pairs its numbers, so it takes an even one")
        self.W = nn.Linear(hidden, hidden)
        turns = torch.arange(hidden // 2) * (math.sqrt(5) - 1) / 2 % 1  # the golden ratio spreads any number
        self.register_buffer("rate", 1 / time_scales(hidden // 2, longest))
        self.register_buffer("angle", math.pi * turns)

    def a(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The complex a (H / 2): exp(-rate + i angle)."""
        return torch.polar(torch.exp(-self.rate.to(dtype)), self.angle.to(dtype))

    def forward(self, x: Float[Tensor, "B T H"], h: Float[Tensor, "B H"]) -> Float[Tensor, "B T H"]:
        """All states from h = h_0, the complex numbers laid out in pairs."""
        a = self.a(h.dtype)
        b = _pairs(self.W(x).to(h.dtype)) * (1 - a.abs() ** 2).sqrt()  # so that noise makes a state of size 1
        return torch.view_as_real(scan(a.expand_as(b), b, _pairs(h))).flatten(-2)


def _pairs(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())


class SSMState(NamedTuple):
    """What each of L layers keeps: its state h, in float32 at least, and the last inputs of its kernel."""

    h: Float[Tensor, "B L H"]
    recent: Float[Tensor, "B L K H"]


class Block(nn.Module):
    """One layer: a look at the last four inputs, the recurrence, then a small network; both add to x."""

    def __init__(self, hidden: int, recurrent: nn.Module, dropout: float | int):
        super().__init__()
        self.norm_h, self.norm_m = nn.RMSNorm(hidden, EPS), nn.RMSNorm(hidden, EPS)
        self.kernel = nn.Parameter(torch.randn(4, hidden) / 2)
        self.recurrent, self.dropout = recurrent, nn.Dropout(dropout)
        self.W_o = nn.Linear(hidden, hidden)
        self.W_1, self.W_2 = nn.Linear(hidden, 3 * hidden), nn.Linear(3 * hidden, hidden)

    def forward(
        self, x: Float[Tensor, "B T H"], h: Float[Tensor, "B H"], recent: Float[Tensor, "B K H"]
    ) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B H"], Float[Tensor, "B K H"]]:
        """The layer's output (B, T, H), its last state, and the last three inputs of its kernel."""
        T = x.shape[1]
        line = torch.cat([recent, self.norm_h(x)], 1)
        near = sum(weight * line[:, k : k + T] for k, weight in enumerate(self.kernel))
        states = self.recurrent(near, h)
        x = x + self.dropout(self.W_o(states.to(x.dtype)))
        m = self.W_1(self.norm_m(x)).relu()
        return x + self.dropout(self.W_2(m * m)), states[:, -1], line[:, T:]


class SSMCore(Core):
    """A stack of linear recurrences as a core: h, state = core(a, state).

    - recurrent: `MinGRU`, whose gate decides what stays, or `Diagonal`, whose memory is fixed;
    - longest: the longest time scale at the start, in steps; a few times the distance that matters.

    Raises ValueError for sizes below 1 and for a state of another shape.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int = 2,
        recurrent: type = MinGRU,
        longest: float | int = 1000,
        dropout: float | int = 0.0,
    ):
        super().__init__()
        if min(inputs, hidden, layers, longest) < 1:
            given = f"inputs={inputs}, hidden={hidden}, layers={layers}, longest={longest}"
            raise ValueError(f"SSMCore({given}): all must be at least 1")
        self.inputs, self.hidden = inputs, hidden
        self.W_x = nn.Linear(inputs, hidden)
        blocks = (Block(hidden, recurrent(hidden, longest), dropout) for _ in range(layers))
        self.blocks, self.norm = nn.ModuleList(blocks), nn.RMSNorm(hidden, EPS)

    def forward(
        self, a: Float[Tensor, "B T D"], state: SSMState | None = None
    ) -> tuple[Float[Tensor, "B T H"], SSMState | None]:
        """h (B, T, H) after each element of a, and the state after the last; None is zeros."""
        x = self.W_x(a).to(self.W_x.weight.dtype)  # what all layers add to is not rounded by mixed precision
        if not a.shape[1]:
            return x, state
        past, layers = self._past(x, state), []
        for i, block in enumerate(self.blocks):
            x, *kept = block(x, past.h[:, i], past.recent[:, i])
            layers.append(kept)
        h, recent = (torch.stack(parts, 1) for parts in zip(*layers))
        return self.norm(x), SSMState(h, recent)

    def _past(self, x: Float[Tensor, "B T H"], state: SSMState | None) -> SSMState:
        """The state, or zeros for None; h is kept in float32 at least, as small steps add up in it."""
        B, L, H = len(x), len(self.blocks), self.hidden
        check_state(state, SSMState, B)
        if state is None:
            h = x.new_zeros(B, L, H, dtype=torch.promote_types(x.dtype, torch.float32))
            return SSMState(h, x.new_zeros(B, L, 3, H))
        if state.h.shape != (B, L, H) or state.recent.shape != (B, L, 3, H):
            found = f"state has shapes {tuple(state.h.shape)} and {tuple(state.recent.shape)}"
            raise ValueError(f"{found}: expected (B, L, H) = {(B, L, H)} and (B, L, 3, H)")
        return state


class SSM(CoreModel):
    """A language model around `SSMCore`: it trains in parallel over time, and writes step by step."""

    def __init__(
        self,
        vocab_size: int,
        hidden: int,
        layers: int = 2,
        recurrent: type = MinGRU,
        longest: float | int = 1000,
        dropout: float | int = 0.0,
    ):
        width = min(vocab_size, hidden)  # more would add nothing
        super().__init__(vocab_size, SSMCore(width, hidden, layers, recurrent, longest, dropout))
