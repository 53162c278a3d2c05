"""A transformer from scratch (lecture T1 to T6; Vaswani et al., 2017, arXiv 1706.03762).

    attention(q, k, v) = softmax(q k^T / sqrt(d)) v

Every element asks a question (q) and shows a key (k) and a value (v). What it takes along is a mean of all
values so far, each weighted by how well its key fits the question. A convolution's weights are fixed; these
are computed from the input, so they change with content and place.

The state is the keys and values of everything read so far: they are all that later elements look at. So a
step costs as much as the past is long, and reading T elements costs about T squared (T6).
"""

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .model import Core, CoreModel, State, check_state, check_tokens
from .positions import angles, rotate, sinusoids, times
from .shapes import Bool, Float, Int, Tensor

POSITIONS = ("learned", "sinusoidal", "rotary")


class Cache(NamedTuple):
    """What one layer keeps of the S elements read so far: their keys and values, each (B, N, S, d)."""

    k: Float[Tensor, "B N S d"]
    v: Float[Tensor, "B N S d"]


def attention(
    q: Float[Tensor, "B N T d"],
    k: Float[Tensor, "B N S d"],
    v: Float[Tensor, "B N S d"],
    mask: Bool[Tensor, "... S"] | None = None,
    weights: bool = False,
) -> Float[Tensor, "B N T d"] | tuple[Float[Tensor, "B N T d"], Float[Tensor, "B N T S"]]:
    """softmax(q k^T / sqrt(d)) v, for N heads at once: for each of T questions a mean of the S values.

    `mask` (T, S), or any shape that spreads over (B, N, T, S), is True where a question may look. With
    `weights=True` the weights come along; each row of them sums to 1.
    """
    scores = (q / q.shape[-1] ** 0.5) @ k.mT  # (B, N, T, S); without the root, wide heads see one key only
    if mask is not None:
        scores = scores + mask.to(scores.dtype).log()  # log 1 = 0 where it may look, log 0 = -inf elsewhere
    w = scores.softmax(-1)
    return (w @ v, w) if weights else w @ v


def causal(T: int, S: int, device: torch.device | None = None) -> Bool[Tensor, "T S"]:
    """True where the last T of S elements may look: at themselves and at all before them."""
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


def split(x: Float[Tensor, "B T D"], d: int) -> Float[Tensor, "B N T {d}"]:
    """Cut each vector into pieces of d numbers: each head gets its own piece."""
    return x.view(*x.shape[:2], -1, d).transpose(1, 2)


def merge(x: Float[Tensor, "B N T d"]) -> Float[Tensor, "B T D"]:
    """Put the pieces of all heads side by side again: the inverse of `split`."""
    return x.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Attention with N heads and its four maps: W_q, W_k, W_v (D, D) into the heads, W_o (D, D) out of them.

    With `fast=True` torch's fused function computes what `attention` says.
    """

    def __init__(self, width: int, heads: int, fast: bool = True):
        super().__init__()
        self.d, self.fast = width // heads, fast
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(width, width) for _ in range(4))

    def questions(self, x: Float[Tensor, "B T D"], turn: Tensor | None = None) -> Float[Tensor, "B N T d"]:
        """What each of x looks for. `turn` (T, d/2) are the angles of rotary positions."""
        q = split(self.W_q(x), self.d)
        return q if turn is None else rotate(q, turn)

    def shown(self, x: Float[Tensor, "B S D"], turn: Tensor | None = None) -> Cache:
        """What each of x shows to those who look at it: its key and its value."""
        k, v = split(self.W_k(x), self.d), split(self.W_v(x), self.d)
        return Cache(k if turn is None else rotate(k, turn), v)

    def forward(
        self, x: Float[Tensor, "B T D"], cache: Cache, mask: Tensor | None = None, turn: Tensor | None = None
    ) -> Float[Tensor, "B T D"]:
        """What x takes along from the elements in the cache."""
        attend = F.scaled_dot_product_attention if self.fast else attention
        return self.W_o(merge(attend(self.questions(x, turn), cache.k, cache.v, mask)))


def extended(past: Cache | None, new: Cache) -> Cache:
    """A new cache that holds the past and the new; the past stays as it is, for whoever else holds it."""
    return new if past is None else Cache(torch.cat([past.k, new.k], 2), torch.cat([past.v, new.v], 2))


def feed_forward(width: int) -> nn.Sequential:
    """What each element does alone with what it took along: two maps, and a bend in between."""
    bend = nn.GELU(approximate="tanh")
    return nn.Sequential(nn.Linear(width, 4 * width), bend, nn.Linear(4 * width, width))


class Block(nn.Module):
    """One layer: look around, then think about it. Each adds to h, and reads h normalised ("pre-norm")."""

    def __init__(
        self, width: int, attention: Attention, mlp: nn.Module,
        norm: Callable[[int], nn.Module] = nn.LayerNorm,
    ):  # fmt: skip
        super().__init__()
        self.norm_1, self.attention = norm(width), attention
        self.norm_2, self.mlp = norm(width), mlp

    def look(
        self, h: Float[Tensor, "B T D"], past: Cache | None, mask: Tensor | None, turn: Tensor | None
    ) -> tuple[Float[Tensor, "B T D"], Cache]:
        """h and what it takes along from the past and from itself; the cache with both."""
        a = self.norm_1(h)
        cache = extended(past, self.attention.shown(a, turn))
        return h + self.attention(a, cache, mask, turn), cache

    def forward(
        self,
        h: Float[Tensor, "B T D"],
        past: State = None,
        mask: Tensor | None = None,
        turn: Tensor | None = None,
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """h after this layer, and the layer's new cache."""
        h, cache = self.look(h, past, mask, turn)
        return h + self.mlp(self.norm_2(h)), cache


