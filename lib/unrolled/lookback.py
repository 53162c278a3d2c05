"""A memory for any recurrent core: keep every state, and look back at them with attention (lecture O1).

A core must press all of the past into one state. `LookBack` leaves the core as it is, writes each h_t down,
and gives it, beside h_t, a mean of the earlier ones, weighted by how well they answer its question:

    q_t = W_q h_t    k_s = W_k h_s    v_s = W_v h_s
    h'_t = h_t + sum over s <= t of softmax_s(q_t . k_s / sqrt K) v_s

The lecture's speaker proposes such a memory off the cuff, when asked about plots; Graves et al. (2014, arXiv
1410.5401) and Grave et al. (2017, arXiv 1612.04426) built two kinds of it.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from .model import Core, State, check_state
from .shapes import Float, Tensor


class Notes(NamedTuple):
    """The state: the core's own, and a key (B, S, K) and a value (B, S, H) for each of the S steps so far."""

    core: State
    keys: Float[Tensor, "B S K"]
    values: Float[Tensor, "B S H"]


def look_back(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S H"]
) -> Float[Tensor, "B T H"]:
    """What each of the last T of S steps finds: a mean of v_s, for s up to its own place."""
    T, S = q.shape[1], k.shape[1]
    scores = q @ k.mT / math.sqrt(k.shape[-1])
    later = torch.ones(T, S, dtype=torch.bool, device=q.device).triu(S - T + 1)
    return scores.masked_fill(later, -torch.inf).softmax(-1) @ v


class LookBack(Core):
    """A core around a core: h, state = LookBack(core)(a, state). The law holds: all is in the state.

    width: the length K of questions and keys. The state grows with what was read: this is its price.
    """

    def __init__(self, core: Core, width: int = 16):
        super().__init__()
        self.core, self.inputs, self.hidden = core, core.inputs, core.hidden
        self.W_q = nn.Linear(core.hidden, width, bias=False)
        self.W_k = nn.Linear(core.hidden, width, bias=False)
        self.W_v = nn.Linear(core.hidden, core.hidden, bias=False)

    def forward(
        self, a: Float[Tensor, "B T D"], state: Notes | None = None
    ) -> tuple[Float[Tensor, "B T H"], Notes | None]:
        """h' (B, T, H) after each element of a, and the notes with all that was read."""
        check_state(state, Notes, len(a))
        h, inner = self.core(a, None if state is None else state.core)
        if not a.shape[1]:
            return h, state
        k, v = self.W_k(h), self.W_v(h)
        if state is not None:
            k, v = torch.cat([state.keys, k], 1), torch.cat([state.values, v], 1)
        return h + look_back(self.W_q(h), k, v), Notes(inner, k, v)
