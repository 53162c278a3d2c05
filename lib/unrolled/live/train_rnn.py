"""Train the network of `live.rnn`: `python -m unrolled.live.train_rnn` (about four minutes on one core).

Stories that are made on the spot, one RNN, the book's own loop with carried state. The weights go to
`live_models/`, rounded to 16 bits as the page has them, with the facts of the training beside them.
"""

import argparse
import platform
import time

import torch

from .. import stories
from ..batches import streams
from ..checkpoint import save
from ..evaluate import Score, evaluate
from ..rnn import RNN
from ..shapes import Float, Int, Tensor
from ..train import fit
from ..vocab import Vocab
from . import TRAINED

PACES = (4e-3, 2e-3, 1e-3, 3e-4)  # learning rates: large steps first, small ones to settle


def slow_to_fast(model: RNN, x: Int[Tensor, "T"]) -> Int[Tensor, "H"]:
    """The units of the state by how much they change within a few symbols, the calmest first."""
    with torch.no_grad():
        h: Float[Tensor, "T H"] = model.states(x[None])[0]
    changes = [(h[lag:] - h[:-lag]).abs().mean(0) for lag in range(1, min(9, len(h)))]
    return torch.stack(changes).mean(0).argsort()


@torch.no_grad()
def reorder(model: RNN, order: Int[Tensor, "H"]) -> None:
    """Give the units another order. The network computes the same: only the picture of its state changes."""
    model.W_x.copy_(model.W_x[order])
    model.b_h.copy_(model.b_h[order])
    model.W_h.copy_(model.W_h[order][:, order])
    model.W_y.copy_(model.W_y[:, order])


def train(hidden: int, steps: int, count: int, seed: int) -> tuple[RNN, Vocab, Score, dict]:
    """A trained network, its symbols, its score on stories that it never saw, and what it cost."""
    torch.manual_seed(seed)
    text, fresh = ("\n" + stories.text(n, seed + i) for i, n in enumerate((count, count // 50), start=1))
    vocab = Vocab.chars(text + fresh)  # a rare capital may be in one of them only
    x, valid = vocab.encode(text), vocab.encode(fresh)
    model, start = RNN(len(vocab), hidden), time.perf_counter()
    for lr in PACES:
        fit(model, streams(x, length=100, batch=64), steps // len(PACES), lr=lr)
    seconds = time.perf_counter() - start
    reorder(model, slow_to_fast(model, valid[:5000]))
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    score = evaluate(model, valid, floor=stories.floor(fresh[1:]))
    facts = {"steps": steps, "stories": count, "seed": seed, "seconds": round(seconds)}
    return model, vocab, score, facts


def main(arguments: list[str] | None = None) -> None:
    """The command: train, say how good it is, save. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hidden", type=int, default=128, help="numbers in the state")
    parser.add_argument("--steps", type=int, default=8000, help="updates")
    parser.add_argument("--stories", type=int, default=10000, help="stories to train on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=str(TRAINED), help="where the checkpoint goes")
    options = parser.parse_args(arguments)
    model, vocab, score, facts = train(options.hidden, options.steps, options.stories, options.seed)
    print(score)
    facts |= {"device": f"cpu, one thread, {platform.machine()}", "bits": score.bits, "floor": score.floor}
    save(options.out, model.half(), vocab, command="python -m unrolled.live.train_rnn", **facts)


if __name__ == "__main__":
    main()
