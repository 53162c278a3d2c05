"""Chapter 9, pictures: bits_per_dim, pixelcnn_mask, skew."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from ... import images, pixelcnn, pixelrnn
from ...shapes import Float, Tensor
from ..exercise import Exercise

CHAPTER = "09_pixelrnn"


def bits_per_dim(nats: Float[Tensor, "N"], C: int, H: int, W: int) -> Float[Tensor, "N"]:
    """Bits per dimension of pictures with C colours and H x W pixels, from their nats per image."""
    return nats / (C * H * W * math.log(2))  # a nat is 1 / ln 2 bits


def _bits_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, C, H, W = [(1, 3, 2, 4), (2, 3, 5, 4), (3, 2, 4, 5), (3, 3, 3, 3)][i]
    return {"nats": 50 * torch.rand(N, generator=g, dtype=torch.float64) + 5, "C": C, "H": H, "W": W}


BITS = Exercise(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="bits_per_dim(nats, C, H, W) -> bits",
    text="""nats (N,) holds -ln p(picture) of N pictures, each with H x W pixels and C numbers for each
of them (3 for a photograph: red, green, blue). Papers print the same number in another coin: bits, for each
of the numbers that make up a picture.
Return it, with the shape (N,).""",
    worked=bits_per_dim,
    reference=lambda nats, C, H, W: images.bits_per_dim(nats, C * H * W),
    cases=_bits_case,
    axes={"nats": "N", "return": "N"},
    grads=("nats",),
    right={"by log2 of e": lambda nats, C, H, W: nats * math.log2(math.e) / C / H / W},
    wrong={
        "still in nats": (
            lambda nats, C, H, W: nats / (C * H * W),
            "You share the nats among the numbers of the picture, but they are still nats. A bit is ln 2 of "
            "a nat."),
        "per pixel": (
            lambda nats, C, H, W: nats / (H * W * math.log(2)),
            "These are bits per pixel. A pixel has C numbers, one for each colour, and each is a dimension."),
        "per image": (
            lambda nats, C, H, W: nats / math.log(2),
            "These are bits per image. Share them among all C H W numbers."),
        "multiplied by ln 2": (
            lambda nats, C, H, W: nats * math.log(2) / (C * H * W),
            "There are more bits than nats, since a bit is the smaller unit. Your number went down."),
        "the logarithm once more": (
            lambda nats, C, H, W: torch.log2(nats / (C * H * W)),
            "nats is a logarithm already. To change its base takes a factor, not another logarithm."),
    },
    hints=("How many bits is one nat? -log2 p against -ln p.",
           "How many numbers make up a picture with C colours and H x W pixels?"),
    explain="why can two data sets of different size be compared in this unit, and not in nats per image?",
    harder="pixelcnn_mask",
)


def pixelcnn_mask(K: int, kind: str, colours: int) -> Float[Tensor, "O I K K"]:
    """The mask of a K x K kernel from `colours` to `colours` channels: 1 where it may look, else 0."""
    see, p = torch.zeros(colours, colours, K, K), K // 2
    see[:, :, :p] = 1  # the rows above
    see[:, :, p, :p] = 1  # left of the centre
    see[:, :, p, p] = torch.ones(colours, colours).tril(-1 if kind == "A" else 0)  # [o, i]
    return see


def _masked(of: str) -> Any:
    """The mask with one thing changed."""

    def mask(K: int, kind: str, colours: int) -> Tensor:
        p, see = K // 2, pixelcnn_mask(K, {"always B": "B", "always A": "A"}.get(of, kind), colours)
        centre = see[:, :, p, p].clone()
        if of == "below":
            see[:, :, p + 1 :] = 1
        if of == "right":
            see[:, :, p, p + 1 :] = 1
        if of == "own row closed":
            see[:, :, p, :p] = 0
        see[:, :, p, p] = {"all": torch.ones_like(centre) if kind == "B" else 0 * centre,
                           "reversed": centre.T}.get(of, centre)  # fmt: skip
        return see.mT if of == "swapped" else see

    return mask


def _mask_case(g: torch.Generator, i: int) -> dict[str, Any]:
    K, kind, colours = [(3, "A", 1), (3, "B", 2), (5, "A", 3), (3, "B", 3)][i]
    return {"K": K, "kind": kind, "colours": colours}


MASK = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="pixelcnn_mask(K, kind, colours) -> mask",
    text="""A masked convolution multiplies its kernel by zeros and ones. Return the mask (colours, colours,
K, K) for a kernel of odd K: axes are output colour, input colour, row, column. Every colour sees all colours
in the rows above the centre, and those left of it in its own row. At the centre, the colours of one pixel are
read in order: with kind "A" a colour sees the colours before it; with kind "B" also itself.""",
    worked=pixelcnn_mask,
    reference=lambda K, kind, colours: pixelcnn.mask(K, kind, colours),
    cases=_mask_case,
    axes={"return": "colours colours K K"},
    right={"place by place": _masked("")},
    wrong={
        "kind A lets a colour see itself": (
            _masked("always B"),
            "With kind A your centre is open for the colour itself: the first layer would read the very "
            "number that is to be guessed."),
        "kind B does not see its own place": (
            _masked("always A"),
            "With kind B a colour may see itself: above the first layer, what stands there has not seen it."),
        "the rows below are open": (_masked("below"), "Below the centre lies the future. Close it."),
        "right of the centre is open": (_masked("right"), "Right of the centre lies the future, too."),
        "its own row is closed": (
            _masked("own row closed"),
            "Left of the centre, in the same row, pixels have been read already. They may be seen."),
        "the centre is open for all colours or for none": (
            _masked("all"),
            "At the centre the colours are read one after the other. Some may be seen and others not."),
        "the colours are read backwards": (
            _masked("reversed"),
            "Your first colour sees the others. The axes are output, input: colour o sees i < o."),
        "rows and columns are swapped": (
            _masked("swapped"),
            "Your mask reads the picture by columns. The last axis runs along a row."),
    },
    hints=(
        "Three parts: all rows above the middle one, the left part of the middle row, and the centre.",
        "At the centre stands a matrix of colours, [output, input]. Which triangle of it is 1, with its "
        "diagonal and without?",
    ),
    explain="what goes wrong in generation when one layer has the wrong kind?",
    harder="what_a_stack_sees",
)


def skew(a: Float[Tensor, "R C"]) -> Float[Tensor, "R S"]:
    """Row r moved right by r places; S = R + C - 1, and zeros where nothing came."""
    R, C = a.shape
    out = a.new_zeros(R, R + C - 1)
    for r in range(R):
        out[r, r : r + C] = a[r]
    return out


def _left(a: Tensor) -> Tensor:
    return pixelrnn.skew(a.flip(0)).flip(0)


SKEW = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="skew(a) -> skewed",
    text="""For the Diagonal BiLSTM the diagonals of a picture must stand upright. a (R, C) is a picture. Move
