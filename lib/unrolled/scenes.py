"""Little pictures of a bird in the grass, whose every probability is known exactly (lecture X2).

A scene says what is where: sky above, grass below, and mostly a bird of some shape, colour and place. Each
pixel is then painted by chance, as what is there is painted: grass nearly always in one green, feathers in
many colours. We made the pictures, so we know the best that a model of them can do: the `Oracle`.
"""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F

from .model import SequenceModel, check_state, check_tokens
from .raster import check_room
from .shapes import Float, Int, Tensor

SIZE = (12, 12)
LEVELS = ("sky", "grass", "blade", "red", "blue", "white")
COLOURS = ("#b7dcf4", "#7db46c", "#3f7a3a", "#c0392b", "#2c5aa0", "#f7f7f2")  # one for each level
KINDS = ("sky", "grass", "red bird", "blue bird", "white bird")
PAINT = (  # with what probability a pixel of each kind gets each level
    (0.95, 0.01, 0.01, 0.01, 0.01, 0.01),
    (0.002, 0.942, 0.05, 0.002, 0.002, 0.002),
    (0.01, 0.02, 0.02, 0.55, 0.20, 0.20),
    (0.01, 0.02, 0.02, 0.20, 0.55, 0.20),
    (0.01, 0.02, 0.02, 0.20, 0.20, 0.55),
)
BIRDS = (("...##.", "...###", "#####.", ".####.", "..#.#."), ("..##", "####", ".##."))
HORIZONS = (3, 4, 5)  # how many rows are sky
NO_BIRD = 0.1  # the share of pictures without one


class Scenes(NamedTuple):
    """All scenes: p (K,) says how likely each is; kinds (K, N) what is at each pixel, as a place in KINDS."""

    p: Float[Tensor, "K"]
    kinds: Int[Tensor, "K N"]


@cache
def scenes() -> Scenes:
    """Every scene there is: each horizon without a bird, and with each bird at each place in the grass."""
    found, p = [], []
    for horizon in HORIZONS:
        page = (torch.arange(SIZE[0]) >= horizon).long()[:, None].expand(SIZE)
        birds = [bird for shape in _shapes() for bird in _places(page, shape, horizon)]
        found += [page, *birds]
        p += [NO_BIRD, *[(1 - NO_BIRD) / len(birds)] * len(birds)]
    return Scenes(torch.tensor(p, dtype=torch.float64) / len(HORIZONS), torch.stack(found).flatten(1))


def _shapes() -> list[Tensor]:
    """The outlines of the birds, facing right and left."""
    right = [torch.tensor([[mark == "#" for mark in row] for row in bird]) for bird in BIRDS]
    return [*right, *(shape.flip(1) for shape in right)]


def _places(page: Tensor, shape: Tensor, horizon: int) -> list[Tensor]:
    """The page with this bird in each colour, at each place where its feet are in the grass."""
    (R, C), (r, c), found = SIZE, shape.shape, []
    for top in range(max(0, horizon - r + 2), R - r + 1):
        for left in range(C - c + 1):
            outline = F.pad(shape, (left, C - c - left, top, R - r - top))
            found += [page.masked_fill(outline, kind) for kind in (2, 3, 4)]
    return found


def sample(n: int, seed: int = 0) -> Int[Tensor, "n R C"]:
    """n pictures, 12 x 12, of levels 0 to 5 (see LEVELS). The same seed gives the same pictures."""
    if n < 0:
        raise ValueError(f"n is {n}: it takes a number of pictures, 0 or more")
    p, kinds = scenes()
    chance = torch.Generator().manual_seed(seed)
    which = torch.multinomial(p.expand(max(n, 1), -1), 1, generator=chance)[:, 0]
    painted = torch.tensor(PAINT)[kinds[which]].flatten(0, 1)
    return torch.multinomial(painted, 1, generator=chance).view(-1, *SIZE)[:n]


class Belief(NamedTuple):
    """What the oracle keeps: the picture so far, and the logarithm of its belief in each scene."""

    seen: Int[Tensor, "B t"]
    scene: Float[Tensor, "B K"]


class Oracle(SequenceModel):
    """The best model of these pictures, by Bayes' rule: it weighs all scenes by how well they fit so far.

    It reads [start, pixels in raster order] as the models of `raster` do, and knows no more than they: only
    which scenes there are. Its surprise on fresh pictures is their entropy; no model averages less.
    """

    def __init__(self):
        super().__init__()
        p, kinds = scenes()
        self.size, self.vocab_size = SIZE, len(LEVELS) + 1
        self.register_buffer("prior", p.log().float())
        self.register_buffer("kinds", kinds)
        self.register_buffer("paint", torch.tensor(PAINT))

    def forward(
        self, x: Int[Tensor, "B T"], state: Belief | None = None
    ) -> tuple[Float[Tensor, "B T V"], Belief | None]:
        """Logits (B, T, V), logarithms of probabilities, -inf for start; the state is a Belief."""
        check_tokens(x, self.vocab_size)
        check_state(state, Belief, len(x))
        seen, scene = state or (x[:, :0], self.prior.expand(len(x), -1))
        check_room(seen.shape[1] + x.shape[1], self.size)
        logits = [self.prior.new_zeros(len(x), 0, len(LEVELS))]
        for place, pixel in enumerate(x.unbind(1), seen.shape[1]):
            scene = scene + self._fit(place - 1, pixel) if place else scene
            logits.append(self._predict(place, scene)[:, None])
        state = Belief(torch.cat([seen, x], 1), scene) if x.shape[1] else state
        return F.pad(torch.cat(logits, 1), (0, 1), value=-torch.inf), state

    def _fit(self, place: int, pixel: Int[Tensor, "B"]) -> Float[Tensor, "B K"]:
        """The log-probability of this pixel in each scene; start in the midst of a picture says nothing."""
        said = F.pad(self.paint, (0, 1), value=1.0).log()
        return said[:, pixel].T[:, self.kinds[:, place]]

    def _predict(self, place: int, scene: Float[Tensor, "B K"]) -> Float[Tensor, "B L"]:
        """The next level: what each kind is painted with, by how likely each kind is there."""
        kind = F.one_hot(self.kinds[:, place], len(KINDS)).to(scene)
        return (scene.softmax(-1) @ kind @ self.paint).log()
