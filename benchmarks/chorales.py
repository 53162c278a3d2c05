"""Chords given the past: `python benchmarks/chorales.py`, ten minutes; needs the JSB chorales (`data`).

Bach's chorales at quarter notes, 229 to train, 76 to validate, 77 to test, as 88 keys that are down or not
(Boulanger-Lewandowski et al., 2012, arXiv 1206.6392). Measured is what a model needs for the next chord, in
nats per step, the mean over all chords of the test set but the first of each chorale. Two readouts of one
and the same core:

- independent: each key by itself, given the past, as Bai, Kolter and Koltun (2018, arXiv 1803.01271) have it;
- chain rule: the keys from the lowest up, each given the past and the keys below it. A chord is a sequence
  too, and its probability is a product (lecture P3): the same number as before, for a better model.

Each has 180 CPU seconds of this process on one thread, which is 90 seconds on two cores. The chorales are
shifted by up to five semitones at random in training; no choice was made on the test set.
"""

import argparse
import json
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from unrolled import data  # noqa: E402
from unrolled.model import Core, parameter_count, reading  # noqa: E402
from unrolled.ssm import SSMCore  # noqa: E402
from unrolled.tasks import Readout  # noqa: E402
from unrolled.train import train  # noqa: E402

LOWEST, KEYS, LONGEST = 21, 88, 100
PAPER = {"LSTM": 8.45, "GRU": 8.43, "TCN": 8.10}


class Chords(Readout):
    """A core that reads chords, and 88 answers: which keys come next, given what came and the keys below."""

    def __init__(self, core: Core, chained: bool):
        super().__init__(core, KEYS)
        self.below = nn.Parameter(torch.zeros(KEYS, KEYS)) if chained else None

    def nats(self, x: Tensor) -> Tensor:
        """What each chord but the first costs, (B, T - 1); a step without a chord is all zeros in x."""
        logits, _ = self(x[:, :-1])
        if self.below is not None:
            logits = logits + x[:, 1:] @ self.below.triu(1)
        return F.binary_cross_entropy_with_logits(logits, x[:, 1:], reduction="none").sum(-1)


class Chorales:
    """Endless batches of chorales, each shifted by some semitones; x (B, T, 88) and where they last."""

    def __init__(self, rolls: list[Tensor], batch: int = 16, shift: int = 5):
        self.rolls, self.batch, self.shift = rolls, batch, shift
        self.generator = torch.Generator().manual_seed(0)

    def __iter__(self) -> "Chorales":
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        which = torch.randint(len(self.rolls), (self.batch,), generator=self.generator).tolist()
        by = torch.randint(-self.shift, self.shift + 1, (self.batch,), generator=self.generator).tolist()
        return padded([self.rolls[i][:LONGEST].roll(k, 1) for i, k in zip(which, by)])

    def loss(self, model: Chords, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Nats per step, where there is a chord to predict."""
        x, here = batch
        return model.nats(x)[here[:, 1:]].mean()


def rolls(pieces: list[list[list[int]]]) -> list[Tensor]:
    """Each piece, given as the pitches of its chords, as zeros and ones (T, 88)."""
    found = []
    for piece in pieces:
        roll = torch.zeros(len(piece), KEYS)
        for t, chord in enumerate(piece):
            roll[t, [pitch - LOWEST for pitch in chord]] = 1
        found.append(roll)
    return found


def padded(pieces: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The pieces side by side (B, T, 88), and where each of them lasts (B, T)."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    x = nn.utils.rnn.pad_sequence(pieces, batch_first=True)
    return x, torch.arange(x.shape[1]) < lengths[:, None]


def contest(chained: bool, music: dict[str, list[Tensor]], budget: float) -> list[str]:
    """A row of the table."""
    torch.manual_seed(0)
    model = Chords(SSMCore(KEYS, 128, 2, longest=64, dropout=0.3), chained)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, betas=(0.9, 0.99), weight_decay=0.01)
    source, start = Chorales(music["train"]), time.process_time()

    def left() -> float:
        return max(0.0, 1 - (time.process_time() - start) / budget)

    def rate(step: int) -> float:  # up over 50 steps, level, and down over the last 70 % of the budget
        return min((step + 1) / 50, 1.0, left() / 0.7)

    for step in train(model, source, rate, optimiser=optimiser):  # noqa: B007
        if not left():
            break
    with reading(model), torch.no_grad():
        valid, test = (source.loss(model, padded(music[part])).item() for part in ("valid", "test"))
    return [f"{parameter_count(model):,}", f"{step.index + 1:,}", f"{valid:.2f}", f"{test:.2f}"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--budget", type=float, default=180, help="CPU seconds for each (default: 180)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pieces = json.loads(data.text("jsb_chorales", "jsb-chorales-quarter.json", required=True))
    music = {part: rolls(found) for part, found in pieces.items()}
    print("| keys of a chord | parameters | steps | validation, nats per chord | test |")
    print("|---|---|---|---|---|")
    for name, chained in {"independent": False, "chain rule": True}.items():
        row = contest(chained, music, given.budget)
        print("|", " | ".join([f"ours, MinGRU 2 x 128, {name}", *row]), "|", flush=True)
    for name, nats in PAPER.items():
        print(f"| {name}, as Bai et al. report: independent | - | - | - | {nats:.2f} |")
