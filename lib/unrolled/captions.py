"""Captions for pictures: a convolutional network looks, a recurrent one writes (lecture C1 to C4).

    m_s = encoder(picture)                  a vector for each place of the picture
    state after start = core(W_f m)         the picture is the first thing that the writer reads
    h_t = core(embedding of x_t)            a word is read ...
    c_t = sum_s weight_ts m_s               ... the picture is looked at again (with attention) ...
    logits_t = W_y tanh(W_c [c_t, h_t])     ... and the next word gets its score

Without attention the picture is seen once, at the start (Vinyals et al., 2015, arXiv 1411.4555); with it, at
every word anew (Xu et al., 2015, arXiv 1502.03044). The writer's core is any core of the book.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .attention import Attention, mask_of
from .generate import generate, greedy
from .model import Core, SequenceModel, State, check_tokens, device_of, reading
from .pairs import cross_entropy, pad
from .shapes import Float, Int, Tensor


def normal(a: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
    """Each vector with mean 0 and variance 1 over its numbers; zeros stay zeros. Nothing is learned here."""
    return F.layer_norm(a, a.shape[-1:])


class Encoder(nn.Module):
    """A small convolutional network: pictures (B, R, C) to a vector for each place, memory (B, S, M).

    Each layer is a convolution of 3 x 3 and a ReLU; all but the last halve the picture (max pooling). So with
    three layers there is a place for every 4 x 4 pixels, row by row, and M is the last of `channels`.
    """

    def __init__(self, size: tuple[int, int], channels: Sequence[int] = (16, 32, 48)):
        super().__init__()
        halvings = 2 ** (len(channels) - 1)
        if not channels or size[0] % halvings or size[1] % halvings:
            raise ValueError(f"size is {size}: with {len(channels)} layers, expected multiples of {halvings}")
        self.size, self.grid = tuple(size), (size[0] // halvings, size[1] // halvings)
        self.hidden, widths = channels[-1], [1, *channels]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        for layer in self.layers:  # He et al., 2015: as much comes out of a ReLU as went in
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.to(memory_format=torch.channels_last)  # the same numbers in another order: a fifth faster

    def forward(self, pictures: Float[Tensor, "B R C"]) -> Float[Tensor, "B S M"]:
        """A vector for each place. Raises ValueError for pictures of another size."""
        if pictures.ndim != 3 or pictures.shape[1:] != self.size:
            raise ValueError(f"pictures have shape {tuple(pictures.shape)}: expected (B, {self.size})")
        maps = pictures[:, None]
        for layer in self.layers[:-1]:
            maps = F.max_pool2d(layer(maps).relu(), 2)
        return normal(self.layers[-1](maps).relu().flatten(2).mT)


class Looking(NamedTuple):
    """The state of a writer: its core's, the places of the picture, and what they show to be found by."""

    core: State
    memory: Float[Tensor, "B S M"]
    keys: Float[Tensor, "B S K"]


class Captioner(SequenceModel):
    """Writes x about a picture: `encoder` looks, `core` writes, `attention` looks again at every word.

    attention is None, Additive(core.hidden, encoder.hidden, ...) or Multiplicative(core.hidden,
    encoder.hidden). Symbol 0 begins and ends a caption. Read as an input it is empty: a vector of zeros that
    is not learned (C2). With `frozen` the encoder stays as it is, taken from elsewhere (C3). A state comes
    from `start`; None is a ValueError.
    """

    def __init__(
        self,
        encoder: Encoder,
        vocab_size: int,
        core: Core,
        attention: Attention | None = None,
        dropout: float | int = 0.0,
        frozen: bool = False,
    ):
        super().__init__()
        if vocab_size < 1:
            raise ValueError(f"vocab_size is {vocab_size}: it must be at least 1")
        self.encoder, self.vocab_size, self.core, self.attention = encoder, vocab_size, core, attention
        encoder.requires_grad_(not frozen)
        places = encoder.grid[0] * encoder.grid[1]
        self.P = nn.Parameter(torch.randn(places, encoder.hidden) / 4)  # where a place is, learned
        self.W_s = nn.Linear(encoder.hidden, 8)
        self.W_f = nn.Linear(8 * places, core.inputs)
        self.embed, self.dropout = nn.Embedding(vocab_size, core.inputs, padding_idx=0), nn.Dropout(dropout)
        if attention is not None:
            self.W_c = nn.Linear(encoder.hidden + core.hidden, core.hidden)
        self.W_y = nn.Linear(core.hidden, vocab_size)

    def start(self, pictures: Float[Tensor, "B R C"]) -> State:
        """The state before the first word, made from pictures (B, R, C) by the encoder."""
        return self.seen(self.encoder(pictures))

    def seen(self, maps: Float[Tensor, "B S M"]) -> State:
        """The same from what the encoder made of the pictures: a frozen one need look only once."""
        memory = maps + self.P
        feature = normal(self.W_f(self.W_s(maps).flatten(1)))  # as large as a word's vector
        _, state = self.core(feature[:, None])
        if self.attention is None:
            return state
        return Looking(state, memory, self.attention.keys(memory))

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the word after each of x, given the picture that `start` saw."""
        h, _, state = self._read(x, state)
        return self.W_y(self.dropout(h)), state

    def weights(self, x: Int[Tensor, "B T"], state: State) -> Float[Tensor, "B T R C"]:
        """Where it looks in the encoder's grid when it has read x[:, t] and writes the next word."""
        _, weights, _ = self._read(x, state)
        if weights is None:
            raise ValueError("this model was made without attention: there are no weights to look at")
        return weights.unflatten(-1, self.encoder.grid)

    def _read(self, x: Tensor, state: State) -> tuple[Tensor, Tensor | None, State]:
        check_tokens(x, self.vocab_size)
        if state is None:
            raise ValueError("state is None: begin with state = model.start(pictures)")
        a = self.dropout(self.embed(x))
        if self.attention is None:
            h, state = self.core(a, state)
            return h, None, state
        h, core = self.core(a, state.core)
        context, weights = self.attention(h, state.memory, keys=state.keys)
        return torch.tanh(self.W_c(torch.cat([context, h], -1))), weights, state._replace(core=core)


