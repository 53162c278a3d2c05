"""How wide must a network be to learn what two units can do? `python -m unrolled.trainings.capacity`.

Running parity, an RNN of each width, many seeds, the same number of updates (under a minute). The table
becomes the record `capacity`, which the last chapter shows.
"""

import argparse
from itertools import islice
from typing import Any

import torch

from .. import records
from ..parity import Parity
from ..rnn import RNN
from ..train import train

WIDTHS = (2, 3, 4, 6, 8, 16)
LAG = 12
SOLVED = 0.99  # an accuracy that no half-solution reaches
COLUMNS = ["units", "runs", "solved", "share solved", "mean accuracy"]


def accuracy(width: int, seed: int, steps: int) -> float:
    """Train one RNN on parity; the share of right answers on new rows."""
    torch.manual_seed(seed)
    model = RNN(Parity(LAG).vocab_size, width)
    for _ in islice(train(model, Parity(LAG, seed=seed), lr=1e-2), steps):
        pass
    return Parity(LAG).accuracy(model)


def rows(seed: int, runs: int, steps: int) -> list[list[Any]]:
    """A row for each width: how many of the runs solve the task."""
    table = []
    for width in WIDTHS:
        found = [accuracy(width, seed + run, steps) for run in range(runs)]
        solved = sum(share > SOLVED for share in found)
        table.append([width, runs, solved, round(solved / runs, 3), round(sum(found) / runs, 3)])
        print(*table[-1], flush=True)
    return table


def main(arguments: list[str] | None = None) -> None:
    """The command: train all, write the record, show it. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="seeds for each width")
    parser.add_argument("--steps", type=int, default=300, help="updates of each run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    title = f"Running parity over {LAG} steps: how often {options.steps} updates find a solution"
    command = "python -m unrolled.trainings.capacity"
    print(records.make("capacity", title, COLUMNS, lambda s: rows(s, options.runs, options.steps), command,
                       options.seed))  # fmt: skip


if __name__ == "__main__":
    main()
