"""How fast WaveNet writes: `python benchmarks/wavenet_generation.py`, about two minutes of one core.

The peer is our own naive loop, which is what the definition says: for each new sample the model reads the
last receptive field again. Beside it: the law's call with T = 1, whose state holds the queues, and the Writer
of `wavenet_fast`, the same numbers by numpy. 32 residual and 64 skip channels, 256 levels, one voice, drawn
at temperature 1. The receptive field is full from the start, as in the middle of a sound.

Rules: CPU seconds of this process, one thread, the least of five repetitions in which the contenders take
turns. The last column is the largest difference of a logit between the naive loop and each of the others.
"""

import argparse
import os
import time
from collections.abc import Callable

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"  # read when torch and numpy are loaded, so before them

import numpy as np  # noqa: E402
import torch  # noqa: E402
from unrolled.generate import sample  # noqa: E402
from unrolled.wavenet import DOUBLING, Queues, WaveNet  # noqa: E402
from unrolled.wavenet_fast import Writer, draw  # noqa: E402

STACKS = (DOUBLING[:8], DOUBLING, DOUBLING * 2, DOUBLING * 3)


@torch.no_grad()
def naive(model: WaveNet, x: torch.Tensor, steps: int) -> torch.Tensor:
    """The logits (steps, V) of each new sample: x grows, and the last receptive field is read again."""
    logits = []
    for _ in range(steps):
        logits.append(model(x[:, -model.receptive_field :])[0][0, -1])
        x = torch.cat([x, sample(logits[-1][None])[:, None]], 1)
    return torch.stack(logits)


@torch.no_grad()
def queued(model: WaveNet, logits: torch.Tensor, state: Queues, steps: int) -> None:
    """The same by the law, after what was read: each sample costs one call with T = 1."""
    for _ in range(steps):
        logits, state = model(sample(logits[:, -1])[:, None], state)


def fast(writer: Writer, symbol: int, steps: int) -> None:
    """The same by a Writer that has read all but the last symbol."""
    for u in np.random.default_rng(0).random(steps):
        symbol = draw(writer.read(symbol), 1.0, u)


@torch.no_grad()
def apart(model: WaveNet, x: torch.Tensor, steps: int = 100) -> float:
    """The largest difference of the logits: naive against queues and Writer, on the same random symbols."""
    n = model.receptive_field
    _, state = model(x[:, : n - 1])
    writer, worst = Writer(model, state), 0.0
    for t in range(n - 1, n - 1 + steps):
        expected = model(x[:, t + 1 - n : t + 1])[0][0, -1]
        by_law, state = model(x[:, t : t + 1], state)
        by_writer = torch.from_numpy(writer.read(int(x[0, t])))
        worst = max(worst, *((expected - other).abs().max().item() for other in (by_law[0, 0], by_writer)))
    return worst


def speeds(work: dict[str, tuple[int, Callable[[], object]]], repetitions: int = 5) -> dict[str, float]:
    """Samples per CPU second of each, the best of the repetitions; they take turns."""
    best = dict.fromkeys(work, 0.0)
    for _ in range(repetitions):
        for name, (steps, run) in work.items():
            start = time.process_time()
            run()
            best[name] = max(best[name], steps / (time.process_time() - start))
    return best


def row(dilations: tuple[int, ...], steps: int) -> str:
    torch.manual_seed(0)
    model = WaveNet(256, 32, 64, dilations).eval()
    x = torch.randint(256, (1, model.receptive_field + 100))
    full = x[:, : model.receptive_field]
    writer = Writer(model, model(full[:, :-1])[1])
    read = model(full)
    work = {
        "naive": (max(1, steps // 100), lambda: naive(model, full, max(1, steps // 100))),
        "queued": (max(1, steps // 10), lambda: queued(model, *read, max(1, steps // 10))),
        "fast": (steps, lambda: fast(writer, 128, steps)),
    }
    s = speeds(work)
    cells = [f"{model.receptive_field:,}", f"{len(dilations)}", *(f"{s[name]:,.0f}" for name in work)]
    cells += [f"{s['fast'] / s['naive']:,.0f}", f"{s['fast'] / 16_000:.2f}", f"{apart(model, x):.0e}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=4000, help="samples that the Writer writes a repetition")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, numpy {np.__version__}, CPU, one thread; samples per CPU second\n")
    print("| receptive field | layers | naive | queues (law) | Writer | Writer, x naive | x 16 kHz | apart |")
    print("|---|---|---|---|---|---|---|---|")
    for dilations in STACKS:
        print(row(dilations, steps), flush=True)


if __name__ == "__main__":
    main()
