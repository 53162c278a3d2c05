"""Drawing as a sequence of decisions (lecture A2): where does the pen go next, and does it draw on its way?

In small what SPIRAL does with a paint program (Ganin et al., 2018, arXiv 1804.01118).
"""

import torch
import torch.nn.functional as F

from .shapes import Bool, Float, Int, Tensor
from .worlds import Box, MultiDiscrete, World

MOVE, DRAW = range(2)  # what the pen does on its way


class Canvas(World):
    """A sheet of size x size squares, a pen, and a drawing to be copied (lecture A2).

    An action (pen, where) takes the pen straight to a square, lifted (0) or drawing (1). `limit` actions make
    a drawing. The reward of an action is what it adds to `likeness` to the target, so the return is the
    likeness of the finished drawing. One sees the canvas, the target and the pen's place: 3 size^2 numbers.
    Targets are drawn by chance, with at most as many actions as the player has, or taken from `targets`.
    """

    def __init__(
        self,
        size: int = 8,
        batch: int = 1,
        limit: int = 8,
        targets: Float[Tensor, "N S S"] | None = None,
        device: str | torch.device = "cpu",
    ):
        super().__init__(batch, limit, device)
        self.size, self.strokes, self.targets = size, strokes(size).to(self.device), targets
        self.observation_space = Box(0.0, 1.0, 3 * size**2)
        self.action_space = MultiDiscrete((2, size**2))

    def _begin(self, options: dict) -> None:
        """The option "target" (B, S, S) sets what is to be drawn."""
        target = options.get("target", self.targets)
        if target is None:
            target = self._chance()
        elif "target" not in options:
            target = target[torch.randint(len(target), (self.batch,), generator=self.generator)]
        self.target = target.to(self.device).view(self.batch, -1)
        self._clear()

    def _clear(self) -> None:
        self.canvas = torch.zeros(self.batch, self.size**2, device=self.device)
        self.at = torch.full((self.batch,), self.size**2 // 2 + self.size // 2, device=self.device)

    def _chance(self) -> Float[Tensor, "B S2"]:
        """What is on the sheet after a move and some more actions by chance, most of them strokes."""
        if self.limit < 2:
            raise ValueError(f"limit is {self.limit}: a target by chance takes 2 actions; else give targets")
        self._clear()
        count = torch.randint(2, self.limit + 1, (self.batch,), generator=self.generator)
        for i in range(self.limit):
            where = torch.randint(self.size**2, (self.batch,), generator=self.generator)
            pen = torch.rand(self.batch, generator=self.generator) < (0.75 if i > 1 else i)
            self._stroke((pen & (i < count)).to(self.device), where.to(self.device))
        return self.canvas

    def _stroke(self, draws: Bool[Tensor, "B"], where: Int[Tensor, "B"]) -> None:
        ink = self.strokes[self.at, where] * draws[:, None]
        self.canvas, self.at = torch.maximum(self.canvas, ink), where

    def _act(self, a: Int[Tensor, "B 2"], alive: Bool[Tensor, "B"]) -> tuple[Tensor, Tensor]:
        before = likeness(self.canvas, self.target)
        self._stroke((a[:, 0] == DRAW) & alive, torch.where(alive, a[:, 1], self.at))
        finished = torch.full_like(alive, self.time + 1 >= self.limit)
        return likeness(self.canvas, self.target) - before, finished

    def _see(self) -> Float[Tensor, "B D"]:
        pen = F.one_hot(self.at, self.size**2)
        return torch.cat([self.canvas, self.target, pen], 1)


def likeness(a: Float[Tensor, "B N"], b: Float[Tensor, "B N"]) -> Float[Tensor, "B"]:
    """How much two drawings share, from 0 (no ink in common) to 1 (the same): 2 |a and b| / (|a| + |b|)."""
    return 2 * torch.minimum(a, b).sum(1) / (a.sum(1) + b.sum(1)).clamp(min=1e-6)


def strokes(size: int) -> Float[Tensor, "S2 S2 S2"]:
    """The ink, 0 to 1, on each square after a straight stroke from one square (first axis) to another.

    A square is black within half its width of the line between the centres, and white a whole width away.
    """
    place = torch.cartesian_prod(*[torch.arange(size).float()] * 2)  # (S2, 2)
    start, way = place[:, None], place - place[:, None]  # (S2, 1, 2), (S2, S2, 2)
    to = (place - start)[:, None]  # (S2, 1, S2, 2): from the stroke's start to each square
    along = (to * way[:, :, None]).sum(-1) / way.square().sum(-1).clamp(min=1)[..., None]
    off = to - along.clamp(0, 1)[..., None] * way[:, :, None]
    return (2 - 2 * off.square().sum(-1).sqrt()).clamp(0, 1)
