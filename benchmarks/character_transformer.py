"""A small transformer on tiny Shakespeare: `python benchmarks/character_transformer.py`, 150 CPU seconds.

0.8 million parameters (4 layers, width 128, 4 heads), the first 90 % of the characters to learn from, the
last 10 % to be scored in windows of 256 characters. The budget is what 75 s on two cores are: 150 CPU seconds
of this process, on one thread, because other work shares the machine; scoring is not counted.

    --model nimble        `unrolled.nimble` with Muon: what the table is about
    --model plain         `unrolled.transformer` with Adam, in the same time: what it is worth
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled import data  # noqa: E402
from unrolled.batches import batches  # noqa: E402
from unrolled.evaluate import evaluate  # noqa: E402
from unrolled.model import SequenceModel, parameter_count  # noqa: E402
from unrolled.muon import Muon, maps_and_rest  # noqa: E402
from unrolled.nimble import Nimble  # noqa: E402
from unrolled.precision import mixed  # noqa: E402
from unrolled.train import update  # noqa: E402
from unrolled.transformer import Transformer  # noqa: E402
from unrolled.vocab import Vocab  # noqa: E402

NANOGPT = 1.886  # its CPU recipe, 0.80 M parameters, 74 s on two cores: run by hand on this kind of machine
TOKENS = 4096  # in a batch
Optimiser = torch.optim.Optimizer


def nimble(V: int) -> tuple[SequenceModel, Optimiser]:
    """The small transformer that learns fast, and its optimiser."""
    model = Nimble(V, 128, 4, 4)
    return model, Muon(*maps_and_rest(model), lr=0.035, adam_lr=6e-3, dtype=torch.bfloat16)


def plain(V: int) -> tuple[SequenceModel, Optimiser]:
    """The chapter's transformer, and Adam."""
    model = Transformer(V, 128, 4, 4, 256, fast=False)
    return model, torch.optim.Adam(model.parameters(), 2e-3, betas=(0.9, 0.99))


def share_used(budget: float) -> Iterator[float]:
    """The share of the budget that was used, again and again, until nothing is left."""
    start = time.process_time()
    while (share := (time.process_time() - start) / budget) < 1:
        yield share


def train(model: SequenceModel, optimiser: Optimiser, x: torch.Tensor, budget: float) -> int:
    """Train for so many CPU seconds; return the number of characters read.

    Short windows first: most of what is to be learned lies near, and short ones cost less. The learning rates
    stay for the first half, and fall to zero in the second.
    """
    source = {T: mixed(batches(x, T, TOKENS // T)) for T in (128, 256)}
    peaks = [group["lr"] for group in optimiser.param_groups]
    steps = 0
    for share in share_used(budget):
        for group, peak in zip(optimiser.param_groups, peaks):
            group["lr"] = peak * min(1, 2 - 2 * share)
        windows = source[128 if share < 0.7 else 256]
        update(model, next(iter(windows)), optimiser, math.inf, windows.loss)
        steps += 1
    return steps * TOKENS


def measured(make: Callable, x: torch.Tensor, V: int, budget: float, seed: int) -> str:
    """One row of the table."""
    cut = int(len(x) * 0.9)
    torch.manual_seed(seed)
    model, optimiser = make(V)
    start = time.process_time()
    read = train(model, optimiser, x[:cut], budget)
    took, score = time.process_time() - start, evaluate(model, x[cut:], window=256)
    nats = score.bits * math.log(2)
    return f"{parameter_count(model):,} | {read:,} | {took:.0f} | {nats:.3f} | {score.bits:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=["nimble", "plain"], nargs="*", default=["nimble"])
    parser.add_argument("--seconds", type=float, default=150, help="CPU seconds of training")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = data.text("tinyshakespeare", required=True)
    vocab = Vocab.chars(text)
    x, makers = vocab.encode(text), {"nimble": nimble, "plain": plain}
    print("| | parameters | characters read | CPU-s | nats, windows of 256 | bits |")
    print("|---|---|---|---|---|---|")
    for name in options.model:
        row = measured(makers[name], x, len(vocab), options.seconds, options.seed)
        print(f"| ours, {name} | {row} |", flush=True)
    print(f"| nanoGPT's CPU recipe | 0.80 M | | 74 s, two cores | {NANOGPT} | {NANOGPT / math.log(2):.3f} |")


if __name__ == "__main__":
    main()
