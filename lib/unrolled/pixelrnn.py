"""Pictures by recurrent networks in two dimensions: Row LSTM, Diagonal BiLSTM, and any core along any order.

van den Oord, Kalchbrenner and Kavukcuoglu (2016), "Pixel recurrent neural networks", arXiv 1601.06759. The
lecture's X1 to X5. Both LSTMs of the paper keep a whole front of states: the Row LSTM one for each place of
the row above, the Diagonal BiLSTM one for each row that a diagonal crosses. So a picture takes as many steps
as it has rows, or diagonals, and not as many as it has pixels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .model import Core, SequenceModel, State, check_state, check_tokens
from .orders import Order
from .raster import Below, Conv, Left, Look, PixelModel, Pixels, check_picture, check_room
from .shapes import Float, Int, Tensor


def cell(
    gates: Float[Tensor, "B H4 *N"], c: Float[Tensor, "B H *N"]
) -> tuple[Float[Tensor, "B H *N"], Float[Tensor, "B H *N"]]:
    """The LSTM's update at every place at once (lecture M1 to M4): c' = f c + i g, h = o tanh(c')."""
    o, f, i, g = gates.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


# ---- Row LSTM ----------------------------------------------------------------------------------------


class Row(NamedTuple):
    """What a Row LSTM keeps: the end of its input's row; told and c of the row above; h and c so far."""

    left: Float[Tensor, "B D 1 K"]
    told: Float[Tensor, "B H4 C"]
    above: Float[Tensor, "B H C"]
    h: Float[Tensor, "B H N"]
    c: Float[Tensor, "B H N"]


class RowLSTM(nn.Module):
    """An LSTM that reads from top to bottom, at all columns at once; 2h channels in, 2h channels out.

    At place (r, c) the gates add two convolutions: over the input at (r, c - 1) and (r, c), and over the
    states h at (r - 1, c - 1) to (r - 1, c + 1). So a state sees a triangle of the rows above it.
    """

    def __init__(self, hidden: int, columns: int):
        super().__init__()
        self.hidden, self.columns = hidden, columns
        self.left = Left(2 * hidden, 4 * hidden, 1)
        self.down = nn.Conv1d(hidden, 4 * hidden, 3, padding=1, bias=False)
        self.widen = Conv(hidden, 2 * hidden, 1)

    def forward(
        self, a: Float[Tensor, "B D R N"], state: Row | None, column: int
    ) -> tuple[Float[Tensor, "B D R N"], Row]:
        """a + widen(h), row after row."""
        state = state or self._begin(a)
        gates, left = self.left(a, state.left, column)
        state, rows = state._replace(left=left), []
        for row in gates.unbind(2):
            h, state = self._row(row, state)
            rows.append(h)
        return a + self.widen(torch.stack(rows, 2)), state

    def _row(self, gates: Float[Tensor, "B H4 N"], state: Row) -> tuple[Float[Tensor, "B H N"], Row]:
        """The next places of the row under way; at its end it becomes the row above."""
        first = state.h.shape[-1]
        here = slice(first, first + gates.shape[-1])
        h, c = cell(gates + state.told[..., here], state.above[..., here])
        row, memory = torch.cat([state.h, h], -1), torch.cat([state.c, c], -1)
        if row.shape[-1] < self.columns:
            return h, state._replace(h=row, c=memory)
        return h, Row(state.left, self.down(row), memory, row[..., :0], row[..., :0])

    def _begin(self, a: Float[Tensor, "B D R N"]) -> Row:
        B, h, C = len(a), self.hidden, self.columns
        none = a.new_zeros(B, h, 0)
        return Row(a[:, :, :1, :0], a.new_zeros(B, 4 * h, C), a.new_zeros(B, h, C), none, none)


class PixelRowLSTM(PixelModel):
    """The paper's Row LSTM for pictures: a first look at 7 x 7 pixels, then `layers` Row LSTMs.

    levels: grey levels, 2 for black and white; size: (rows, columns); hidden: the paper's h, half the
    channels.
    """

    def __init__(self, levels: int, size: tuple[int, int], hidden: int = 16, layers: int = 7):
        check_picture(levels, size, hidden=hidden, layers=layers)
        look = Look(Pixels(levels, 8, size[1]), 2 * hidden, 7)
        super().__init__(levels, size, 2 * hidden, look, [RowLSTM(hidden, size[1]) for _ in range(layers)])


# ---- Diagonal BiLSTM ---------------------------------------------------------------------------------


def skew(a: Float[Tensor, "*B R C"]) -> Float[Tensor, "*B R S"]:
    """Move row r right by r places: diagonals become columns, S = C + R - 1 of them; the corners are 0."""
    R, C = a.shape[-2:]
    return F.pad(a, (0, R)).flatten(-2)[..., : R * (C + R - 1)].unflatten(-1, (R, C + R - 1))


def unskew(a: Float[Tensor, "*B R S"]) -> Float[Tensor, "*B R C"]:
    """The inverse of `skew`: row r back left by r places, and the corners cut off."""
    R, S = a.shape[-2:]
    return F.pad(a.flatten(-2), (0, R)).unflatten(-1, (R, S + 1))[..., : S - R + 1]


def diagonals(
    gates: Float[Tensor, "B H4 R N"],
    above: Float[Tensor, "B H N"],
    left: tuple[Float[Tensor, "B H R"], Float[Tensor, "B H R"]],
    mix: nn.Conv1d,
) -> tuple[Float[Tensor, "B H R N"], tuple[Float[Tensor, "B H R"], Float[Tensor, "B H R"]]]:
    """An LSTM at every place, from its left neighbour's (h, c) and its upper neighbour's h, by diagonals.

    gates: the input's part; above: h of the row above the first; left: (h, c) before the first column; mix:
    the convolution of width 2 over (upper, left). Returns all h, and (h, c) on the last diagonal.
    """
    R, N = gates.shape[2:]
    skewed, inside = skew(gates), skew(gates.new_ones(R, N))
    above, (h, c), found = F.pad(above, (0, R - 1)), left, []
    for s in range(N + R - 1):
        h, c = cell(skewed[..., s] + mix(torch.cat([above[..., s : s + 1], h], -1)), c)
        h, c = h * inside[:, s], c * inside[:, s]  # before its first place, a row's state is zero
        found.append(h)
    return unskew(torch.stack(found, -1)), (h, c)


class FromLeft(nn.Module):
    """The half from the upper left. State: h of the row above, h and the last c of the row under way."""

    def __init__(self, hidden: int, columns: int):
        super().__init__()
        self.columns, self.hidden = columns, hidden
        self.W_x = Conv(2 * hidden, 4 * hidden, 1)
        self.mix = nn.Conv1d(hidden, 4 * hidden, 2, bias=False)

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B H R N"], State]:
        """h at each place of a block that begins at `column`."""
        zeros = a.new_zeros(len(a), self.hidden, max(a.shape[2], self.columns))
        above, row, c = state or (zeros[..., : self.columns], zeros[..., :0], zeros[..., :1])
        start = (row[..., -1:], c) if column else (zeros[..., : a.shape[2]],) * 2
        h, (_, c) = diagonals(self.W_x(a), above[..., column : column + a.shape[-1]], start, self.mix)
        row = torch.cat([row, h[:, :, -1]], -1) if column else h[:, :, -1]
        if row.shape[-1] == self.columns:
            above, row = row, row[..., :0]
        return h, (above, row, c[..., -1:])


class FromRight(nn.Module):
    """The half that comes from the upper right, over complete rows: it sees pixels right of a place.

    So what it knows of a row may be told only to the row below.
    """

    def __init__(self, hidden: int):
        super().__init__()
        self.W_x = Conv(2 * hidden, 4 * hidden, 1)
        self.mix = nn.Conv1d(hidden, 4 * hidden, 2, bias=False)

    def forward(self, a: Float[Tensor, "B D R C"], above: State) -> tuple[Float[Tensor, "B H R C"], State]:
        """h at each place of whole rows; the state is h of the last row, from right to left."""
        gates = self.W_x(a).flip(-1)
        zeros = gates.new_zeros(len(a), gates.shape[1] // 4, max(gates.shape[2:]))
        above = zeros[..., : a.shape[-1]] if above is None else above
        h, _ = diagonals(gates, above, (zeros[..., : a.shape[2]],) * 2, self.mix)
        return h.flip(-1), h[:, :, -1]


class DiagonalBiLSTM(nn.Module):
    """Two LSTMs along the diagonals, one from each upper corner: together they see all pixels read so far.

    All but one: no feature knows the pixel of its own place, so the last pixel of the row above is seen only
    from near by. 2h channels in and out: a + widen(h from the left + h from the right, one row lower).
    """

    def __init__(self, hidden: int, columns: int):
        super().__init__()
        self.left = FromLeft(hidden, columns)
        self.right = Below(FromRight(hidden), hidden, columns)
        self.widen = Conv(hidden, 2 * hidden, 1)

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B D R N"], State]:
        """Read a block that begins at `column`."""
        left, right = state or (None, None)
        h, left = self.left(a, left, column)
        told, right = self.right(a, right, column)
        return a + self.widen(h + told), (left, right)


class PixelDiagonalBiLSTM(PixelModel):
    """The paper's Diagonal BiLSTM for pictures; arguments as in PixelRowLSTM."""

    def __init__(self, levels: int, size: tuple[int, int], hidden: int = 16, layers: int = 7):
        check_picture(levels, size, hidden=hidden, layers=layers)
        look, stack = Look(Pixels(levels, 8, size[1]), 2 * hidden, 7), range(layers)
        super().__init__(levels, size, 2 * hidden, look, [DiagonalBiLSTM(hidden, size[1]) for _ in stack])


# ---- any core, along any order -----------------------------------------------------------------------


class Walk(NamedTuple):
    """A picture so far along an order: seen (B, t) symbols from start on, and the core's state."""

    seen: Int[Tensor, "B t"]
    core: State


class PixelWalk(SequenceModel):
    """A picture as one long line for any core (lecture X1, X4): an LSTM, say, along any order of the pixels.

    The core reads the last pixel and where the next one lies: embed(x_t) + row + column of place t. So one
    model serves every order, a shuffled one too. Symbols as in `raster`: [start, the pixels in this order].
    """

    def __init__(self, levels: int, order: Order, core: Core):
        super().__init__()
        check_picture(levels, order.size)
        self.levels, self.size, self.vocab_size, self.core = levels, order.size, levels + 1, core
        self.embed = nn.Embedding(levels + 1, core.inputs)
        self.row, self.column = (nn.Embedding(n, core.inputs) for n in order.size)
        self.W_y = nn.Linear(core.hidden, levels)
        self.register_buffer("places", order.places)

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the pixel after each symbol, -inf for start; the state is a Walk."""
        check_tokens(x, self.vocab_size)
        check_state(state, Walk, len(x))
        seen, core = state or (x[:, :0], None)
        check_room(seen.shape[1] + x.shape[1], self.size)
        places = self.places[seen.shape[1] : seen.shape[1] + x.shape[1]]
        a = self.embed(x) + self.row(places // self.size[1]) + self.column(places % self.size[1])
        h, core = self.core(a, core)
        state = Walk(torch.cat([seen, x], 1), core) if x.shape[1] else state
        return F.pad(self.W_y(h), (0, 1), value=-torch.inf), state
