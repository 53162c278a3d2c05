"""Cutting a long text into batches: endless, seeded, and with a place that can be saved and found again."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves, tree_map_only, tree_structure, tree_unflatten

from .model import SequenceModel, State, detach, nll
from .shapes import Float, Int, Tensor


class batches:
    """Endless batches (batch, length + 1) of windows from random places of x (N,): `next(batches(x))`.

    The windows are one longer than `length`, because each token but the last is read and each but the
    first is predicted. The same seed gives the same windows.
    """

    def __init__(self, x: Int[Tensor, "N"], length: int = 64, batch: int = 32, seed: int = 0):
        _check(x, length, batch, need=length + 1)
        self.x, self.batch, self.offsets = x, batch, torch.arange(length + 1)
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "batches":
        return self

    def __next__(self) -> Int[Tensor, "B T"]:
        last = len(self.x) - len(self.offsets)
        starts = torch.randint(last + 1, (self.batch, 1), generator=self.generator)
        return self.x[starts + self.offsets].long()  # a corpus on disk has shorter numbers

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of windows stands."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])


class streams:
    """Endless batches (batch, length + 1) that read x (N,) on and on: each row continues the row before it.

    So the state can be carried from batch to batch, which `loss` does: the model remembers further than
    its gradient reaches (truncated back-propagation through time, Williams and Peng, 1990). At the end of
    the text the rows begin again, with an empty state.
    """

    def __init__(self, x: Int[Tensor, "N"], length: int = 64, batch: int = 32):
        _check(x, length, batch, need=batch * (length + 1))
        self.rows, self.length = x[: len(x) // batch * batch].view(batch, -1), length
        self.place, self.state = 0, None
        self._saved: list[Tensor] = []

    def __iter__(self) -> "streams":
        return self

    def __next__(self) -> Int[Tensor, "B T"]:
        if self.place + self.length >= self.rows.shape[1]:
            self.place, self.state, self._saved = 0, None, []
        piece = self.rows[:, self.place : self.place + self.length + 1]
        self.place += self.length
        return piece.long()

    def loss(self, model: SequenceModel, x: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
        """`nll` of a batch that begins with the state in which the one before ended, cut from its graph."""
        logits, state = model(x[:, :-1], self._before(model, x))
        self.state = detach(state)
        return F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()) / math.log(2)

    def _before(self, model: SequenceModel, x: Int[Tensor, "B T"]) -> State:
        if self._saved:  # leaves from a file: the model knows of what shape the tree was
            leaves, self._saved = [t.to(x.device) for t in self._saved], []
            with torch.no_grad(), torch.random.fork_rng(devices=[]):  # nor use up its dropout's chance
                self.state = tree_unflatten(leaves, tree_structure(model(x[:, :1])[1]))
        return self.state

    def state_dict(self) -> dict[str, Tensor]:
        """The place in the text, and the carried state."""
        leaves = tree_leaves(self.state) if self.state is not None else self._saved
        return {"place": torch.tensor(self.place)} | {f"state{i:03d}": t for i, t in enumerate(leaves)}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.place, self.state = int(tensors["place"]), None
        self._saved = [tensors[name] for name in sorted(tensors) if name != "place"]


class Around:
    """Batches around other batches, which they change in one way; all the rest is as the inner ones do it.

    loss(model, x) in bits takes the place of the inner loss: `nll`, or what these batches bring along.
    """

    def __init__(self, inner: Iterable, loss: Callable[[SequenceModel, Any], Tensor] | None = None):
        self.inner, self.inner_loss = inner, loss or getattr(inner, "loss", nll)

    def __iter__(self) -> Iterator:
        return iter(self.inner)

    def __getattr__(self, name: str) -> Any:
        if name == "inner":  # not there yet: an object that is being copied
            raise AttributeError(name)
        return getattr(self.inner, name)

    def loss(self, model: SequenceModel, x: Any) -> Float[Tensor, ""]:
        """The inner loss of one batch, in bits."""
        return self.inner_loss(model, x)


class moved(Around):
    """Batches on another device; the texts stay where they are, on disk or in the computer's memory."""

    def __init__(self, inner: Iterable, device: torch.device):
        super().__init__(inner)
        self.device = device

    def __iter__(self) -> Iterator:
        return (tree_map_only(Tensor, lambda t: t.to(self.device), x) for x in self.inner)


class Parts:
    """Small batches that make one step together; each is drawn when it is its turn, as streams need it."""

    def __init__(self, parts: Iterator):
        self.parts = parts

    def __iter__(self) -> Iterator:
        return self.parts


class gathered(Around):
    """k small batches for each step: the step of one big batch, in the memory of a small one.

    Known as gradient accumulation. Loss and gradient are the means over the k batches, which are those of
    the big batch where the small ones are equally large.
    """

    def __init__(self, inner: Iterable, k: int, loss: Callable[[SequenceModel, Any], Tensor] | None = None):
        if k < 1:
            raise ValueError(f"k is {k}: a step takes at least 1 batch")
        super().__init__(inner, loss)
        self.k = k

    def __iter__(self) -> Iterator[Parts]:
        source = iter(self.inner)
        for first in source:
            parts = chain([first], islice(source, self.k - 1))
            yield Parts(parts)
            deque(parts, maxlen=0)  # walk over the parts of a step that was skipped


def _check(x: Tensor, length: int, batch: int, need: int) -> None:
    if x.ndim != 1 or min(length, batch) < 1:
        given = f"x has shape {tuple(x.shape)}, length is {length}, batch is {batch}"
        raise ValueError(f"{given}: pass one text of shape (N,), and at least 1 for the others")
    if len(x) < need:
        raise ValueError(f"x has {len(x)} tokens, and these batches need {need}: lower length or batch")