row r right by r places, into a picture (R, R + C - 1) that is 0 wherever nothing came. The upper left corner
stays where it is.""",
    worked=skew,
    reference=lambda a: pixelrnn.skew(a),
    cases=lambda g, i: {"a": torch.randn([(2, 3), (3, 5), (4, 2), (3, 3)][i], generator=g,
                                         dtype=torch.float64)},
    axes={"a": "R C", "return": "R S"},
    grads=("a",),
    right={"by padding": lambda a: torch.stack([F.pad(row, (r, len(a) - 1 - r)) for r, row in enumerate(a)])},
    wrong={
        "the rows move left": (
            _left,
            "Your first row is moved furthest. Row r moves by r: the first one stays, the last one moves."),
        "they wrap around": (
            lambda a: torch.stack([torch.cat([row, row.new_zeros(len(a) - 1)]).roll(2 * r)
                                   for r, row in enumerate(a)]),
            "Each row moves twice as far as it should, and what falls out comes in on the left."),
        "the same width": (
            lambda a: pixelrnn.skew(a)[:, : a.shape[1]],
            "Your picture is as wide as before, so the ends of the rows are lost."),
        "one place too far": (
            lambda a: F.pad(pixelrnn.skew(a), (1, 0)),
            "Your first row is moved too. It stays where it is, and so does the width of R + C - 1."),
        "columns are moved down": (
            lambda a: pixelrnn.skew(a.T).T,
            "You move columns down. The diagonals stand upright when rows are moved right."),
        "the edges are repeated": (
            lambda a: pixelrnn.skew(a) + (pixelrnn.skew(torch.ones_like(a)) == 0) * a[:, :1],
            "Where nothing came you repeat a pixel. These places must be 0."),
    },
    hints=(
        "Begin with zeros of the new shape, and put each row in its place.",
        "Where does row r begin, and where does it end, when it has been moved by r?",
    ),
    explain="which cells of the original lie in one column of the skewed picture?",
    harder="what_a_stack_sees",
)

EXERCISES = (BITS, MASK, SKEW)
