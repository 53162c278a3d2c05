"""The transformer as it was first built: one half reads a source, the other writes (Vaswani et al., 2017).

The encoder's elements look at all of the source, before and after them: it is known whole, so no mask is
needed. The decoder is a language model whose layers look at the encoder's result, too ("cross-attention").

    state = model.start(source)               # the condition: read once
    logits, state = model(x, state)           # the law of all models, for the target x
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from .model import SequenceModel, check_state, check_tokens
from .positions import angles, sinusoids, times
from .shapes import Bool, Float, Int, Tensor
from .transformer import Attention, Block, Cache, check_room, feed_forward, length, read


class Reading(NamedTuple):
    """The decoder's state: what it sees of the source (one cache a layer), and its own past."""

    source: tuple[Cache, ...]
    known: Bool[Tensor, "B 1 1 S"]  # False where a shorter source was filled up
    past: tuple[Cache, ...] | None


class CrossBlock(Block):
    """A layer of the decoder: look at the target so far, then at the source, then think about both."""

    def __init__(self, width: int, heads: int, fast: bool = True):
        super().__init__(width, Attention(width, heads, fast), feed_forward(width))
        self.norm_cross, self.cross = nn.LayerNorm(width), Attention(width, heads, fast)

    def forward(
        self, h: Float[Tensor, "B T D"], past: Cache | None = None, mask: Tensor | None = None,
        turn: Tensor | None = None, source: Cache | None = None, known: Tensor | None = None,
    ) -> tuple[Float[Tensor, "B T D"], Cache]:  # fmt: skip
        """h after this layer, and the layer's new cache of the target."""
        h, cache = self.look(h, past, mask, turn)
        h = h + self.cross(self.norm_cross(h), source, known)
        return h + self.mlp(self.norm_2(h)), cache


class EncoderDecoder(SequenceModel):
    """A transformer that writes x after reading a source: translation, and whatever else has two sides.

    Made for `vocab_size` target symbols and `source_size` source symbols; positions are sinusoidal, so
    neither side has an end. A state comes from `start`; None is a ValueError.
    """

    def __init__(
        self, source_size: int, vocab_size: int, width: int, layers: int, heads: int, fast: bool = True
    ):
        super().__init__()
        if min(source_size, vocab_size, width, layers, heads) < 1 or width % heads or width % 2:
            raise ValueError(
                f"source_size is {source_size}, vocab_size {vocab_size}, width {width}, layers {layers}, "
                f"heads {heads}: expected at least 1 of each, and an even width that the heads can share"
            )
        self.source_size, self.vocab_size = source_size, vocab_size
        self.embed_source, self.embed = nn.Embedding(source_size, width), nn.Embedding(vocab_size, width)
        self.encoder = nn.ModuleList(
            Block(width, Attention(width, heads, fast), feed_forward(width)) for _ in range(layers)
        )
        self.decoder = nn.ModuleList(CrossBlock(width, heads, fast) for _ in range(layers))
        self.norm_source, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.W_y = nn.Linear(width, vocab_size)

    def encode(
        self, source: Int[Tensor, "B S"], known: Bool[Tensor, "B 1 1 S"] | None = None
    ) -> Float[Tensor, "B S D"]:
        """A vector for each source symbol in its context, which is the whole source."""
        h = placed(self.embed_source(source), 0)
        for block in self.encoder:
            h, _ = block(h, mask=known)
        return self.norm_source(h)

    def start(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> Reading:
        """The state before the first target symbol. Row b of the source ends after `lengths[b]` symbols."""
        check_tokens(source, self.source_size)
        B, S = source.shape
        lengths = torch.full((B,), S, device=source.device) if lengths is None else lengths
        if lengths.shape != (B,) or not source.numel() or lengths.min() < 1 or lengths.max() > S:
            raise ValueError(f"source has shape {(B, S)}, lengths are {lengths.tolist()}: "
                             "expected one length a row, from 1 to S")  # fmt: skip
        known = (torch.arange(S, device=source.device) < lengths[:, None])[:, None, None]
        h = self.encode(source, known)
        return Reading(tuple(block.cross.shown(h) for block in self.decoder), known, None)

    def forward(
        self, x: Int[Tensor, "B T"], state: Reading | None = None
    ) -> tuple[Float[Tensor, "B T V"], Reading]:
        """Logits (B, T, V) for the symbol after each of x, given the source that `start` read."""
        check_tokens(x, self.vocab_size)
        if state is None:
            raise ValueError("state is None: begin with state = model.start(source)")
        check_state(state, Reading, len(x))
        check_room(x, state.source, self.decoder, None)
        if not x.shape[1]:
            return self.W_y(self.embed(x)), state
        blocks = (partial(b, source=s, known=state.known) for b, s in zip(self.decoder, state.source))
        h, past = read(blocks, placed(self.embed(x), length(state.past)), state.past)
        return self.W_y(self.norm(h)), state._replace(past=past)


def placed(a: Float[Tensor, "B T D"], start: int) -> Float[Tensor, "B T D"]:
    """a, with the code of its place added; the first stands at `start`."""
    return a + sinusoids(angles(times(start, a.shape[1], a), a.shape[2])).to(a.dtype)
