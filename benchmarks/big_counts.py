"""Counting past memory: DuckDB within a small memory beside our counting in memory.

    python benchmarks/big_counts.py                 20 million tokens: two minutes
    python benchmarks/big_counts.py --tokens 1e6    a shorter one

The corpus is drawn from Zipf's law: word r of 30,000 has a chance in proportion to 1 / r. On its first
million tokens both must give the same counts, and of the whole corpus the totals must be right. The engine
needs room for its own pages: with 64 MB it gives up between 20 and 60 million tokens, and says so.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from unrolled import bigcounts, corpus
from unrolled.counts import count, join

V, N = 30_000, 3
PART = 1_000_000


def write(path: Path, tokens: int) -> None:
    """A corpus of Zipf's words as the file of token ids that `corpus.load` maps."""
    chances = 1 / np.arange(1, V + 1)
    edges, rng = np.cumsum(chances / chances.sum()), np.random.default_rng(0)
    ids = np.lib.format.open_memmap(path, "w+", np.int16, (tokens,))
    for first in range(0, tokens, 1 << 20):
        draws = rng.random(min(1 << 20, tokens - first))
        ids[first : first + len(draws)] = np.minimum(np.searchsorted(edges, draws), V - 1)
    ids.flush()


def child(path: str, tokens: int, memory: str, folder: str) -> None:
    """Count in a process of its own, so that its memory can be measured; print seconds and MB.

    Without `memory`, count in memory. The MB are what counting added to the process at its peak.
    """
    before, start = megabytes("VmRSS"), time.process_time()
    x = corpus.load(path)[:tokens]
    if memory:
        bigcounts.count(x, N, V, folder, memory)
    else:
        count(*join([x.clone()], V), N, V)
    print(time.process_time() - start, megabytes("VmHWM") - before)


def megabytes(name: str) -> float:
    """VmRSS: what the process holds; VmHWM: what it held at most. Only Linux tells; elsewhere it is NaN."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), float("nan"))


def apart(path: Path, tokens: int, memory: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and MB of counting in a process of its own."""
    call = [sys.executable, __file__, "--child", str(path), str(tokens), memory, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, most = map(float, done.stdout.split())
    return seconds, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=float, default=20e6)
    parser.add_argument("--memory", default="64MB", help="what DuckDB may use")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.child:
        return child(args.child[0], int(args.child[1]), *args.child[2:])
    tokens = int(args.tokens)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "ids.npy"
        write(path, tokens)
        levels = count(*join([corpus.load(path)[:PART].clone()], V), N, V)
        apart(path, PART, args.memory, Path(place) / "part")
        for level, k in zip(levels, range(1, N + 1)):
            for name in ("keys", "counts"):
                assert np.array_equal(getattr(level, name), np.load(Path(place) / f"part/{k}_{name}.npy"))
        inside = apart(path, tokens, "", Path(place))
        on_disk = apart(path, tokens, args.memory, Path(place) / "all")
        total = np.load(Path(place) / f"all/{N}_counts.npy", mmap_mode="r").sum()
        assert total == tokens - N + 1
    print(f"{tokens:,} tokens\n\n| | CPU µs a token | MB at the peak |\n|---|---|---|")
    for name, (seconds, most) in {"in memory": inside, f"on disk, {args.memory} allowed": on_disk}.items():
        print(f"| {name} | {seconds / tokens * 1e6:.2f} | {most:,.0f} |")
    print(f"\n{on_disk[0] / inside[0]:.2f} x the time per token")


if __name__ == "__main__":
    main()
