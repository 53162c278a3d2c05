"""N-grams for pixels: the next pixel from its nearest neighbours, by counting.

An n-gram of a picture's line (`ngram`) knows the pixels to the left; the pixel above came a whole row ago.
A page has other neighbours than a line: this table counts each pixel after the k pixels nearest to it that
were read already. Like an n-gram it sees no further, and the contexts that it may meet grow as V^k (row P4).
"""

import torch
import torch.nn.functional as F

from .model import SequenceModel, check_state, check_tokens
from .raster import check_picture, check_room
from .shapes import Float, Int, Tensor


def nearest(k: int) -> list[tuple[int, int]]:
    """The k nearest pixels read before a pixel, as (rows down, columns right): (0, -1) is the left one."""
    side = range(-k, k + 1)
    before = [(r, c) for r in range(-k, 1) for c in side if (r, c) < (0, 0)]
    return sorted(before, key=lambda step: (step[0] ** 2 + step[1] ** 2, -step[0], step[1]))[:k]


class Neighbours(SequenceModel):
    """Each pixel after its k nearest neighbours, counted: p = (c + alpha) / (C + alpha levels).

    levels: grey levels; size: (rows, columns); k = 0 is the model of independent pixels, all alike. With
    `by_place` each place has a table of its own. Symbols as in `raster`; a neighbour outside the picture is
    start. The state is the picture so far (B, t). The logits are logarithms of probabilities, -inf for start.
    """

    def __init__(
        self, levels: int, size: tuple[int, int], k: int = 4, alpha: float | int = 0.5, by_place: bool = False
    ):
        super().__init__()
        check_picture(levels, size)
        if k < 0 or alpha <= 0 or (levels + 1) ** k * size[0] * size[1] >= 2**63:
            raise ValueError(f"k is {k} and alpha is {alpha}: expected k from 0 up, few enough to number "
                             "all contexts, and alpha above 0")
        self.levels, self.size, self.vocab_size = levels, size, levels + 1
        self.alpha, self.by_place = alpha, by_place
        self.register_buffer("where", self._where(nearest(k)), persistent=False)
        self.register_buffer("keys", torch.empty(0, dtype=torch.long), persistent=False)
        self.register_buffer("counts", torch.empty(0, levels), persistent=False)

    def _where(self, steps: list[tuple[int, int]]) -> Int[Tensor, "N K"]:
        """For each place, where in [start, pixels] its neighbours are; 0, which is start, if outside."""
        (R, C), k = self.size, len(steps)
        down, right = torch.tensor(steps, dtype=torch.long).view(k, 2).T
        r = torch.arange(R).repeat_interleave(C)[:, None] + down
        c = torch.arange(C).repeat(R)[:, None] + right
        return torch.where((r >= 0) & (c >= 0) & (c < C), r * C + c + 1, 0)

    def _contexts(self, seen: Int[Tensor, "B t"], first: int) -> Int[Tensor, "B T"]:
        """A number for what is around each place from `first` on."""
        places = torch.arange(first, seen.shape[1], device=seen.device)
        key = (places if self.by_place else 0 * places).expand(len(seen), -1)
        for column in self.where[first : seen.shape[1]].unbind(1):
            key = key * self.vocab_size + seen[:, column]
        return key

    def fit(self, x: Int[Tensor, "B T"]) -> "Neighbours":
        """Count pictures, given as [start, pixels]; fitting again forgets the former ones."""
        check_tokens(x, self.vocab_size)
        if x.shape[1] != len(self.where) + 1 or not len(x):
            raise ValueError(f"x has shape {tuple(x.shape)}: expected pictures (B, {len(self.where) + 1})")
        self.keys, ids = self._contexts(x[:, :-1], 0).unique(return_inverse=True)
        pairs = (ids * self.levels + x[:, 1:]).flatten()
        counts = pairs.bincount(minlength=len(self.keys) * self.levels)
        self.counts = counts.view(-1, self.levels).to(self.counts.dtype)
        return self

    def forward(
        self, x: Int[Tensor, "B T"], state: Int[Tensor, "B t"] | None = None
    ) -> tuple[Float[Tensor, "B T V"], Int[Tensor, "B t2"] | None]:
        """Logits (B, T, V) for the pixel after each symbol; the state is the picture so far."""
        check_tokens(x, self.vocab_size)
        check_state(state, Tensor, len(x))
        if not len(self.keys):
            raise RuntimeError("this table has counted nothing yet: call fit(x)")
        seen = x if state is None else torch.cat([state, x], 1)
        check_room(seen.shape[1], self.size)
        key = self._contexts(seen, seen.shape[1] - x.shape[1])
        place = torch.searchsorted(self.keys, key.contiguous()).clamp(max=len(self.keys) - 1)
        found = self.counts[place] * (self.keys[place] == key)[..., None] + self.alpha
        log_p = (found / found.sum(-1, keepdim=True)).log()
        return F.pad(log_p, (0, 1), value=-torch.inf), seen if x.shape[1] else state

    def get_extra_state(self) -> Int[Tensor, "M L"]:
        """All contexts and counts in one tensor, so that state_dict() holds the table."""
        return torch.cat([self.keys[:, None], self.counts.long()], 1)

    def set_extra_state(self, state: Int[Tensor, "M L"]) -> None:
        """What `load_state_dict` calls. Raises ValueError for a table of other levels."""
        if state.shape[1] != self.levels + 1:
            raise ValueError(f"this table counts {state.shape[1] - 1} levels, the model {self.levels}")
        self.keys = state[:, 0].contiguous().to(self.keys.device)
        self.counts = state[:, 1:].to(self.counts)
