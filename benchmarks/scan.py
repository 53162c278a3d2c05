"""The linear recurrence beside what others have: `python benchmarks/scan.py`, four minutes.

- The scan alone, h_t = a_t h_{t-1} + b_t with a and b given: ours (the loop that writes in place, and
  `doubling`, which is made for GPUs) beside the log-space scan of the pip package minGRU-pytorch. Errors are
  against the recurrence in float64. The package takes positive numbers only, so all get those.
- A layer over 4,096 steps: MinGRU beside torch.nn.LSTM and torch.nn.GRU of the same width.

Rules: CPU seconds of this process, one thread, the least of five repetitions in which the contenders take
turns. A ratio above 1 says that ours takes less.
"""

import os
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from unrolled.scan import recurrence, scan  # noqa: E402
from unrolled.ssm import MinGRU  # noqa: E402

try:
    from minGRU_pytorch.minGRU import heinsen_associative_scan_log as log_scan
except ImportError:
    log_scan = None

SHAPES = ((32, 128, 256), (16, 512, 128), (8, 1024, 256), (1, 4096, 256))  # batch, steps, width
LAYERS = ((1, 256), (1, 512), (1, 1024), (8, 128))  # batch, width
STEPS = 4096


def seconds(work: dict[str, Callable[[], object]], repetitions: int = 5) -> dict[str, float]:
    """The least CPU seconds of each piece of work; they take turns."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(repetitions):
        for name, run in work.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def reading(run: Callable[[], Tensor]) -> Callable[[], None]:
    """Forward only."""

    def work():
        with torch.no_grad():
            run()

    return work


def training(run: Callable[[], Tensor]) -> Callable[[], None]:
    """Forward and backward."""
    return lambda: run().sum().backward()


def scan_row(B: int, T: int, H: int) -> list[str]:
    """The scan alone, at one shape."""
    torch.manual_seed(0)
    a, b, h = torch.rand(B, T, H), torch.rand(B, T, H), torch.zeros(B, H)
    log_a, log_b, a, b = (t.requires_grad_() for t in (a.log(), b.log(), a, b))
    ways = {"peer": lambda: log_scan(log_a, log_b)} if log_scan else {}
    ways |= {"ours": lambda: scan(a, b, h), "doubling": lambda: scan(a, b, h, parallel=True)}
    forward = seconds({name: reading(run) for name, run in ways.items()})
    both = seconds({name: training(run) for name, run in ways.items()})
    exact = recurrence(a.double(), b.double(), h.double())
    errors = {name: f"{(run() - exact).abs().max().item():.0e}" for name, run in ways.items()}
    times = [_ms(forward, name) for name in ("peer", "ours", "doubling")]
    return [*times, _ratio(forward, "peer"), _ratio(both, "peer"), errors.get("peer", "-"), errors["ours"]]


def layer_row(B: int, H: int) -> list[str]:
    """Whole layers, at one shape."""
    x, h, ours = torch.randn(B, STEPS, H), torch.zeros(B, H), MinGRU(H, STEPS)
    lstm, gru = nn.LSTM(H, H, batch_first=True), nn.GRU(H, H, batch_first=True)
    ways = {"lstm": lambda: lstm(x)[0], "gru": lambda: gru(x)[0], "ours": lambda: ours(x, h)}
    row = []
    for kind in (reading, training):
        times = seconds({name: kind(run) for name, run in ways.items()})
        row += [_ms(times, "ours"), _ratio(times, "lstm"), _ratio(times, "gru")]
    return row


def table(head: list[str], rows: dict[str, list[str]]) -> None:
    """Print a table."""
    print("|", " | ".join(head), "|\n" + "|---" * len(head) + "|")
    for name, row in rows.items():
        print("|", " | ".join([name, *row]), "|")


def _ms(times: dict[str, float], name: str) -> str:
    return f"{1e3 * times[name]:.2f}" if name in times else "-"


def _ratio(times: dict[str, float], name: str) -> str:
    return f"{times[name] / times['ours']:.1f}" if name in times else "-"


if __name__ == "__main__":
    torch.set_num_threads(1)
    if not log_scan:
        print("minGRU-pytorch is missing: pip install -r requirements-benchmarks.txt\n")
    head = ["batch x steps x width", "peer, ms", "ours", "doubling", "peer / ours", "with gradient"]
    rows = {" x ".join(map(str, shape)): scan_row(*shape) for shape in SHAPES}
    table([*head, "peer's error", "our error"], rows)
    print()
    half = ["MinGRU, ms", "nn.LSTM / ours", "nn.GRU / ours"]
    head = [f"{STEPS} steps, batch x width", *half, *(f"with gradient: {name}" for name in half)]
    table(head, {f"{B} x {H}": layer_row(B, H) for B, H in LAYERS})
