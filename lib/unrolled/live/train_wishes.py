"""Train the bag and the network of `live.wishes`: `python -m unrolled.live.train_wishes` (about a minute).

Both read words, and every story from its beginning. The network starts small (Elman, 1993, "Learning and
development in neural networks"): the shortest stories first, in which a capital stands close to its country.
And its W_h starts near the identity, so that what was read stays until it has learned something better (Le,
Jaitly and Hinton, 2015, arXiv 1504.00941). Without both it hardly finds France behind Paris in that time.
"""

import argparse
import platform
import time

import torch
from torch import nn

from .. import stories
from ..bag import Bag
from ..checkpoint import save
from ..model import SequenceModel, nll
from ..ngram import NGram
from ..rnn import RNN
from ..shapes import Int, Tensor
from ..train import fit
from ..vocab import Vocab
from .wishes import COUNTED, LAG, SEED, TRAINED, row, told

FRESH = 300  # stories that no model has read
COURSES = {  # share of the stories (the shortest first), words of each that are read, share of the steps, lr
    "bag": [(1.0, 40, 0.07, 2e-2), (1.0, 40, 0.05, 5e-3)],
    "rnn": [(0.25, 16, 0.35, 6e-3), (0.6, 26, 0.3, 4e-3), (1.0, 40, 0.2, 3e-3), (1.0, 40, 0.15, 1e-3)],
}


class beginnings:
    """Endless batches (batch, length + 1) of x (N,), each row from the new line before a story on."""

    def __init__(self, x: Int[Tensor, "N"], length: int, batch: int = 32, seed: int = 0):
        self.starts, self.batch = (x[:-1] == x[0]).nonzero(), batch  # (S, 1)
        self.x = torch.cat([x, x.repeat(length)[1 : length + 1]])  # the last stories run on into the first
        self.offsets, self.generator = torch.arange(length + 1), torch.Generator().manual_seed(seed)

    def __iter__(self) -> "beginnings":
        return self

    def __next__(self) -> Int[Tensor, "B T"]:
        some = torch.randint(len(self.starts), (self.batch,), generator=self.generator)
        return self.x[self.starts[some] + self.offsets]


def teach(model: SequenceModel, course: list[tuple], lines: list[str], vocab: Vocab, steps: int) -> float:
    """Take the model through its course; returns the seconds of one core that it took."""
    shortest, start = sorted(lines, key=len), time.process_time()
    for share, length, part, lr in course:
        some = shortest[: max(1, int(share * len(lines)))]
        x = row(vocab, "".join(line + "\n" for line in some))
        fit(model, beginnings(x, length), max(1, int(part * steps)), lr=lr)
    return time.process_time() - start


@torch.no_grad()
def keep(model: RNN) -> None:
    """Let W_h begin near the identity: what was read stays, until training finds something better."""
    model.W_h.mul_(0.3).add_(torch.eye(model.hidden))
    model.W_x.mul_(0.3)


@torch.no_grad()
def bits(model: SequenceModel, vocab: Vocab, lines: list[str]) -> float:
    """Bits per word of the stories, each read from its beginning, up to and with its end."""
    rows = [row(vocab, line + "\n")[None] for line in lines]
    total = sum(float(nll(model, x)) * (x.shape[1] - 1) for x in rows)
    return total / sum(x.shape[1] - 1 for x in rows)


def main(arguments: list[str] | None = None) -> None:
    """The command: train, say how good all three are, save. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hidden", type=int, default=48, help="numbers in the network's state")
    parser.add_argument("--steps", type=int, default=7200, help="updates of the network")
    parser.add_argument("--stories", type=int, default=20000, help="stories to train on")
    parser.add_argument("--out", default=str(TRAINED), help="where the checkpoint goes")
    o = parser.parse_args(arguments)
    lines, fresh = stories.sample(o.stories, SEED, LAG), stories.sample(FRESH, SEED + 1, LAG)
    vocab = Vocab.words(told(max(o.stories, COUNTED)) + told(FRESH, SEED + 1))
    torch.manual_seed(0)
    models = nn.ModuleDict({"bag": Bag(len(vocab), max(1, o.hidden // 3)), "rnn": RNN(len(vocab), o.hidden)})
    keep(models["rnn"])
    facts = {"stories": o.stories, "seed": SEED, "command": "python -m unrolled.live.train_wishes"}
    facts |= {"device": f"cpu, one thread, {platform.machine()}"}
    facts |= {"floor": stories.floor(told(FRESH, SEED + 1), LAG, "word")}
    for name, model in models.items():
        facts[f"{name}_seconds"] = round(teach(model, COURSES[name], lines, vocab, o.steps))
    trio = {"ngram": NGram(3, len(vocab)).fit(row(vocab, told(COUNTED))), **models.half().float()}
    facts |= {f"{name}_bits": bits(model, vocab, fresh) for name, model in trio.items()}
    print(facts)
    save(o.out, models.half(), vocab, **facts)


if __name__ == "__main__":
    main()
