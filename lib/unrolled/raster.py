"""Reading a picture row by row: what PixelCNN and PixelRNN have in common.

A picture of R rows and C columns is the sequence [start, pixel 0, pixel 1, ...] in raster order, so the first
pixel has a distribution too: the logits after x[:, t] score pixel t. `levels` grey levels are the tokens 0 to
levels - 1, and `start` = levels is the last of the V = levels + 1 symbols; no pixel is ever start.

What a layer may see of a picture that is being read falls into two parts: all of the rows above, and the
left part of the row under way. The rows above have their say once, when they are complete (`Down`, `Below`);
the row under way is read from left to right (`Left`). So one layer serves both: a whole picture at once, in
parallel, and one pixel more, at the cost of one pixel.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .model import SequenceModel, State, check_state, check_tokens
from .shapes import Float, Int, Tensor


class Picture(NamedTuple):
    """A picture so far: seen (B, t) holds start and all pixels read; layers, what each layer keeps."""

    seen: Int[Tensor, "B t"]
    layers: tuple


def blocks(place: int, T: int, columns: int) -> list[tuple[int, int]]:
    """Cut the T places from `place` on into the rest of a row, whole rows, and the beginning of a row.

    Each block is (rows, columns); empty ones are left out.
    """
    rest = min(T, -place % columns)
    whole, begun = divmod(T - rest, columns)
    return [(r, c) for r, c in ((1, rest), (whole, columns), (1, begun)) if r * c]


class Conv(nn.Conv2d):
    """nn.Conv2d without padding; at a single place, it is one product of matrices.

    For several pictures that is several times as fast as the machinery of a convolution, for one it is not.
    """

    def forward(self, a: Float[Tensor, "B D R N"]) -> Float[Tensor, "B O R2 N2"]:
        """The convolution."""
        if len(a) > 1 and a.shape[2:] == self.weight.shape[2:]:
            return F.linear(a.flatten(1), self.weight.flatten(1), self.bias)[..., None, None]
        return super().forward(a)


class Left(Conv):
    """A convolution along each row that sees a place and the `reach` places left of it.

    The state is the end of the row under way, (B, D, 1, reach).
    """

    def __init__(self, inputs: int, outputs: int, reach: int):
        super().__init__(inputs, outputs, (1, reach + 1))
        self.reach = reach

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B O R N"], State]:
        """Convolve a block that begins at `column`; nothing is left of column 0."""
        line = torch.cat([state, a], -1) if column else F.pad(a, (self.reach, 0))
        return super().forward(line), line[:, :, -1:, a.shape[-1] :]


class Down(nn.Conv2d):
    """A convolution over complete rows, each with the `height` - 1 rows above it and `width` columns.

    The state is the last rows, (B, D, height - 1, C).
    """

    def __init__(self, inputs: int, outputs: int, height: int, width: int):
        super().__init__(inputs, outputs, (height, width), padding=(0, width // 2), bias=False)

    def forward(self, a: Float[Tensor, "B D R C"], state: State) -> tuple[Float[Tensor, "B O R C"], State]:
        """Convolve whole rows; nothing is above the first one."""
        line = F.pad(a, (0, 0, self.kernel_size[0] - 1, 0)) if state is None else torch.cat([state, a], 2)
        return super().forward(line), line[:, :, a.shape[2] :]


class Below(nn.Module):
    """What complete rows tell the row below them, whatever `down` does with complete rows.

    down(rows (B, D, R, C), memory) returns told (B, outputs, R, C) and its memory. The state is the row under
    way in pieces, as they came (to join them at each pixel would cost more), the memory, and what the last
    complete row told.
    """

    def __init__(self, down: nn.Module, outputs: int, columns: int):
        super().__init__()
        self.down, self.outputs, self.columns = down, outputs, columns

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B O R N"], State]:
        """Read a block that begins at `column`; at each of its places, what was told from above."""
        pieces, memory, told = state or ((), None, a.new_zeros(len(a), self.outputs, 1, self.columns))
        pieces, end = (*pieces, a), column + a.shape[-1]
        if end < self.columns:
            return told[..., column:end], (pieces, memory, told)
        new, memory = self.down(torch.cat(pieces, -1), memory)
        above = torch.cat([told, new[:, :, :-1]], 2)[..., column:]
        return above, ((), memory, new[:, :, -1:])


class Pixels(nn.Module):
    """From symbols to the pixels around each place: its left neighbour, and the whole row above it.

    A neighbour outside the picture is the symbol start, whose vector is zero. Moved by one to the right and
    by one down, pixels are in the past: whatever looks at them where they are now is causal.
    """

    def __init__(self, levels: int, channels: int, columns: int):
        super().__init__()
        self.start, self.columns = levels, columns
        self.embed = nn.Embedding(levels + 1, channels, padding_idx=levels)

    def forward(
        self, seen: Int[Tensor, "B t"], rows: int, n: int
    ) -> tuple[Float[Tensor, "B D R N"], Float[Tensor, "B D R C"] | None]:
        """The left neighbours of the last rows x n places, and the rows above (None within a row)."""
        place = seen.shape[1] - rows * n
        left = seen[:, place:].unflatten(1, (rows, n))
        if place % self.columns:
            return self._vectors(left), None
        first = place - self.columns + 1  # the first pixel of the row above, at its place in seen
        above = F.pad(seen[:, max(0, first) :], (max(0, -first), 0), value=self.start)
        above = above[:, : rows * self.columns].unflatten(1, (rows, self.columns))
        left = F.pad(left[:, :, 1:], (1, 0), value=self.start)
        return self._vectors(left), self._vectors(above)

    def _vectors(self, x: Int[Tensor, "B R N"]) -> Float[Tensor, "B D R N"]:
        return self.embed(x).permute(0, 3, 1, 2).contiguous()


class Look(nn.Module):
    """The first layer: a convolution over the pixels around a place, but not the place itself (mask A)."""

    def __init__(self, pixels: Pixels, channels: int, kernel: int):
        super().__init__()
        self.pixels, inputs = pixels, pixels.embed.embedding_dim
        self.left = Left(inputs, channels, kernel // 2 - 1)
        self.down = Down(inputs, channels, kernel // 2, kernel)

    def forward(
        self, seen: Int[Tensor, "B t"], block: tuple[int, int], state: State
    ) -> tuple[Float[Tensor, "B D R N"], State]:
        """Features at the last places of seen; the state: the row's end, the last rows, what they told."""
        left, above = self.pixels(seen, *block)
        end, memory, told = state or (None, None, None)
        column = (seen.shape[1] - block[0] * block[1]) % self.pixels.columns
        if above is not None:
            told, memory = self.down(above, memory)
        h, end = self.left(left, end, column)
        return h + told[..., column : column + block[1]], (end, memory, told[:, :, -1:])


