"""A training that writes down what it does: a file with one line of JSON for each step and each validation.

    {"step": 1, "bits": 5.91, "grad_norm": 0.4, "seconds": 0.02}
    {"step": 50, "valid": 3.2, "seconds": 1.1}
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .model import SequenceModel
from .parallel import rank
from .runs import Rate, Run
from .shapes import Tensor


class LoggedRun(Run):
    """A `Run` that writes a log while it goes (only the first of several processes does).

    A training that is taken up again cuts off what was logged after it was saved, and goes on from there:
    every step stands in the log once. `seconds` count from the start of this process. None writes nothing.
    """

    def __init__(
        self, model: SequenceModel, batches: Iterable, valid: Tensor | None, lr: Rate, log: Path | None = None
    ):
        super().__init__(model, batches, valid, lr)
        self.log, self.begun = log if rank() == 0 else None, time.perf_counter()
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)

    def note(self, loss: float, grad_norm: float) -> None:
        """Remember and log how a step went."""
        super().note(loss, grad_norm)
        self._write(bits=loss, grad_norm=grad_norm)

    def mark(self) -> None:
        """Measure where we stand, keep the weights if they are the best, and log the measure."""
        if not self.losses:
            self._keep(-1)
        super().mark()
        if self.valid:
            self._write(valid=self.valid[-1][1])

    def load(self, path: str | Path) -> None:
        """Take up what `keep` saved; the log ends there too."""
        super().load(path)
        self._keep(len(self.losses))

    def _write(self, **facts: Any) -> None:
        if self.log is None:
            return
        line = {"step": len(self.losses)} | facts | {"seconds": round(time.perf_counter() - self.begun, 3)}
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _keep(self, last: int) -> None:
        """Cut the log off after this step. A line that a kill cut short goes too."""
        if self.log is None or not self.log.exists():
            return
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("}\n") and json.loads(line)["step"] <= last]
        self.log.write_text("".join(kept), encoding="utf-8")
