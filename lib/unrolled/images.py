"""Pictures and models of pictures: drawing, completing, measuring (lecture X1 to X5).

A picture is (R, C) whole numbers, grey levels from 0. Any model of the law reads it as [start, the pixels in
some order], where start is the model's last symbol, `vocab_size - 1`: so the first pixel has a distribution
too. The order is raster unless you give another; a model trained on one order knows no other.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator

import torch

from . import data
from .generate import sample
from .model import SequenceModel, State, device_of, in_float64, reading
from .orders import Order, raster
from .shapes import Bool, Float, Int, Tensor

Pick = Callable[[Float[Tensor, "B V"]], Int[Tensor, "B"]]


def tokens(pictures: Int[Tensor, "B R C"], start: int, order: Order | None = None) -> Int[Tensor, "B T"]:
    """[start, the pixels in this order] for each picture: T = R * C + 1 tokens.

    ValueError for levels outside 0 to start - 1; as in `check_tokens`, that is looked at on the CPU only.
    """
    order = order or raster(*pictures.shape[1:])
    line = order.line(pictures).long()
    if line.numel() and line.device.type == "cpu":
        low, high = (int(end) for end in line.aminmax())
        if low < 0 or high >= start:
            raise ValueError(f"pictures hold levels {low} to {high}: this model knows 0 to {start - 1}")
    return torch.cat([line.new_full((len(line), 1), start), line], 1)


# ---- measuring ---------------------------------------------------------------------------------------


@torch.no_grad()
def predictions(
    model: SequenceModel, pictures: Int[Tensor, "B R C"], order: Order | None = None
) -> Iterator[tuple[Float[Tensor, "b N V"], Int[Tensor, "b N"]]]:
    """For 64 pictures at a time: log p(pixel | all before it) in float64, and the pixels, in this order."""
    with reading(model):
        for some in tokens(pictures, model.vocab_size - 1, order).split(64):
            log_p = in_float64(model(some[:, :-1])[0]).log_softmax(-1)
            yield log_p, some[:, 1:].to(log_p.device)


def surprise_map(
    model: SequenceModel, pictures: Int[Tensor, "B R C"], order: Order | None = None
) -> Float[Tensor, "B R C"]:
    """How surprising each pixel is when its turn comes, -log2 p, in bits."""
    found = [log_p.gather(-1, x[..., None])[..., 0] for log_p, x in predictions(model, pictures, order)]
    return (order or raster(*pictures.shape[1:])).picture(torch.cat(found) / -math.log(2))


def entropy_map(
    model: SequenceModel, pictures: Int[Tensor, "B R C"], order: Order | None = None
) -> Float[Tensor, "B R C"]:
    """How unsure the model is before it sees each pixel: the entropy of its prediction, in bits (row X2)."""
    found = [torch.special.entr(log_p.exp()).sum(-1) for log_p, _ in predictions(model, pictures, order)]
    return (order or raster(*pictures.shape[1:])).picture(torch.cat(found) / math.log(2))


def nats(
    model: SequenceModel, pictures: Int[Tensor, "B R C"], order: Order | None = None
) -> Float[Tensor, "B"]:
    """-ln p(picture) of each picture, by the chain rule (row X1); papers give the mean over a test set."""
    return surprise_map(model, pictures, order).sum((1, 2)) * math.log(2)


def bits_per_dim(nats: float | Float[Tensor, "*B"], dims: int) -> float | Float[Tensor, "*B"]:
    """Nats per image as bits per dimension; dims counts every number: rows x columns x colours."""
    if dims < 1:
        raise ValueError(f"dims is {dims}: expected rows x columns x colours, at least 1")
    return nats / (dims * math.log(2))


@torch.no_grad()
def sees(model: SequenceModel, picture: Int[Tensor, "R C"], place: tuple[int, int]) -> Bool[Tensor, "R C"]:
    """Which pixels the prediction at (row, column) hangs on: where another level would change it at all.

    For models that read in raster order. Small numbers get lost in float32: ask a model in float64.
    """
    C, start = picture.shape[1], model.vocab_size - 1
    x, t = tokens(picture[None], start), place[0] * C + place[1]
    found = torch.zeros(picture.numel(), dtype=torch.bool)
    with reading(model):
        as_it_is = model(x[:, : t + 1])[0][:, t]
        for i in range(t):
            other = x[:, : t + 1].clone()
            other[:, i + 1] = (other[:, i + 1] + 1) % start
            found[i] = not model(other)[0][:, t].equal(as_it_is)
    return found.view(picture.shape)


# ---- drawing -----------------------------------------------------------------------------------------


@torch.no_grad()
def complete(
    model: SequenceModel,
    pictures: Int[Tensor, "B R C"],
    known: Bool[Tensor, "R C"],
    order: Order | None = None,
    pick: Pick = sample,
) -> Int[Tensor, "B R C"]:
    """Keep the known pixels and let the model draw the others, each after all before it (row X3).

    known (R, C): any mask; `upper_half` is the lecture's. What the model draws fits all that came before in
    its order; it cannot look ahead at known pixels that come later. pick chooses from the logits of the
    levels, as in `generate`.
    """
    start, order = model.vocab_size - 1, order or raster(*pictures.shape[1:])
    x, given = tokens(pictures, start, order), [True, *order.line(known.long()).bool().tolist()]
    read, state = 0, None
    with reading(model):
        for t in (t for t, kept in enumerate(given) if not kept):
            logits, state = _read(model, x[:, read:t], state)
            x[:, t], read = pick(logits[..., :start]), t
    return order.picture(x[:, 1:])


def _read(model: SequenceModel, x: Int[Tensor, "B T"], state: State) -> tuple[Float[Tensor, "B V"], State]:
    logits, state = model(x, state)
    return logits[:, -1], state


def draw(
    model: SequenceModel, n: int, size: tuple[int, int], order: Order | None = None, pick: Pick = sample
) -> Int[Tensor, "n R C"]:
    """n new pictures, pixel by pixel from nothing (row X5)."""
    blank = torch.zeros(n, *size, dtype=torch.long, device=device_of(model))
    return complete(model, blank, torch.zeros(size, dtype=torch.bool), order, pick)


def upper_half(rows: int, columns: int) -> Bool[Tensor, "R C"]:
    """The mask of the lecture's example: the upper half is known, the model draws the lower (row X3)."""
    return (torch.arange(rows) < rows // 2)[:, None].expand(rows, columns)


# ---- pictures ----------------------------------------------------------------------------------------


def digits(levels: int = 2) -> Int[Tensor, "N R C"]:
    """The 1,797 handwritten digits of scikit-learn, 8 x 8: 17 grey levels, or 2 (ink from 8 of 16 on)."""
    if levels not in (2, 17):
        raise ValueError(f"levels is {levels}: expected 2 or 17")
    pictures, _ = data.digits()
    return pictures if levels == 17 else (pictures >= 8).long()


def binarised_mnist(part: str) -> Int[Tensor, "N R C"]:
    """The fixed binarised MNIST of Larochelle and Murray (2011), 28 x 28: 50,000 train, 10,000 valid, test.

    int8 levels 0 and 1; published nats are on "test". DataError where the files cannot be had.
    """
    if part not in ("train", "valid", "test"):
        raise ValueError(f"part is {part!r}: expected 'train', 'valid' or 'test'")
    raw = data.path("binarized_mnist", f"binarized_mnist_{part}.amat").read_bytes()
    matrix = zlib.decompress(raw[136:])  # MATLAB 5: 128 bytes of header, the tag of one packed matrix
    n, N = struct.unpack("<2I", matrix[32:40])  # its rows and columns; the numbers themselves begin at 56
    columns = torch.frombuffer(bytearray(matrix[56 : 56 + n * N]), dtype=torch.int8).view(N, n)
    return columns.T.contiguous().view(n, 28, 28)


class shuffles:
    """Endless batches (batch, T) of `tokens`, for `train.fit`, in a shuffled order of the pictures.

    What is left of an order when it fills no batch is left out, and all are shuffled anew. Pictures may be
    int8, and lie on the device where the model is. The same seed gives the same batches.
    """

    def __init__(
        self,
        pictures: Int[Tensor, "N R C"],
        start: int,
        batch: int = 32,
        order: Order | None = None,
        seed: int = 0,
    ):
        if not 1 <= batch <= len(pictures):
            raise ValueError(f"batch is {batch}: expected 1 to {len(pictures)}, the number of pictures")
        self.pictures, self.start, self.batch, self.order = pictures, start, batch, order
        self.generator = torch.Generator().manual_seed(seed)
        self.left = torch.empty(0, dtype=torch.long)  # of this order, what is still to come

    def __iter__(self) -> "shuffles":
        return self

    def __next__(self) -> Int[Tensor, "B T"]:
        if len(self.left) < self.batch:
            self.left = torch.randperm(len(self.pictures), generator=self.generator)
        now, self.left = self.left[: self.batch], self.left[self.batch :]
        return tokens(self.pictures[now.to(self.pictures.device)].long(), self.start, self.order)

    def state_dict(self) -> dict[str, Tensor]:
        """Which pictures are still to come, and where the drawing stands."""
        return {"left": self.left, "generator": self.generator.get_state()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.left = tensors["left"]
        self.generator.set_state(tensors["generator"])