class Captioned(NamedTuple):
    """A batch: pictures (B, R, C) and their captions (B, T), filled up with zeros beyond lengths (B,)."""

    pictures: Float[Tensor, "B R C"]
    captions: Int[Tensor, "B T"]
    lengths: Int[Tensor, "B"]


def caption_loss(model: Captioner, batch: Captioned) -> Float[Tensor, ""]:
    """The cross-entropy of the caption that was given, in bits per word (C2); the first symbol is given."""
    logits, _ = model(batch.captions[:, :-1], model.start(batch.pictures))
    return cross_entropy(logits, batch.captions[:, 1:], batch.lengths - 1)


def jitter(
    pictures: Float[Tensor, "B R C"], strength: float | int, generator: torch.Generator | None = None
) -> Float[Tensor, "B R C"]:
    """The same pictures, each moved, stretched and slanted a little at random: the name stays true.

    With strength 1 by up to 2 pixels, a tenth, and a sixth. 0 changes nothing.
    """
    B, R, C = pictures.shape
    a, b, c, dx, dy = (strength * (2 * torch.rand(5, B, generator=generator) - 1)).unbind()
    rows = [1 + 0.1 * a, c / 6, 4 * dx / C, torch.zeros(B), 1 + 0.1 * b, 4 * dy / R]
    grid = F.affine_grid(torch.stack(rows, -1).view(B, 2, 3), [B, 1, R, C], align_corners=False)
    return F.grid_sample(pictures[:, None], grid.to(pictures), align_corners=False)[:, 0]


class captioned:
    """Endless batches of pictures with captions for `fit`, with the loss that fits them.

    pictures (N, R, C), captions: the ids of each, from 0 to 0. They come in a shuffled order, `jitter`ed with
    this strength; what is left and fills no batch is shuffled anew with all. Same seed, same batches.
    """

    def __init__(
        self,
        pictures: Float[Tensor, "N R C"],
        captions: Sequence[Int[Tensor, "_"]],
        batch: int = 64,
        seed: int = 0,
        strength: float | int = 0.0,
    ):
        if len(pictures) != len(captions) or not 1 <= batch <= len(pictures):
            raise ValueError(f"{len(pictures)} pictures, {len(captions)} captions, batch is {batch}: "
                             "expected as many captions as pictures, and no more in a batch")  # fmt: skip
        self.pictures, (self.captions, self.lengths) = pictures, pad(captions)
        self.batch, self.strength = batch, strength
        self.generator, self.order = torch.Generator().manual_seed(seed), torch.arange(0)

    def __iter__(self) -> "captioned":
        return self

    def __next__(self) -> Captioned:
        if len(self.order) < self.batch:
            self.order = torch.randperm(len(self.pictures), generator=self.generator)
        rows, self.order = self.order[: self.batch], self.order[self.batch :]
        pictures = self.pictures[rows]
        if self.strength:
            pictures = jitter(pictures, self.strength, self.generator)
        longest = int(self.lengths[rows].max())
        return Captioned(pictures, self.captions[rows, :longest], self.lengths[rows])

    def loss(self, model: Captioner, batch: Captioned) -> Float[Tensor, ""]:
        """`caption_loss` of the batch, moved to the model. ValueError for captions of one symbol."""
        if batch.lengths.min() < 2:
            raise ValueError("a caption is shorter than 2 symbols: it takes one to read, one to predict")
        return caption_loss(model, Captioned(*(t.to(device_of(model)) for t in batch)))

    def counted(self, batch: Captioned) -> int:
        """How many symbols the loss is the mean of."""
        return int((batch.lengths - 1).sum())

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of batches stands."""
        return {"generator": self.generator.get_state(), "order": self.order}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])
        self.order = tensors["order"]


@torch.no_grad()
def describe(model: Captioner, pictures: Float[Tensor, "B R C"], steps: int = 16) -> list[Int[Tensor, "_"]]:
    """The caption that the model writes for each picture, the likeliest word each time, without the ends.

    A caption that has not ended is cut off after `steps` words.
    """
    with reading(model):
        state = model.start(pictures)
    first = torch.zeros(len(pictures), 1, dtype=torch.long, device=pictures.device)
    out = generate(model, first, steps, greedy, state, stop=0)[:, 1:]
    return [row[(row == 0).cumsum(0) == 0] for row in out]


@torch.no_grad()
def scores(model: Captioner, batch: Captioned) -> tuple[float, float]:
    """The shares of words and of whole captions that are right.

    A word counts as right where it is the likeliest after the true beginning, the end of the caption
    included; a caption where the model writes all of it by itself.
    """
    with reading(model):
        logits, _ = model(batch.captions[:, :-1], model.start(batch.pictures))
    real = mask_of(batch.lengths - 1, logits.shape[1])
    right = (logits.argmax(-1) == batch.captions[:, 1:])[real]
    written = describe(model, batch.pictures, batch.captions.shape[1])
    true = [row[1 : n - 1] for row, n in zip(batch.captions, batch.lengths.tolist())]
    whole = sum(a.equal(b) for a, b in zip(written, true)) / max(1, len(true))
    return right.float().mean().item(), whole
