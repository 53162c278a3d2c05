"""Every model of the book on one board: `python -m unrolled.trainings.scoreboard` (about three minutes).

All learn the same stories, character by character; all networks get the same batches, the same optimiser and
the same processor time. Each story of the test is read from its beginning, so the floor is exact and within
reach. Two records come out: `scoreboard` (what it costs and what it gives) and `scoreboard_writing` (what
each of them writes, and whether it holds together).
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from .. import records, stories
from ..consistency import consistency
from ..generate import generate, sample
from ..gru import GRU
from ..lstm import LSTM
from ..memory import capital_recall
from ..model import SequenceModel, nll, parameter_count
from ..ngram import NGram
from ..rnn import RNN
from ..shapes import Int, Tensor
from ..ssm import SSM
from ..train import train
from ..transformer import Transformer
from ..vocab import Vocab
from ..wavenet import WaveNet
from ..wishlist import wishlist

COUNTED = {"unigram": 1, "5-gram": 5}
NETWORKS: dict[str, Callable[[int], SequenceModel]] = {
    "RNN": partial(RNN, hidden=160),
    "LSTM": partial(LSTM, hidden=112, fused=True),
    "GRU": partial(GRU, hidden=128, fused=True),
    "WaveNet": partial(WaveNet, residual=32, skip=96, dilations=[2**k for k in range(8)]),
    "transformer": partial(Transformer, width=64, layers=2, heads=4, positions="rotary"),
    "linear recurrence": partial(SSM, hidden=64, longest=300),
}
LENGTH, BATCH, LR = 320, 6, 4e-3
COLUMNS = ["model", "bits", "above the floor", "parameters", "seconds of training", "updates",
           "characters a second", "order", "length", "gradient", "pairwise", "memory",
           "capital, 2 words", "capital, 24 words"]  # fmt: skip
WRITING = ["model", "words", "pairs", "pronouns", "capitals", "begins"]


def openings(x: Int[Tensor, "N"], newline: int, seed: int = 0) -> Iterator[Int[Tensor, "B T"]]:
    """Endless batches of rows that begin where a story begins, after the end of the line before it."""
    places = (x[: len(x) - LENGTH] == newline).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(seed)
    while True:
        chosen = torch.randint(len(places), (BATCH,), generator=generator)
        yield x[places[chosen, None] + torch.arange(LENGTH + 1)]


def learn(model: SequenceModel, rows: Iterator[Int[Tensor, "B T"]], budget: float) -> int:
    """Train for so many seconds of processor time, the step size falling to nothing; the updates taken."""
    start = time.process_time()
    left = lambda: 1 - (time.process_time() - start) / budget  # noqa: E731
    for step in train(model, rows, lr=lambda _: LR * max(left(), 0.01)):
        if left() <= 0:
            return step.index + 1
    return 0


def trained(
    x: Int[Tensor, "N"], vocab: Vocab, budget: float, seed: int
) -> dict[str, tuple[SequenceModel, float, int]]:
    """Every model, the seconds that it took, and its updates."""
    made, V = {}, len(vocab)
    for name in [*COUNTED, *NETWORKS]:
        torch.manual_seed(seed)
        start, updates = time.process_time(), 0
        if name in COUNTED:
            model = NGram(COUNTED[name], V).fit(x)
        else:
            updates = learn(model := NETWORKS[name](V), openings(x, vocab.id("\n")), budget)
        made[name] = model, time.process_time() - start, updates
        print(name, *(round(value, 1) for value in made[name][1:]), flush=True)
    return made


@torch.no_grad()
def bits(model: SequenceModel, vocab: Vocab, texts: list[str]) -> float:
    """The mean surprise of whole stories, each read from its beginning, in bits per character."""
    ids = [vocab.encode("\n" + text + "\n")[None] for text in texts]
    return sum(nll(model, x).item() * (x.shape[1] - 1) for x in ids) / sum(x.shape[1] - 1 for x in ids)


def written(model: SequenceModel, vocab: Vocab, n: int, seed: int, longest: int = 500) -> list[str]:
    """n stories, each written to its end or to `longest` characters."""
    prompt = torch.full((n, 1), vocab.id("\n"))
    pick = partial(sample, generator=torch.Generator().manual_seed(seed))
    rows = generate(model, prompt, longest, pick, stop=vocab.id("\n"))
    return [vocab.decode(row).strip("\n").partition("\n")[0] for row in rows]


def shares(lines: list[str]) -> list[float | str]:
    """The four shares of `consistency`; a dash where there was nothing to count."""
    return ["–" if math.isnan(share) else round(share, 3) for share in consistency(lines)]


def opening(lines: list[str], most: int = 170) -> str:
    """The beginning of the first line that is long enough to be a story."""
    return next((line for line in lines if len(line) > 100), lines[0])[:most]


def speed(model: SequenceModel, vocab: Vocab, steps: int = 300) -> float:
    """Characters that it writes in a second of processor time, one after the other."""
    prompt, start = vocab.encode("\nTim was")[None], time.process_time()
    generate(model, prompt, steps)
    return steps / (time.process_time() - start)


def row(name: str, model: SequenceModel, vocab: Vocab, x: Tensor, texts: list[str]) -> list[Any]:
    """What is measured on one model, but its training."""
    found, floor = bits(model, vocab, texts), stories.floor("".join(text + "\n" for text in texts))
    size = model.entries() if isinstance(model, NGram) else parameter_count(model)
    ticks = wishlist(model, len(vocab), x[:20_000]).ticks.values()
    recall = [round(capital_recall(model, vocab, lag), 3) for lag in (2, 24)]
    return [name, round(found, 3), round(found - floor, 3), size, round(speed(model, vocab)), *ticks, *recall]


def rows(seed: int, budget: float, count: int, shown: list[list[Any]]) -> list[list[Any]]:
    """The board; the rows of the second record are left in `shown`."""
    text, texts = "\n" + stories.text(count, seed=1), stories.sample(min(60, count), seed=2)
    vocab = Vocab.chars(text)
    x, table = vocab.encode(text), []
    for name, (model, seconds, updates) in trained(x, vocab, budget, seed).items():
        with torch.no_grad():
            model.eval()
            one = row(name, model, vocab, x, texts)
            lines = written(model, vocab, min(60, count), seed)
        table.append([*one[:4], round(seconds, 1), updates, *one[4:]])
        shown.append([name, *shares(lines), opening(lines)])
        print(*table[-1], *shown[-1], flush=True)
    truth = stories.sample(min(60, count), seed=3)
    shown.append(["the grammar", *shares(truth), opening(truth)])
    return table


def main(arguments: list[str] | None = None) -> None:
    """The command: train and measure all, write both records, show them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--budget", type=float, default=24.0, help="seconds of processor time a network")
    parser.add_argument("--stories", type=int, default=2500, help="stories to learn from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    command, shown = "python -m unrolled.trainings.scoreboard", []
    title = f"All models on {options.stories:,} stories, {options.budget:g} s of processor for each network"
    made = records.make("scoreboard", title, COLUMNS,
                        lambda s: rows(s, options.budget, options.stories, shown), command, options.seed)
    told = "What the models of the scoreboard write: shares that fit, of 60 stories each"
    print(made, records.keep("scoreboard_writing", made._replace(title=told, columns=WRITING, rows=shown)),
          sep="\n")  # fmt: skip


if __name__ == "__main__":
    main()
