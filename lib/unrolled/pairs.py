"""Learning from pairs of sequences: a source is read, a target is written (lecture Q2, and C2 for captions).

A model for pairs makes a state of a source, `state = model.start(source, lengths)`, and reads the target
under the law. Nothing here knows which model it is. A target begins with a symbol that is given and ends with
one that stops: "\\n" serves as both, as in the stories.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from .attention import mask_of
from .beam import beam_search
from .generate import generate, greedy, sample
from .model import SequenceModel, device_of, reading
from .shapes import Float, Int, Tensor


class Pairs(NamedTuple):
    """A batch: sources (B, S) and targets (B, T), filled up with zeros beyond their lengths (B,)."""

    source: Int[Tensor, "B S"]
    source_lengths: Int[Tensor, "B"]
    target: Int[Tensor, "B T"]
    target_lengths: Int[Tensor, "B"]


def pad(rows: Sequence[Int[Tensor, "_"]]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """Sequences of different lengths as one tensor (B, T), filled up with zeros, and their lengths (B,)."""
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True), lengths


def cross_entropy(
    logits: Float[Tensor, "B T V"], target: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, ""]:
    """The mean surprise of the target's symbols in bits; what fills the rows up does not count."""
    known = target.masked_fill(~mask_of(lengths, target.shape[1]), -100)  # the mark of what torch leaves out
    return F.cross_entropy(logits.flatten(0, 1), known.flatten()) / math.log(2)


def teacher_forcing(model: SequenceModel, batch: Pairs) -> Float[Tensor, ""]:
    """The loss in bits per symbol where the model always reads the true target, whatever it would write.

    So all places of the target are learned at once: target[:, :-1] is read, target[:, 1:] is predicted.
    """
    logits, _ = model(batch.target[:, :-1], model.start(batch.source, batch.source_lengths))
    return cross_entropy(logits, batch.target[:, 1:], batch.target_lengths - 1)


def scheduled_sampling(
    model: SequenceModel, batch: Pairs, truth: float | int, generator: torch.Generator | None = None
) -> Float[Tensor, ""]:
    """The loss where the model reads the true symbol with probability `truth`, else one of its own.

    1 is teacher forcing, 0 free running: the model learns to go on after its own mistakes. A coin is thrown
    for each symbol of each row, on the CPU (Bengio et al., 2015, arXiv 1506.03099). One step at a time: slow.
    """
    state, x, logits = model.start(batch.source, batch.source_lengths), batch.target[:, :1], []
    for true in batch.target[:, 1:].unbind(1):
        step, state = model(x, state)
        logits.append(step)
        coin = torch.rand(len(x), generator=generator) < truth
        own = sample(step[:, 0], generator=generator)
        x = torch.where(coin.to(x.device), true, own)[:, None]
    return cross_entropy(torch.cat(logits, 1), batch.target[:, 1:], batch.target_lengths - 1)


@torch.no_grad()
def answers(
    model: SequenceModel,
    sources: Sequence[Int[Tensor, "_"]],
    end: int,
    steps: int = 50,
    width: int = 1,
    **score: float | int,
) -> list[Int[Tensor, "_"]]:
    """What the model writes for each source, without the symbol `end` that begins and ends a target.

    Width 1 is greedy; a wider beam ranks by GNMT's score, whose alpha and beta `score` holds. Sources of
    about one length are read together, 64 at a time. An answer that has not ended is cut off after `steps`.
    """
    device = device_of(model)
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: dict[int, Tensor] = {}
    for some in (order[k : k + 64] for k in range(0, len(order), 64)):
        source, lengths = (t.to(device) for t in pad([sources[i] for i in some]))
        first = torch.full((len(some), 1), end, device=device)
        with reading(model):
            state = model.start(source, lengths)
        if width == 1:
            out = generate(model, first, steps, greedy, state, end)
        else:
            out = beam_search(model, first, steps, width, state, end, **score).tokens[:, 0]
        found |= {i: row[1:][(row[1:] == end).cumsum(0) == 0].cpu() for i, row in zip(some, out)}
    return [found[i] for i in range(len(sources))]


class pairs:
    """Endless batches of pairs for `fit`, with the loss that fits them: `fit(model, pairs(...), steps)`.

    sources, targets: the ids of each, as a list of tensors; a target of one symbol could not be learned. In
    every epoch each pair comes once. All sources of a batch are of one length, so little is filled up; of a
    rare length, batches are smaller. `truth`, a function of the batch's number, switches scheduled sampling
    on: `lambda n: 0.999**n`. The same seed gives the same batches. They go to the model's device.
    """

    def __init__(
        self,
        sources: Sequence[Int[Tensor, "_"]],
        targets: Sequence[Int[Tensor, "_"]],
        batch: int = 64,
        seed: int = 0,
        truth: Callable[[int], float] | None = None,
    ):
        _check(sources, targets, batch)
        self.sources, self.targets, self.batch, self.truth = list(sources), list(targets), batch, truth
        self.lengths = torch.tensor([len(row) for row in self.sources])
        self.generator = torch.Generator().manual_seed(seed)
        self.place, self.n, self.plan = 0, 0, []

    def __iter__(self) -> "pairs":
        return self

    def __next__(self) -> Pairs:
        if self.place == len(self.plan):
            self._begin_epoch()
        rows = self.plan[self.place].tolist()
        self.place, self.n = self.place + 1, self.n + 1
        return Pairs(*pad([self.sources[i] for i in rows]), *pad([self.targets[i] for i in rows]))

    def _begin_epoch(self) -> None:
        """Shuffle the pairs within each length, cut them into batches, and shuffle those."""
        self.begun, self.place = self.generator.get_state(), 0
        chance = torch.rand(len(self.lengths), generator=self.generator, dtype=torch.float64)
        groups = (self.lengths + chance).argsort().split(self.lengths.unique(return_counts=True)[1].tolist())
        plan = [rows for group in groups for rows in group.split(self.batch)]
        self.plan = [plan[i] for i in torch.randperm(len(plan), generator=self.generator)]

    def loss(self, model: SequenceModel, batch: Pairs) -> Float[Tensor, ""]:
        """The loss of one batch in bits per target symbol: teacher forcing, or scheduled sampling."""
        device = device_of(model)
        batch = Pairs(*(t.to(device, non_blocking=True) for t in batch))
        if self.truth is None or not model.training:
            return teacher_forcing(model, batch)
        return scheduled_sampling(model, batch, self.truth(self.n - 1))

    def counted(self, batch: Pairs) -> int:
        """How many symbols the loss is the mean of."""
        return int((batch.target_lengths - 1).sum())

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of batches stands."""
        begun = self.begun if self.plan else self.generator.get_state()
        return {"generator": begun, "place": torch.tensor(self.place), "n": torch.tensor(self.n)}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])
        self.plan, self.n = [], int(tensors["n"])
        if self.n:
            self._begin_epoch()
        self.place = int(tensors["place"])


def _check(sources: Sequence[Any], targets: Sequence[Any], batch: int) -> None:
    if len(sources) != len(targets) or not len(sources) or batch < 1:
        raise ValueError(
            f"{len(sources)} sources, {len(targets)} targets, batch is {batch}: expected as many sources as "
            "targets, and at least 1 of each"
        )
    if min(map(len, sources)) < 1 or min(map(len, targets)) < 2:
        raise ValueError(
            "a source is empty, or a target is shorter than two symbols: it takes one to read, one to predict"
        )
