"""Pictures by convolutions that see only the past: PixelCNN, and its gated form without a blind spot.

van den Oord, Kalchbrenner and Kavukcuoglu (2016), "Pixel recurrent neural networks", arXiv 1601.06759; van
den Oord et al. (2016), "Conditional image generation with PixelCNN decoders", arXiv 1606.05328. Lecture X1
to X5.

A masked convolution multiplies its kernel by 0 wherever it would see a pixel that is not read yet. Here the
kernel is cut in two instead, the rows above and the left part of its own row: the same sums, less work, and
what the rows above say is ready when a pixel is drawn.
"""

from typing import NamedTuple

import torch
from torch import nn

from .model import State
from .raster import Below, Conv, Down, Left, Look, PixelModel, Pixels, check_picture
from .shapes import Float, Int, Tensor


def mask(kernel: int, kind: str, colours: int = 1) -> Float[Tensor, "O I K K"]:
    """The mask of a K x K kernel from `colours` to `colours` channels: 1 where it may look, else 0.

    It may look at the rows above and at what is left of the centre. At the centre, kind "A" (for the first
    layer) lets each colour see the colours before it, kind "B" itself too: red first, then green, then blue.
    Raises ValueError for an even kernel.
    """
    if kernel < 1 or kernel % 2 == 0 or kind not in ("A", "B"):
        raise ValueError(f"kernel is {kernel} and kind is {kind!r}: expected an odd number, and 'A' or 'B'")
    p, see = kernel // 2, torch.zeros(colours, colours, kernel, kernel)
    see[:, :, :p] = 1
    see[:, :, p, :p] = 1
    see[:, :, p, p] = torch.ones(colours, colours).tril(-1 if kind == "A" else 0)
    return see


def gate(a: Float[Tensor, "B D2 R N"]) -> Float[Tensor, "B D R N"]:
    """tanh(first half) * sigmoid(second half): the gated unit, an LSTM's output gate without the memory."""
    f, g = a.chunk(2, 1)
    return torch.tanh(f) * torch.sigmoid(g)


class Masked(nn.Module):
    """A masked convolution of kind B: it sees `kernel` // 2 rows above, and its own row up to the place."""

    def __init__(self, inputs: int, outputs: int, kernel: int, columns: int):
        super().__init__()
        self.left = Left(inputs, outputs, kernel // 2)
        self.above = Below(Down(inputs, outputs, kernel // 2, kernel), outputs, columns)

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B O R N"], State]:
        """Convolve a block that begins at `column`."""
        left, above = state or (None, None)
        h, left = self.left(a, left, column)
        told, above = self.above(a, above, column)
        return h + told, (left, above)


class Residual(nn.Module):
    """PixelCNN's block: 2h channels down to h, a masked convolution, up to 2h again, added to the input."""

    def __init__(self, hidden: int, kernel: int, columns: int):
        super().__init__()
        self.narrow, self.widen = Conv(2 * hidden, hidden, 1), Conv(hidden, 2 * hidden, 1)
        self.look = Masked(hidden, hidden, kernel, columns)

    def forward(
        self, a: Float[Tensor, "B D R N"], state: State, column: int
    ) -> tuple[Float[Tensor, "B D R N"], State]:
        """a + widen(relu(masked(relu(narrow(relu(a))))))."""
        h, state = self.look(self.narrow(a.relu()).relu(), state, column)
        return a + self.widen(h.relu()), state


class PixelCNN(PixelModel):
    """A stack of masked convolutions: the first one sees 7 x 7 pixels, `layers` more see 3 x 3 features each.

    levels: grey levels of a pixel, 2 for black and white; size: (rows, columns); hidden: the paper's h, half
    the channels. It never sees a wedge of pixels to the upper right, however deep: the blind spot.
    """

    def __init__(
        self, levels: int, size: tuple[int, int], hidden: int = 32, layers: int = 7, kernel: int = 3
    ):
        check_picture(levels, size, hidden=hidden, layers=layers)
        mask(kernel, "B")  # says what is wrong with a kernel
        look = Look(Pixels(levels, 8, size[1]), 2 * hidden, 7)
        stack = [Residual(hidden, kernel, size[1]) for _ in range(layers)]
        super().__init__(levels, size, 2 * hidden, look, stack)


class Stacks(NamedTuple):
    """What a gated layer keeps: the last rows of its vertical stack, what they told, the row's end."""

    rows: Float[Tensor, "B D K C"]
    told: Float[Tensor, "B D2 1 C"]
    left: Float[Tensor, "B D 1 K"]


class Gated(nn.Module):
    """One layer of the gated PixelCNN: two stacks of features, so that there is no blind spot.

    The vertical stack v reads all rows above, to the left and to the right; the horizontal stack h reads its
    own row up to the place, and what v tells. v never reads h: h knows things that are not above.
    """

    def __init__(self, inputs: int, hidden: int, reach: int):
        super().__init__()
        self.vertical = Down(inputs, 2 * hidden, reach + 1, 2 * reach + 1)
        self.bias = nn.Parameter(torch.zeros(2 * hidden, 1, 1))
        self.tell = nn.Conv2d(2 * hidden, 2 * hidden, 1, bias=False)
        self.left, self.out = Left(inputs, 2 * hidden, reach), Conv(hidden, hidden, 1)
        self.residual = inputs == hidden

    def forward(
        self,
        v: Float[Tensor, "B D R C"] | None,
        h: Float[Tensor, "B D R N"],
        state: Stacks | None,
        column: int,
    ) -> tuple[Float[Tensor, "B H R C"] | None, Float[Tensor, "B H R N"], Stacks]:
        """Both stacks one layer up; v is None in the midst of a row: nothing new is above."""
        rows, told, left = state or (None, None, None)
        if v is not None:
            v, rows = self.vertical(v, rows)
            told, v = self.tell(v + self.bias), gate(v + self.bias)
        g, left = self.left(h, left, column)
        new = self.out(gate(g + told[..., column : column + g.shape[-1]]))
        return v, (h + new if self.residual else new), Stacks(rows, told[:, :, -1:], left)


class GatedPixelCNN(PixelModel):
    """The gated PixelCNN: every place sees all pixels before it that are near enough, on both sides.

    levels, size as in PixelCNN; hidden: channels of each stack; reach: how many columns to each side and rows
    up a layer sees (1: a 3 x 3 kernel). The first layer sees 3 to each side, and 4 pixels up and to the left.
    """

    def __init__(
        self, levels: int, size: tuple[int, int], hidden: int = 32, layers: int = 7, reach: int = 1
    ):
        check_picture(levels, size, hidden=hidden, layers=layers, reach=reach)
        stack = [Gated(8, hidden, 3), *(Gated(hidden, hidden, reach) for _ in range(layers - 1))]
        super().__init__(levels, size, hidden, Pixels(levels, 8, size[1]), stack)

    def read(
        self, seen: Int[Tensor, "B t"], block: tuple[int, int], states: tuple
    ) -> tuple[Float[Tensor, "B D R N"], tuple]:
        """The horizontal stack's last features at the last places of seen, and what all layers keep."""
        column, new = (seen.shape[1] - block[0] * block[1]) % self.size[1], []
        h, v = self.look(seen, *block)
        for layer, state in zip(self.layers, states):
            v, h, state = layer(v, h, state, column)
            new.append(state)
        return h, tuple(new)
