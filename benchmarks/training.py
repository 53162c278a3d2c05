"""What 16 bits in the matrix products save: `python benchmarks/training.py`, two minutes.

Training steps of the book's models with and without `unrolled.precision.mixed`, on 32 windows of 64 symbols,
at three widths. It says first whether this machine multiplies bfloat16 in hardware: where it does not,
`mixed` changes nothing unless it is told to, and the ratios below 1 say why.

Rules: CPU seconds of this process, one thread, the least of five repetitions in which both take turns. A
ratio above 1 says that `mixed` takes less.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled.batches import batches  # noqa: E402
from unrolled.gru import GRU  # noqa: E402
from unrolled.lstm import LSTM  # noqa: E402
from unrolled.precision import helps, mixed  # noqa: E402
from unrolled.rnn import RNN  # noqa: E402
from unrolled.ssm import SSM  # noqa: E402
from unrolled.train import update  # noqa: E402
from unrolled.transformer import Transformer  # noqa: E402

V, WIDTHS, STEPS, REPETITIONS = 65, (64, 256, 512), 4, 5
MODELS = {
    "RNN": lambda width: RNN(V, width),
    "LSTM": lambda width: LSTM(V, width, fused=True),
    "GRU": lambda width: GRU(V, width, fused=True),
    "SSM, two layers": lambda width: SSM(V, width),
    "Transformer, two layers": lambda width: Transformer(V, width, 2, 4, 64),
}


def milliseconds(make, width: int) -> tuple[float, float]:
    """A training step in 32 bits and in mixed precision."""
    x = torch.randint(V, (20_000,), generator=torch.Generator().manual_seed(0))
    best = [float("inf")] * 2
    model = make(width)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    plain = batches(x, 64, 32)
    for _ in range(REPETITIONS):
        for k, always in enumerate((None, True)):
            source = plain if always is None else mixed(plain, always=True)
            start = time.process_time()
            for _ in range(STEPS):
                loss = {} if always is None else {"loss": source.loss}
                update(model, next(iter(source)), optimiser, **loss)
            best[k] = min(best[k], (time.process_time() - start) / STEPS * 1e3)
    return best[0], best[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    here = "does" if helps(torch.device("cpu")) else "does not"
    print(f"torch {torch.__version__}; this machine {here} multiply bfloat16 in hardware\n")
    print("| training, ms a step |", " | ".join(f"H = {w}, 32 bits | mixed | ratio" for w in WIDTHS), "|")
    print("|---" * (1 + 3 * len(WIDTHS)) + "|")
    for name, make in MODELS.items():
        cells = []
        for width in WIDTHS:
            full, half = milliseconds(make, width)
            cells += [f"{full:.1f}", f"{half:.1f}", f"{full / half:.2f}"]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
