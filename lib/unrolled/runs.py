"""A training as a thing that can be saved whole: weights, optimiser, chance, place in the data, curves."""

import math
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import torch

from . import checkpoint
from .model import SequenceModel, nll, reading
from .shapes import Int, Tensor


class Run:
    """All that a training is made of, so that it can be saved whole and taken up again."""

    def __init__(self, model: SequenceModel, batches: Iterable, valid: Tensor | None, lr: float | int):
        self.model, self.batches = model, batches
        self.rows = None if valid is None else rows(valid)
        self.optimiser = torch.optim.Adam(model.parameters(), lr)
        self.losses: list[float] = []
        self.valid: list[list[float]] = []
        self.best: dict[str, Tensor] = {}

    def mark(self) -> None:
        """Measure where we stand, and keep the weights if they are the best."""
        least = min((bits for _, bits in self.valid if not math.isnan(bits)), default=math.inf)
        if self.rows is not None:
            bits = measure(self.model, self.rows)
            self.valid.append([len(self.losses), bits])
        if self.rows is None or bits < least or not self.best:
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def keep(self, path: str | Path | None) -> int:
        """Mark, and save where there is a path; returns the number of steps so far."""
        self.mark()
        if path is not None:
            tensors = {f"{part}/{k}": t for part, d in self.parts().items() for k, t in d.items()}
            checkpoint.write(path, tensors, {"kind": "training", "architecture": type(self.model).__name__})
        return len(self.losses)

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Everything that the next step depends on, and what was measured so far."""
        memory = self.optimiser.state_dict()["state"]
        return {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimiser": {f"{i}/{k}": t for i, d in memory.items() for k, t in d.items()},
            "batches": self.batches.state_dict() if hasattr(self.batches, "state_dict") else {},
            "chance": {"torch": torch.get_rng_state()},
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
        parts: dict[str, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            part, name = name.split("/", 1)
            parts.setdefault(part, {})[name] = t
        checkpoint.fill(self.model, parts["model"], path, facts["architecture"])
        self.best = parts["best"]
        self.losses, self.valid = (parts["curves"][k].tolist() for k in ("losses", "valid"))
        self._load_memory(parts.get("optimiser", {}))
        self._load_position(parts.get("batches", {}))
        torch.set_rng_state(parts["chance"]["torch"])

    def _load_memory(self, tensors: dict[str, Tensor]) -> None:
        memory: dict[int, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            i, name = name.split("/")
            memory.setdefault(int(i), {})[name] = t
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": memory, "param_groups": groups})

    def _load_position(self, tensors: dict[str, Tensor]) -> None:
        if hasattr(self.batches, "load_state_dict"):
            self.batches.load_state_dict(tensors)
        else:  # an iterable that cannot be put back in its place: walk there
            self.batches = islice(self.batches, len(self.losses), None)


def rows(valid: Tensor) -> Int[Tensor, "B T"]:
    """Rows to validate on: a text (N,) is cut into windows of 256 predictions, 64 of them at most."""
    if valid.ndim == 2:
        return valid
    if len(valid) < 2:
        raise ValueError(f"valid has {len(valid)} token(s): two are needed, one to read and one to predict")
    size = min(256, len(valid) - 1)
    return valid.unfold(0, size + 1, size)[:64]


@torch.no_grad()
def measure(model: SequenceModel, rows: Int[Tensor, "B T"]) -> float:
    """The loss on the rows in bits, without dropout and without a graph."""
    with reading(model):
        return nll(model, rows).item()
