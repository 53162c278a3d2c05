"""How far do RNN, LSTM and GRU remember? `python -m unrolled.trainings.memories` (about five minutes).

Four tasks, several lags, three models of the same width with the same number of updates, each trained anew
for each lag. The table becomes the record `success_by_lag`, which chapter 7 shows.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .. import init, records
from ..gru import GRU
from ..lstm import LSTM
from ..memory import Capital, success_by_lag
from ..model import SequenceModel
from ..rnn import RNN
from ..tasks import Brackets, Copy, Recall, Task

HIDDEN = 48
LAGS: dict[str, tuple[type[Task], Sequence[int]]] = {
    "recall": (Recall, (5, 20, 80)),
    "copy": (Copy, (5, 20)),
    "brackets": (Brackets, (3, 6)),
    "capital": (Capital, (2, 12, 24)),
}
COLUMNS = ["task", "lag", "chance", "RNN", "LSTM", "GRU"]
OPEN = 5.0  # the bias of the gate that keeps: sigmoid(5) = 0.993 of a cell stays at each step


def rnn(task: Task) -> SequenceModel:
    """The lecture's network, with first weights that neither stretch nor shrink a state."""
    model = RNN(task.vocab_size, HIDDEN)
    init.orthogonal(model)
    return model


def gated(kind: type) -> Callable[[Task], SequenceModel]:
    """An LSTM or a GRU whose gates begin open, and whose inputs are as strong as an RNN's."""

    def make(task: Task) -> SequenceModel:
        model = kind(task.vocab_size, HIDDEN, embed=HIDDEN, fused=True)
        init.forget_bias(model, OPEN)
        with torch.no_grad():
            model.core.layers[0].W_x.mul_(3)
        return model

    return make


MODELS = {"RNN": rnn, "LSTM": gated(LSTM), "GRU": gated(GRU)}


def rows(seed: int, steps: int, lags: dict[str, tuple[type[Task], Sequence[int]]]) -> list[list[Any]]:
    """A row for each task and lag: what guessing gives, and the accuracy of each model."""
    table = []
    for name, task, lag in ((name, task, lag) for name, (task, far) in lags.items() for lag in far):
        found = []
        for make in MODELS.values():
            torch.manual_seed(seed)
            found.append(float(success_by_lag(make, task, [lag], steps, lr=1e-2)))
        table.append([name, lag, task(lag).chance, *(round(accuracy, 3) for accuracy in found)])
        print(*table[-1], flush=True)
    return table


def main(arguments: list[str] | None = None) -> None:
    """The command: train all, write the record, show it. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=500, help="updates for each model and lag")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    title = f"Share of right answers by lag, after {options.steps} updates, networks {HIDDEN} wide"
    command = "python -m unrolled.trainings.memories"
    print(records.make("success_by_lag", title, COLUMNS, lambda s: rows(s, options.steps, LAGS), command,
                       options.seed))  # fmt: skip


if __name__ == "__main__":
    main()
