"""Our LSTM and GRU beside torch.nn's: `python benchmarks/recurrent_speed.py`, about three minutes.

Training is a whole step (loss, gradient, clipping, Adam) of a language model over 65 symbols, on batches of
32 windows of 128: our cell as one reads it, our weights in torch's kernel (`fused=True`), and torch.nn's
module with the same weights. Writing is one symbol after another, drawn, with an LSTM of 1 x 512: our loop
over `model(x, state)` for nn.LSTM and for ours, for one text and for 32 at once, and `lstm_fast`.

Rules: CPU seconds of this process, one thread, the minimum of repetitions in which the contenders take turns.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when torch and numpy are loaded

import torch  # noqa: E402
from unrolled.generate import generate, sample  # noqa: E402
from unrolled.gru import GRUCore  # noqa: E402
from unrolled.layers import Layers  # noqa: E402
from unrolled.lstm import LSTM, LSTMCore  # noqa: E402
from unrolled.lstm_fast import fast_generate  # noqa: E402
from unrolled.model import Core, CoreModel, SequenceModel, nll  # noqa: E402
from unrolled.train import update  # noqa: E402

V, BATCH, LENGTH = 65, 32, 128
SHAPES = ((1, 256), (2, 256))  # layers, hidden


class Torchs(Core):
    """torch's own module, behind our call."""

    def __init__(self, ours: Layers):
        super().__init__()
        self.inputs, self.hidden, self.module = ours.inputs, ours.hidden, ours.to_torch()

    def forward(self, a, state=None):
        return self.module(a, state)


def seconds(work: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """The least CPU seconds of each piece of work; they take turns."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(repetitions):
        for name, run in work.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def contenders(kind: type[Layers], layers: int, hidden: int) -> dict[str, SequenceModel]:
    """One language model with three cores of one and the same function."""
    torch.manual_seed(0)
    ours = kind(hidden, hidden, layers)
    theirs = ours.to_torch()
    cores = {"cell": ours, "fused": kind.from_torch(theirs, fused=True), "torch": Torchs(ours)}
    models = {name: CoreModel(V, core) for name, core in cores.items()}
    for model in models.values():
        model.embed.load_state_dict(models["cell"].embed.state_dict())
        model.W_y.load_state_dict(models["cell"].W_y.state_dict())
    return models


def apart(models: dict[str, SequenceModel], x: torch.Tensor) -> float:
    """The largest difference of the embeddings' gradients, relative to their largest entry."""
    grads = [torch.autograd.grad(nll(model, x), model.embed.weight)[0] for model in models.values()]
    return max((g - grads[-1]).abs().max() / grads[-1].abs().max() for g in grads).item()


def training(repetitions: int) -> None:
    print("| training, ms a step | our cell | our weights in torch's kernel | torch.nn | cell | kernel |")
    print("|---|---|---|---|---|---|")
    x, worst = torch.randint(V, (BATCH, LENGTH + 1)), 0.0
    for kind in (LSTMCore, GRUCore):
        for layers, hidden in SHAPES:
            models = contenders(kind, layers, hidden)
            worst = max(worst, apart(models, x))
            optimisers = {name: torch.optim.Adam(model.parameters()) for name, model in models.items()}
            work = {name: partial(update, models[name], x, optimisers[name]) for name in models}
            best = seconds(work, repetitions)
            ms = " | ".join(f"{1000 * best[name]:.0f}" for name in work)
            ratios = " | ".join(f"x {best[name] / best['torch']:.2f}" for name in ("cell", "fused"))
            print(f"| {kind.__name__[:-4]} {layers} x {hidden} | {ms} | {ratios} |", flush=True)
    print(f"\nThe three are one network: relative difference of their gradients {worst:.1e}.\n")


def writing(repetitions: int) -> None:
    torch.manual_seed(0)
    model, prompt = LSTM(V, 512), torch.zeros(1, 1, dtype=torch.long)
    theirs = CoreModel(V, Torchs(model.core))
    theirs.embed, theirs.W_y = model.embed, model.W_y
    work = {
        "torch.nn.LSTM, `generate`": (200, partial(generate, theirs, prompt, 200, sample)),
        "our LSTM, `generate`": (500, partial(generate, model, prompt, 500, sample)),
        "our LSTM, `generate`, 32 texts": (1600, partial(generate, model, prompt.expand(32, 1), 50, sample)),
        "our LSTM, `lstm_fast`": (2000, partial(fast_generate, model, prompt, 2000)),
    }
    best = seconds({name: run for name, (_, run) in work.items()}, repetitions)
    speed = {name: symbols / best[name] for name, (symbols, _) in work.items()}
    print("| writing, LSTM 1 x 512 | characters/s | x torch.nn.LSTM |\n|---|---|---|")
    for name, found in speed.items():
        print(f"| {name} | {found:,.0f} | {found / speed['torch.nn.LSTM, `generate`']:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=9)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, CPU, one thread, CPU time\n")
    training(repetitions)
    writing(repetitions)


if __name__ == "__main__":
    main()
