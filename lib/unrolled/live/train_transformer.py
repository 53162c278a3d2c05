"""Train the transformer of chapter 14: `python -m unrolled.live.train_transformer` (three minutes, one core).

Stories that are made on the spot, read by the character. Each row of a batch begins where a story begins, as
the model is used later. The weights go to `live_models/`, rounded to 16 bits as the page has them, with the
facts of the training beside them.
"""

import argparse
import platform
import time
from pathlib import Path

import torch

from .. import stories
from ..checkpoint import load, save
from ..evaluate import Score
from ..memory import capital_recall
from ..model import nll, parameter_count, reading
from ..schedule import cosine
from ..shapes import Int, Tensor
from ..train import fit
from ..transformer import Transformer
from ..vocab import Vocab

TRAINED = Path(__file__).parent.parent / "live_models" / "transformer_stories.safetensors"
COMMAND = "python -m unrolled.live.train_transformer"
LENGTH, BATCH, PEAK = 256, 8, 5e-3
LAGS = (2, 12, 40)


class Openings:
    """Endless batches (batch, length + 1) of x (N,), each row from the beginning of a line on."""

    def __init__(self, x: Int[Tensor, "N"], end: int, length: int, batch: int, seed: int = 0):
        starts = (x == end).nonzero()[:, 0]
        self.starts, self.x, self.batch = starts[starts < len(x) - length], x, batch
        self.offsets, self.generator = torch.arange(length + 1), torch.Generator().manual_seed(seed)

    def __iter__(self) -> "Openings":
        return self

    def __next__(self) -> Int[Tensor, "B T"]:
        drawn = torch.randint(len(self.starts), (self.batch, 1), generator=self.generator)
        return self.x[self.starts[drawn] + self.offsets]

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of rows stands."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])


@torch.no_grad()
def story_bits(model: Transformer, vocab: Vocab, text: str) -> Score:
    """Bits per character of whole stories, each read by itself after a new line; its end counts too."""
    bits, tokens = 0.0, 0
    with reading(model):
        for line in text.splitlines(keepends=True):
            bits += nll(model, vocab.encode("\n" + line)[None]).item() * len(line)
            tokens += len(line)
    return Score(bits / tokens, tokens, stories.floor(text))


def train(width: int, layers: int, heads: int, steps: int, count: int, seed: int) -> tuple:
    """A trained model, its symbols, and what it cost and can do."""
    torch.manual_seed(seed)
    text, fresh = stories.text(count, seed + 1), stories.text(200, seed + 2)
    vocab = Vocab.chars("\n" + text + fresh)  # a rare capital may be in one of them only
    model = Transformer(len(vocab), width, layers, heads, positions="rotary")
    x, start = vocab.encode("\n" + text), time.process_time()
    rows = Openings(x, vocab.id("\n"), LENGTH, BATCH, seed)
    fit(model, rows, steps, lr=cosine(PEAK, steps, warmup=min(100, steps // 10), end=1e-4))
    seconds = time.process_time() - start
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    score = story_bits(model, vocab, fresh)
    known = {
        "command": COMMAND, "device": f"cpu, one thread, {platform.machine()}", "heads": heads,
        "steps": steps, "stories": count, "seed": seed, "seconds": round(seconds), "bits": score.bits,
        "floor": score.floor, "recall": {str(lag): capital_recall(model, vocab, lag) for lag in LAGS},
    }  # fmt: skip
    return model, vocab, known


def trained(path: str | Path = TRAINED) -> tuple[Transformer, Vocab, dict]:
    """The model that the command saved, its symbols and its facts."""
    tensors, known = load(path)
    V, width = tensors["embed.weight"].shape
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("core.blocks."))
    model = Transformer(V, width, layers, known["heads"], positions="rotary")
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval(), known["vocab"], known


def main(arguments: list[str] | None = None) -> dict:
    """The command: train, say how good it is, save. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    defaults = {"width": 64, "layers": 2, "heads": 4, "steps": 2800, "stories": 8000, "seed": 0}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--out", default=str(TRAINED), help="where the checkpoint goes")
    a = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, vocab, known = train(a.width, a.layers, a.heads, a.steps, a.stories, a.seed)
    save(a.out, model.half(), vocab, parameters=parameter_count(model), **known)
    print({name: known[name] for name in ("bits", "floor", "recall", "seconds")})
    return known


if __name__ == "__main__":
    main()