class PixelModel(SequenceModel):
    """A first look at the pixels, then layers that pass features on, then logits: ReLU, 1 x 1, ReLU, 1 x 1.

    layer(a (B, D, R, N), state, column) returns h (B, D, R, N) and its state, for a block of R rows of N
    places from `column` on. Reading more than R * C symbols (start, and all pixels but the last) raises a
    ValueError: the picture is full.
    """

    def __init__(
        self, levels: int, size: tuple[int, int], channels: int, look: nn.Module, layers: Sequence[nn.Module]
    ):
        super().__init__()
        self.levels, self.size, self.vocab_size = levels, size, levels + 1
        self.look, self.layers = look, nn.ModuleList(layers)
        self.head = nn.Sequential(
            nn.ReLU(), Conv(channels, channels, 1), nn.ReLU(), Conv(channels, levels, 1)
        )

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the pixel after each symbol, -inf for start; the state is a Picture."""
        check_tokens(x, self.vocab_size)
        check_state(state, Picture, len(x))
        seen, layers = state or (x[:, :0], (None,) * (len(self.layers) + 1))
        check_room(seen.shape[1] + x.shape[1], self.size)
        logits = [self.head[-1].bias.new_zeros(len(x), 0, self.levels)]
        for block in blocks(seen.shape[1], x.shape[1], self.size[1]):
            piece, x = x.tensor_split([block[0] * block[1]], 1)
            seen = torch.cat([seen, piece], 1)
            h, layers = self.read(seen, block, layers)
            logits.append(self.head(h).flatten(2).mT)
        state = Picture(seen, layers) if len(logits) > 1 else state
        return F.pad(torch.cat(logits, 1), (0, 1), value=-torch.inf), state

    def read(
        self, seen: Int[Tensor, "B t"], block: tuple[int, int], states: tuple
    ) -> tuple[Float[Tensor, "B D R N"], tuple[Any, ...]]:
        """Features at the last places of seen, a block of (rows, columns), and what all layers keep."""
        h, first = self.look(seen, block, states[0])
        column, new = (seen.shape[1] - block[0] * block[1]) % self.size[1], [first]
        for layer, state in zip(self.layers, states[1:]):
            h, state = layer(h, state, column)
            new.append(state)
        return h, tuple(new)


def check_picture(levels: int, size: tuple[int, int], **counts: int) -> None:
    """Raise a ValueError that says what is wrong with the arguments of a model of pictures."""
    if levels < 2 or min(size) < 1:
        raise ValueError(f"levels is {levels}, size is {size}: expected 2 levels or more, (rows, columns)")
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} is {count}: expected at least 1")


def check_room(t: int, size: tuple[int, int]) -> None:
    """Raise a ValueError unless a picture of this size has room for t symbols: start, and t - 1 pixels."""
    if t > size[0] * size[1]:
        raise ValueError(f"x and state hold {t} symbols: a picture of {size[0]} x {size[1]} pixels has room "
                         f"for start and {size[0] * size[1] - 1} pixels")
