"""Train the writers of chapter 8: `python -m unrolled.live.train_writers lstm` (three minutes), or gru.

The stories and the loop are those of `train_rnn`; only the cell is another. The gates begin with memories of
2 to 200 symbols (`init.chrono`), so that some of them can reach from a country to its capital. The weights
go to `live_models/`, rounded to 16 bits as the page has them, with the facts of the training beside them.
"""

import argparse
import platform
import time

import torch

from .. import stories
from ..batches import streams
from ..checkpoint import save
from ..evaluate import Score, evaluate
from ..init import chrono
from ..model import CoreModel
from ..schedule import cosine
from ..train import fit
from ..vocab import Vocab
from .sampler import EMBED, KINDS, TRAINED

STEPS = {"lstm": 8000, "gru": 1500}  # the GRU is there to be compared, and its kernel is slower


def train(kind: str, hidden: int, steps: int, count: int, seed: int) -> tuple[CoreModel, Vocab, Score, dict]:
    """A trained network, its symbols, its score on stories that it never saw, and what it cost."""
    torch.manual_seed(seed)
    text, fresh = ("\n" + stories.text(n, seed + i) for i, n in enumerate((count, count // 50), start=1))
    vocab = Vocab.chars(text + fresh)  # a rare capital may be in one of them only
    x, valid = vocab.encode(text), vocab.encode(fresh)
    model, start = KINDS[kind](len(vocab), hidden, embed=EMBED, fused=True), time.process_time()
    chrono(model, 200)
    fit(model, streams(x, length=100, batch=32), steps, lr=cosine(8e-3, steps))
    seconds = time.process_time() - start
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    score = evaluate(model, valid, floor=stories.floor(fresh[1:]))
    facts = {"steps": steps, "stories": count, "seed": seed, "seconds": round(seconds)}
    return model, vocab, score, facts


def main(arguments: list[str] | None = None) -> None:
    """The command: train, say how good it is, save. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=KINDS, help="the cell")
    parser.add_argument("--hidden", type=int, default=96, help="numbers in the state")
    parser.add_argument("--steps", type=int, help="updates; those of the book if left out")
    parser.add_argument("--stories", type=int, default=10000, help="stories to train on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="where the checkpoint goes")
    o = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, vocab, score, facts = train(o.kind, o.hidden, o.steps or STEPS[o.kind], o.stories, o.seed)
    print(score)
    facts |= {"device": f"cpu, one thread, {platform.machine()}", "bits": score.bits, "floor": score.floor}
    command = f"python -m unrolled.live.train_writers {o.kind}"
    save(o.out or TRAINED[o.kind], model.half(), vocab, command=command, **facts)


if __name__ == "__main__":
    main()
