"""How long can it remember? `python benchmarks/memory_tasks.py`, about ten minutes.

Two tasks of Bai, Kolter and Koltun (2018, arXiv 1803.01271, table 1), beside what they report for an LSTM, a
GRU and their convolutional network (TCN):

- adding, T = 600: mean squared error. Our MinGRU and, with the same budget, our GRU and LSTM (in torch's
  kernels) are trained on lines that grow from 20 to 600 numbers.
- copy, T = 1000: cross-entropy in nats per step. Our diagonal state space is trained at T = 1000 from the
  first step on; the GRU and the LSTM too.

The budget is in CPU seconds of this process on one thread: 180, which is 90 seconds on two cores. GRU and
LSTM get a third of it, to save your time; `--full` gives them all of it.
"""

import argparse
import math
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled.gru import GRUCore  # noqa: E402
from unrolled.lstm import LSTMCore  # noqa: E402
from unrolled.model import Core, CoreModel, SequenceModel, parameter_count, reading  # noqa: E402
from unrolled.ssm import Diagonal, SSMCore  # noqa: E402
from unrolled.tasks import Adding, Copy, Readout, Task  # noqa: E402
from unrolled.train import train  # noqa: E402

PAPER = {"adding": (0.164, 5.3e-5, 5.8e-5), "copy": (0.0204, 0.0197, 3.5e-5)}  # LSTM, GRU, TCN
GROWING = (20, 60, 180)


class Clock:
    """CPU seconds since the start, as a share of a budget."""

    def __init__(self, budget: float):
        self.budget, self.start = budget, time.process_time()

    def share(self) -> float:
        return (time.process_time() - self.start) / self.budget


def learn(model: SequenceModel, task: Task, clock: Clock, lr: float, until: float = 0.0) -> int:
    """Train until the budget is used up, or the mean loss of 20 steps is below `until`; returns the steps."""
    begun, recent, steps = clock.share(), [], 0

    def rate(step: int) -> float:  # up over 20 steps, then down to zero at the end of the budget
        left = max(0.0, (1 - clock.share()) / (1 - begun)) if not until else 1.0
        return lr * min(1.0, (step + 1) / 20) * left

    for step in train(model, task, rate) if begun < 1 else ():
        recent, steps = [*recent[-19:], step.loss], steps + 1
        if clock.share() >= 1 or (len(recent) == 20 and sum(recent) / 20 < until):
            return steps
    return steps


@torch.no_grad()
def test(model: SequenceModel, task: Task, n: int = 1000) -> float:
    """The mean loss on n fresh examples."""
    generator = torch.Generator().manual_seed(1_000_003)
    with reading(model):
        return sum(task.loss(model, task.draw(20, generator)).item() for _ in range(n // 20)) / (n // 20)


def adding(core: Core, budget: float) -> list[str]:
    """A row of the table: adding, T = 600."""
    torch.manual_seed(0)
    model, clock, task = Readout(core), Clock(budget), Adding(600, batch=16)
    steps = [learn(model, Adding(T, batch=4 * 600 // T), clock, 5e-3, until=2e-3) for T in GROWING]
    steps += [learn(model, task, clock, 5e-3)]
    return _row(model, steps, budget, test(model, task), task)


def copying(core: Core, budget: float) -> list[str]:
    """A row of the table: copy, T = 1000."""
    torch.manual_seed(0)
    task = Copy(1000, batch=4)
    model, clock = CoreModel(task.vocab_size, core), Clock(budget)
    steps = [learn(model, task, clock, 5e-3)]
    return _row(model, steps, budget, test(model, task) * math.log(2), task)


def _row(model: SequenceModel, steps: list[int], budget: float, loss: float, task: Task) -> list[str]:
    done, right = " + ".join(map(str, steps)), task.accuracy(model)
    return [f"{parameter_count(model):,}", f"{budget:.0f}", done, f"{loss:.1e}", f"{right:.3f}"]


def table(name: str, rows: dict[str, list[str]], unit: str) -> None:
    """Print our rows, then the paper's."""
    print(f"\n| {name} | parameters | CPU-s | steps | {unit} | answers right |\n|---|---|---|---|---|---|")
    for who, row in rows.items():
        print("|", " | ".join([who, *row]), "|", flush=True)
    for who, loss in zip(("LSTM", "GRU", "TCN"), PAPER[name.split(",")[0]]):
        print(f"| {who}, as Bai et al. report | - | - | - | {loss:.1e} | - |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", type=float, default=180, help="CPU seconds for ours (default: 180)")
    parser.add_argument("--full", action="store_true", help="the same for GRU and LSTM")
    given = parser.parse_args()
    torch.set_num_threads(1)
    most, less = given.budget, given.budget / (1 if given.full else 3)
    table("adding, T = 600", {
        "MinGRU, 1 x 32": adding(SSMCore(2, 32, 1), most),
        "GRU, 1 x 64": adding(GRUCore(2, 64, fused=True), less),
        "LSTM, 1 x 64": adding(LSTMCore(2, 64, fused=True), less),
    }, "squared error")
    table("copy, T = 1000", {
        "Diagonal, 1 x 128": copying(SSMCore(10, 128, 1, Diagonal, longest=1e5), most),
        "GRU, 1 x 64": copying(GRUCore(10, 64, fused=True), less),
        "LSTM, 1 x 64": copying(LSTMCore(10, 64, fused=True), less),
    }, "nats per step")
