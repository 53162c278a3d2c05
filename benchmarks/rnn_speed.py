"""Our recurrent network beside torch.nn.RNN: `python benchmarks/rnn_speed.py`, about a minute.

Training is a whole step (loss, gradient, clipping, Adam) on batches of 32 windows of 52 symbols. The peers:
the same network, with torch.nn.RNN on one-hot inputs and our weights copied over; and what is often written
instead, an embedding as wide as the state before torch.nn.RNN, which multiplies twice as much. Writing is
one symbol after another, batch 1, by our loop over `model(x, state)` in both cases.

Rules: CPU seconds of this process, one thread, the minimum of seven repetitions in which the contenders take
turns. The ratio is ours to the peer's in tokens per second: above 1, ours is faster.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from torch import nn  # noqa: E402
from unrolled.generate import generate, greedy  # noqa: E402
from unrolled.model import SequenceModel, nll  # noqa: E402
from unrolled.rnn import RNN  # noqa: E402
from unrolled.train import update  # noqa: E402

V, BATCH = 52, 32
SHAPES = ((128, 64), (192, 64), (256, 64), (256, 128))  # hidden, length


class OneHot(SequenceModel):
    """torch.nn.RNN with the weights of ours."""

    def __init__(self, ours: RNN):
        super().__init__()
        self.vocab_size, self.read = V, lambda x: nn.functional.one_hot(x, V).float()
        self.core, self.head = nn.RNN(V, ours.hidden, batch_first=True), nn.Linear(ours.hidden, V)
        pairs = {"weight_ih_l0": ours.W_x, "weight_hh_l0": ours.W_h, "bias_ih_l0": ours.b_h}
        with torch.no_grad():
            self.core.bias_hh_l0.zero_()
            for name, value in pairs.items():
                getattr(self.core, name).copy_(value)
            self.head.weight.copy_(ours.W_y)
            self.head.bias.copy_(ours.b_y)

    def forward(self, x, state=None):
        h, last = self.core(self.read(x), state)
        return self.head(h), last


class Embedded(OneHot):
    """torch.nn.RNN behind an embedding."""

    def __init__(self, ours: RNN):
        super().__init__(ours)
        self.read = nn.Embedding(V, ours.hidden)
        self.core = nn.RNN(ours.hidden, ours.hidden, batch_first=True)


def seconds(work: dict[str, Callable[[], object]], repetitions: int = 7) -> dict[str, float]:
    """The least CPU seconds of each piece of work; they take turns."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(repetitions):
        for name, run in work.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def trainer(model: SequenceModel, x: torch.Tensor, steps: int) -> Callable[[], None]:
    adam = torch.optim.Adam(model.parameters(), 3e-3)

    def run():
        for _ in range(steps):
            update(model, x, adam)

    return run


def same(ours: RNN, theirs: SequenceModel, x: torch.Tensor) -> float:
    """The largest difference of the two in the gradient of W_h, relative to its largest entry."""
    a = torch.autograd.grad(nll(ours, x), ours.W_h)[0]
    b = torch.autograd.grad(nll(theirs, x), theirs.core.weight_hh_l0)[0]
    return ((a - b).abs().max() / a.abs().max()).item()


def contenders(hidden: int) -> dict[str, SequenceModel]:
    torch.manual_seed(0)
    ours = RNN(V, hidden)
    return {"ours": ours, "one-hot": OneHot(ours), "embedding": Embedded(ours)}


def row(what: str, tokens: int, work: dict[str, Callable[[], object]]) -> str:
    speed = {name: tokens / t for name, t in seconds(work).items()}
    cells = [f"{speed[name]:,.0f}" for name in work]
    cells += [f"{speed['ours'] / speed[name]:.2f}" for name in work if name != "ours"]
    return f"| {what} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=8, help="training steps a repetition")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, CPU, one thread; tokens per CPU second\n")
    print("| | ours | nn.RNN, one-hot | nn.RNN, embedding | ratio to one-hot | ratio to embedding |")
    print("|---|---|---|---|---|---|")
    apart = 0.0
    for hidden, length in SHAPES:
        models, x = contenders(hidden), torch.randint(V, (BATCH, length + 1))
        apart = max(apart, same(models["ours"], models["one-hot"], x))
        work = {name: trainer(m, x, steps) for name, m in models.items()}
        print(row(f"training, H = {hidden}, T = {length}", steps * BATCH * length, work), flush=True)
    models, prompt = contenders(256), torch.zeros(1, 1, dtype=torch.long)
    work = {name: partial(generate, m, prompt, 500, greedy) for name, m in models.items()}
    print(row("writing, H = 256", 500, work))
    print(f"\nOurs and the first peer are one network: relative difference of their gradients {apart:.1e}.")


if __name__ == "__main__":
    main()
