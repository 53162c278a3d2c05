"""A small transformer that learns a lot from little: what helped on two CPU cores, beside `transformer`.

Against the same text and the same time, in `benchmarks/character_models.py`:

- questions and keys are normalised, so no head can become certain too early (Henry et al., 2020, 2010.04245);
- each element looks with a share of the one before it, so pairs of letters need no head of their own (Peng et
  al., 2023, arXiv 2305.13048, "token shift");
- squared ReLU in the part that thinks (So et al., 2021, arXiv 2109.08668): it is cheap, and mostly zero;
- all maps that write to h begin at zero, so each layer begins as no layer at all;
- norms have no parameters; positions are rotary.

It is made for the optimiser in `muon`.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .model import Core, CoreModel, State
from .positions import angles, rotate, times
from .shapes import Float, Tensor
from .transformer import Attention, Block, Cache, check_room, extended, length, read, split


class Past(NamedTuple):
    """What one layer keeps: the keys and values of all elements so far, and the last one, normalised."""

    k: Float[Tensor, "B N S d"]
    v: Float[Tensor, "B N S d"]
    last: Float[Tensor, "B 1 D"]


class NormedAttention(Attention):
    """Attention without biases whose questions and keys are normalised; how long they are is learned."""

    def __init__(self, width: int, heads: int):
        nn.Module.__init__(self)
        self.d, self.fast = width // heads, False
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.norm_q, self.norm_k = (nn.LayerNorm(self.d, bias=False) for _ in range(2))
        nn.init.zeros_(self.W_o.weight)

    def questions(self, x: Float[Tensor, "B T D"], turn: Tensor | None = None) -> Float[Tensor, "B N T d"]:
        """What each of x looks for."""
        return rotate(split(_normed(self.W_q(x), self.norm_q), self.d), turn)

    def shown(self, x: Float[Tensor, "B S D"], turn: Tensor | None = None) -> Cache:
        """What each of x shows to those who look at it."""
        k = split(_normed(self.W_k(x), self.norm_k), self.d)
        return Cache(rotate(k, turn), split(self.W_v(x), self.d))


def _normed(x: Float[Tensor, "B T D"], norm: nn.LayerNorm) -> Float[Tensor, "B T D"]:
    """x with each head's piece normalised."""
    return norm(x.unflatten(-1, (-1, *norm.normalized_shape))).flatten(2)


class SquaredReLU(nn.Module):
    """W_out max(0, W_in x)^2."""

    def __init__(self, width: int):
        super().__init__()
        self.W_in = nn.Linear(width, 4 * width, bias=False)
        self.W_out = nn.Linear(4 * width, width, bias=False)
        nn.init.zeros_(self.W_out.weight)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Nothing where W_in x is negative, its square elsewhere, mapped back."""
        return self.W_out(F.relu(self.W_in(x)).square())


def plain_norm(width: int) -> nn.LayerNorm:
    """Mean 0, variance 1, and nothing to learn."""
    return nn.LayerNorm(width, elementwise_affine=False)


class NimbleBlock(Block):
    """A layer that looks with each element and a learned share of the one before it."""

    def __init__(self, width: int, heads: int):
        super().__init__(width, NormedAttention(width, heads), SquaredReLU(width), plain_norm)
        self.share = nn.Parameter(torch.zeros(width))

    def look(
        self, h: Float[Tensor, "B T D"], past: Past | None, mask: Tensor | None, turn: Tensor | None
    ) -> tuple[Float[Tensor, "B T D"], Past]:
        """h and what it takes along from the past and from itself; the past with both."""
        a = self.norm_1(h)
        last = a.new_zeros(len(a), 1, a.shape[2]) if past is None else past.last
        both = a + self.share * torch.cat([last, a[:, :-1]], 1)
        cache = extended(past and Cache(past.k, past.v), self.attention.shown(both, turn))
        return h + self.attention(both, cache, mask, turn), Past(cache.k, cache.v, a[:, -1:])


class NimbleCore(Core):
    """Nimble layers as the lecture's f; what it can read has no end. The state is one `Past` a layer."""

    def __init__(self, width: int, layers: int, heads: int):
        super().__init__()
        if min(width, layers, heads) < 1 or width % (2 * heads):
            raise ValueError(f"width is {width}, layers {layers}, heads {heads}: expected at least 1 of "
                             "each, and an even share of the width for each head")  # fmt: skip
        self.inputs, self.hidden, self.d = width, width, width // heads
        self.blocks = nn.ModuleList(NimbleBlock(width, heads) for _ in range(layers))
        self.norm = plain_norm(width)

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T D"], State]:
        """h (B, T, D) after each of a, and the state."""
        check_room(a, state, self.blocks, None)
        if not a.shape[1]:
            return a, state
        turn = angles(times(length(state), a.shape[1], a), self.d)
        h, state = read(self.blocks, self.norm(a), state, turn)
        return self.norm(h), state


class Nimble(CoreModel):
    """`NimbleCore` as a language model, which begins by giving all symbols one probability."""

    def __init__(self, vocab_size: int, width: int, layers: int, heads: int):
        super().__init__(vocab_size, NimbleCore(width, layers, heads))
        nn.init.zeros_(self.W_y.weight)
        nn.init.zeros_(self.W_y.bias)
