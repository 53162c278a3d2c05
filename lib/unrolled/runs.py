"""A training as a thing that can be saved whole: weights, optimiser, chance, place in the data, curves."""

import math
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from . import checkpoint, parallel
from .batches import Around
from .model import SequenceModel, nll, reading
from .shapes import Int, Tensor

Rate = float | int | Callable[[int], float]  # a learning rate, or one for each step


class Run:
    """All that a training is made of, so that it can be saved whole and taken up again.

    valid: a text or rows of one; or a tuple, a batch such as the batches give, measured with their loss.
    """

    def __init__(self, model: SequenceModel, batches: Iterable, valid: Tensor | tuple | None, lr: Rate):
        self.model, self.batches, self.lr = model, batches, lr
        self.rows = rows(valid) if isinstance(valid, Tensor) else valid
        self.valid_loss = batches.loss if isinstance(valid, tuple) else nll
        self.optimiser = torch.optim.Adam(model.parameters(), 1.0 if callable(lr) else lr)
        self.losses: list[float] = []
        self.valid: list[list[float]] = []
        self.facts: dict[str, Any] = {}  # saved too; a file with other facts is not taken up
        self.best: dict[str, Tensor] = {}

    def note(self, loss: float, grad_norm: float) -> None:
        """Remember how a step went."""
        self.losses.append(loss)

    def mark(self) -> None:
        """Measure where we stand, and keep the weights if they are the best."""
        least = min((bits for _, bits in self.valid if not math.isnan(bits)), default=math.inf)
        if self.rows is not None:
            bits = measure(self.model, self.rows, self.valid_loss)
            self.valid.append([len(self.losses), bits])
        if self.rows is None or bits < least or not self.best:
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def keep(self, path: str | Path | None) -> int:
        """Mark, and save where there is a path; returns the number of steps so far."""
        self.mark()
        if path is not None:
            tensors = {f"{part}/{k}": t for part, d in self.parts().items() for k, t in d.items()}
            facts = {"kind": "training", "architecture": type(self.model).__name__}
            if parallel.rank() == 0:
                checkpoint.write(path, tensors, self.facts | facts)
        return len(self.losses)

    def rate(self) -> Rate:
        """The learning rate from here on: a schedule goes on at the step where this training stands."""
        lr, first = self.lr, len(self.losses)
        return (lambda step: lr(first + step)) if callable(lr) else lr

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Everything that the next step depends on, and what was measured so far."""
        memory = self.optimiser.state_dict()["state"]
        place = self.batches.state_dict() if hasattr(self.batches, "state_dict") else {}
        return {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimiser": {f"{i}/{k}": torch.as_tensor(t) for i, d in memory.items() for k, t in d.items()},
            "batches": parallel.everyones(place),
            "chance": parallel.everyones(chance()),
            "curves": self.curves(),
        }

    def curves(self) -> dict[str, Tensor]:
        """The losses (N,) and the validations (M, 2)."""
        valid = torch.tensor(self.valid, dtype=torch.float64).view(-1, 2)
        return {"losses": torch.tensor(self.losses, dtype=torch.float64), "valid": valid}

    def load(self, path: str | Path) -> None:
        """Take up what `keep` saved."""
        tensors, facts = checkpoint.read(path)
        if facts.get("kind") != "training":
            raise checkpoint.BadCheckpoint(path, "it holds no training", "Choose another path for this one.")
        other = [name for name, fact in self.facts.items() if facts.get(name) != fact]
        if other:
            begun = f"it was begun with another {other[0]} ({str(facts.get(other[0]))[:60]})"
            raise checkpoint.BadCheckpoint(path, begun, "Choose another path, or what it was begun with.")
        parts: dict[str, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            part, name = name.split("/", 1)
            parts.setdefault(part, {})[name] = t
        checkpoint.fill(self.model, parts["model"], path, facts["architecture"])
        self.best = parts["best"]
        self.losses, self.valid = (parts["curves"][k].tolist() for k in ("losses", "valid"))
        self._load_memory(parts.get("optimiser", {}))
        self._load_position(parallel.mine(parts.get("batches", {})))
        set_chance(parallel.mine(parts["chance"]))

    def _load_memory(self, tensors: dict[str, Tensor]) -> None:
        memory: dict[int, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            i, name = name.split("/")
            whole = t.ndim == 0 and not t.is_floating_point()  # it was a Python number, such as Muon's t
            memory.setdefault(int(i), {})[name] = t.item() if whole else t
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": memory, "param_groups": groups})

    def _load_position(self, tensors: dict[str, Tensor]) -> None:
        if hasattr(self.batches, "load_state_dict"):
            self.batches.load_state_dict(tensors)
        else:  # an iterable that cannot be put back in its place: walk there
            rest = islice(self.batches, len(self.losses), None)
            self.batches = Around(rest, getattr(self.batches, "loss", None))


def chance() -> dict[str, Tensor]:
    """Where the sources of chance stand: the CPU's, and that of the GPU in use."""
    gpu = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return {"torch": torch.get_rng_state()} | gpu


def set_chance(states: dict[str, Tensor]) -> None:
    """Go on from where `chance` was taken."""
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def rows(valid: Tensor) -> Int[Tensor, "B T"]:
    """Rows to validate on: a text (N,) is cut into windows of 256 predictions, 64 of them at most."""
    if valid.ndim == 2:
        return valid.long()
    if len(valid) < 2:
        raise ValueError(f"valid has {len(valid)} token(s): two are needed, one to read and one to predict")
    size = min(256, len(valid) - 1)
    return valid.unfold(0, size + 1, size)[:64].long()


@torch.no_grad()
def measure(model: SequenceModel, rows: Any, loss: Callable[[SequenceModel, Any], Tensor] = nll) -> float:
    """The loss on the rows in bits, without dropout and without a graph."""
    with reading(model):
        return loss(model, rows).item()