def read(
    blocks: Iterable[Callable], h: Float[Tensor, "B T D"], state: State, turn: Tensor | None = None
) -> tuple[Float[Tensor, "B T D"], tuple[State, ...]]:
    """Pass h through all layers, each of which looks at itself and at what the state holds."""
    T, caches = h.shape[1], []
    mask = causal(T, length(state) + T, h.device) if T > 1 else None  # a single one may look at everything
    for block, past in zip(blocks, state or repeat(None)):
        h, cache = block(h, past, mask, turn)
        caches.append(cache)
    return h, tuple(caches)


def length(state: State) -> int:
    """How many elements the state holds."""
    return state[0].k.shape[2] if state else 0


class TransformerCore(Core):
    """Layers of attention as the lecture's f: vectors (B, T, D) in, vectors of the same width out.

    - positions: "learned" adds a vector that is learned for each place; "sinusoidal" adds a fixed code
      (`sinusoids`); "rotary" turns questions and keys (`rotate`).
    - context: how many elements it can read, counted from the first. Reading further is a ValueError:
      nothing is forgotten in silence. None sets no end; learned positions need one.
    - fast: attention is computed by torch's fused function; False is the same by ours, to be read.

    The state is a tuple of one `Cache` for each layer.
    """

    def __init__(
        self, width: int, layers: int, heads: int, context: int | None = None,
        positions: str = "learned", fast: bool = True,
    ):  # fmt: skip
        super().__init__()
        _check_settings(width, layers, heads, context, positions)
        self.inputs = self.hidden = width
        self.context, self.positions, self.heads = context, positions, heads
        self.P = nn.Parameter(torch.randn(context, width)) if positions == "learned" else None
        self.blocks = nn.ModuleList(
            Block(width, Attention(width, heads, fast), feed_forward(width)) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def place(self, a: Float[Tensor, "B T D"], start: int) -> tuple[Float[Tensor, "B T D"], Tensor | None]:
        """Tell the elements where they stand, the first of them at `start`: vectors; angles to turn by."""
        T, D = a.shape[1:]
        if self.P is not None:
            return a + self.P[start : start + T], None
        t = times(start, T, a)
        if self.positions == "sinusoidal":
            return a + sinusoids(angles(t, D)).to(a.dtype), None
        return a, angles(t, D // self.heads)

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T D"], State]:
        """h (B, T, D) after each of a, and the state with their keys and values."""
        check_room(a, state, self.blocks, self.context)
        if not a.shape[1]:
            return a, state
        a, turn = self.place(a, length(state))
        h, state = read(self.blocks, a, state, turn)
        return self.norm(h), state


class Transformer(CoreModel):
    """The transformer as a language model: `TransformerCore` between an embedding and a last layer (T3).

    `core` are its keywords: `positions` and `fast`.
    """

    def __init__(
        self, vocab_size: int, width: int, layers: int, heads: int, context: int | None = None, **core: Any
    ):
        super().__init__(vocab_size, TransformerCore(width, layers, heads, context, **core))

    @torch.no_grad()
    def weights(self, x: Int[Tensor, "B T"], state: State = None) -> Float[Tensor, "L B N T S"]:
        """How much each of x looks at each of the S elements so far, in every layer and head."""
        check_tokens(x, self.vocab_size)
        check_room(x, state, self.core.blocks, self.core.context)
        h, turn = self.core.place(self.embed(x), length(state))
        mask, found = causal(x.shape[1], length(state) + x.shape[1], x.device), []
        for block, past in zip(self.core.blocks, state or repeat(None)):
            q = block.attention.questions(block.norm_1(h), turn)
            h, cache = block(h, past, mask, turn)
            found.append(attention(q, *cache, mask, weights=True)[1])
        return torch.stack(found)


def check_room(a: Tensor, state: State, blocks: nn.ModuleList, context: int | None) -> None:
    """Raise a ValueError unless the state fits the layers and a, and has room for a in the context."""
    check_state(state, tuple, len(a))
    if not all(hasattr(cache, "k") for cache in state or ()):
        raise ValueError("state holds no caches: expected what a transformer returned, or None")
    if state is not None and len(state) != len(blocks):
        raise ValueError(f"state has {len(state)} layers: this model has {len(blocks)}")
    if context is not None and length(state) + a.shape[1] > context:
        raise ValueError(f"{length(state)} elements were read and x brings {a.shape[1]} more: this model has "
                         f"{context} positions (context). Begin anew, or make one with more")  # fmt: skip


def _check_settings(width: int, layers: int, heads: int, context: int | None, positions: str) -> None:
    if positions not in POSITIONS:
        raise ValueError(f"positions is {positions!r}: expected one of {POSITIONS}")
    if context is None and positions == "learned":
        raise ValueError("context is None: learned positions need a number, how many to learn")
    if min(width, layers, heads, 1 if context is None else context) < 1 or width % heads:
        raise ValueError(f"width is {width}, layers {layers}, heads {heads}, context {context}: "
                         "expected at least 1 of each, and a width that the heads can share")  # fmt: skip
    d = {"learned": 0, "sinusoidal": width, "rotary": width // heads}[positions]
    if d % 2:
        raise ValueError(f"width is {width}, heads is {heads}: sines and turns come in pairs, and {d} is odd")
