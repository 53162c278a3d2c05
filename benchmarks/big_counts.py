"""Counting past memory: DuckDB within a small memory beside our counting in memory.

    python benchmarks/big_counts.py                 60 million tokens: two minutes
    python benchmarks/big_counts.py --tokens 1e6    a shorter one

The corpus is drawn from Zipf's law: word r of 30,000 has a chance in proportion to 1 / r. Counting in memory
gets a part of it that fits; its time per token is the yardstick. On that part both must give the same counts,
and of the whole corpus the totals must be right.
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
    """Count on disk in a process of its own, so that its memory can be measured; print seconds and MB."""
    import resource

    start = time.process_time()
    bigcounts.count(corpus.load(path)[:tokens], N, V, folder, memory)
    seconds = time.process_time() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def on_disk(path: Path, tokens: int, memory: str, folder: Path) -> tuple[float, float]:
    """CPU seconds and MB of counting on disk."""
    call = [sys.executable, __file__, "--child", str(path), str(tokens), memory, str(folder)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=float, default=60e6)
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
        start = time.process_time()
        levels = count(*join([corpus.load(path)[:PART].clone()], V), N, V)
        inside = (time.process_time() - start) / min(PART, tokens)
        on_disk(path, PART, args.memory, Path(place) / "part")
        for level, k in zip(levels, range(1, N + 1)):
            for name in ("keys", "counts"):
                assert np.array_equal(getattr(level, name), np.load(Path(place) / f"part/{k}_{name}.npy"))
        seconds, megabytes = on_disk(path, tokens, args.memory, Path(place) / "all")
        total = np.load(Path(place) / f"all/{N}_counts.npy", mmap_mode="r").sum()
        assert total == tokens - N + 1
        rows = tokens * N * 4 / 1e6
    print("| | tokens | CPU µs a token | memory |\n|---|---|---|---|")
    print(f"| in memory | {min(PART, tokens):,} | {inside * 1e6:.2f} | |")
    row = f"{tokens:,} | {seconds / tokens * 1e6:.2f} | {megabytes:.0f} MB"
    print(f"| on disk, {args.memory} for the engine | {row} |")
    times = seconds / tokens / inside
    print(f"\n{times:.2f} x the time per token; the table of windows alone takes {rows:.0f} MB.")


if __name__ == "__main__":
    main()
