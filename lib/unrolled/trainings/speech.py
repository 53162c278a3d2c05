"""Teach a WaveNet to say digits: `python -m unrolled.trainings.speech --help` (made for a GPU).

    python -m unrolled.trainings.speech --save speech.safetensors --out speech.json

The recordings are those of the Free Spoken Digit Dataset: takes 0 to 4 of each digit and speaker are the
test, all others are trained on. The condition says which digit and which speaker. What counts is bits per
sample of 8-bit mu-law at 8,000 samples a second, over the test's recordings; 8 bits is no knowledge at all.
A run that was stopped goes on where it was, if it has the same --save. It runs where `runtime.device` says.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from .. import audio, records, runtime
from ..audio import SPEAKERS, Recording
from ..model import nll, parameter_count
from ..precision import mixed
from ..schedule import cosine
from ..shapes import Float, Int, Tensor
from ..train import fit
from ..wavenet import DOUBLING, WaveNet
from ..wavenet_fast import fast_generate

SILENCE, LEAD, TAIL = 128, 256, 512  # the level of silence; silent samples before and after each recording
TEST_TAKES = 5
WIDTH = 10 + len(SPEAKERS)


def condition(digits: Sequence[int], speakers: Sequence[str]) -> Float[Tensor, "B C"]:
    """What the network is told: one number for each of ten digits, and one for each speaker."""
    who = torch.tensor([SPEAKERS.index(speaker) for speaker in speakers])
    return torch.cat([F.one_hot(torch.tensor(digits), 10), F.one_hot(who, len(SPEAKERS))], 1).float()


def told(recordings: Sequence[Recording]) -> Float[Tensor, "B C"]:
    """The condition of each recording."""
    return condition([r.digit for r in recordings], [r.speaker for r in recordings])


def samples(recording: Recording) -> Int[Tensor, "T"]:
    """The recording as ids, with LEAD silent samples before it."""
    return F.pad(torch.from_numpy(audio.mu_encode(recording.wave)), (LEAD, 0), value=SILENCE)


class Crops:
    """Endless batches: ids (batch, length + 1) from random places of the recordings, conditions (batch, C).

    Silence follows each recording, so that the network learns when to stop. A seed repeats the same crops.
    """

    def __init__(self, recordings: Sequence[Recording], length: int, batch: int, seed: int):
        rows = [F.pad(samples(r), (0, TAIL), value=SILENCE) for r in recordings]
        self.flat, self.told = torch.cat(rows).to(torch.uint8), told(recordings)
        self.ends, self.offsets = torch.tensor([len(row) for row in rows]).cumsum(0), torch.arange(length + 1)
        self.batch, self.generator = batch, torch.Generator().manual_seed(seed)

    def __iter__(self) -> "Crops":
        return self

    def __next__(self) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B C"]]:
        starts = torch.randint(len(self.flat), (self.batch,), generator=self.generator)
        which = torch.searchsorted(self.ends, starts, right=True)
        places = starts[:, None] + self.offsets
        x = self.flat[places.clamp(max=len(self.flat) - 1)].long()
        return x.masked_fill(places >= self.ends[which, None], SILENCE), self.told[which]

    def loss(self, model: WaveNet, batch: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
        """Bits per sample, with the condition in the state from the first sample on."""
        x, c = (t.to(model.embed.weight.device) for t in batch)
        return nll(model, x, model.start(c))

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of crops stands."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])


@torch.no_grad()
def bits(model: WaveNet, recordings: Sequence[Recording], conditions: Float[Tensor, "N C"]) -> float:
    """Bits per sample of whole recordings, each read from its silent lead on; the lead does not count."""
    device, total = model.embed.weight.device, 0.0
    order = sorted(range(len(recordings)), key=lambda i: len(recordings[i].wave))
    for some in (order[i : i + 25] for i in range(0, len(order), 25)):
        rows = pad_sequence([samples(recordings[i]) for i in some], True, -1).to(device)
        answers, state = rows.clone(), model.start(conditions[some].to(device))
        answers[:, :LEAD] = -1
        for x, y in zip(rows[:, :-1].clamp(min=0).split(1024, 1), answers[:, 1:].split(1024, 1)):
            logits, state = model(x, state)
            total += F.cross_entropy(logits.mT.float(), y, ignore_index=-1, reduction="sum").item()
    return total / math.log(2) / sum(len(r.wave) for r in recordings)


def histogram_bits(seen: Sequence[Recording], test: Sequence[Recording]) -> float:
    """Bits per sample of a model that knows only how often each level occurs in what was seen."""
    counts = [torch.cat([samples(r)[LEAD:] for r in part]).bincount(minlength=256) for part in (seen, test)]
    p = (counts[0] + 1) / (counts[0] + 1).sum()
    return float(-(counts[1] * p.log2()).sum() / counts[1].sum())


@torch.no_grad()
def say(
    model: WaveNet, digit: int, speaker: str, seconds: float | int = 0.6, seed: int = 0
) -> np.ndarray:
    """A digit as the network says it, drawn sample by sample: a wave (T,)."""
    device, steps = model.embed.weight.device, round(seconds * audio.RATE)
    lead = torch.full((1, LEAD), SILENCE, device=device)
    ids = fast_generate(model, lead, steps, 1, seed, model.start(condition([digit], [speaker]).to(device)))
    return audio.mu_decode(ids[0, LEAD:].cpu().numpy())


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m unrolled.trainings.speech", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = {"steps": 10_000, "batch": 16, "length": 4096, "residual": 64, "skip": 256, "layers": 10}
    for name, default in (numbers | {"stacks": 2, "seed": 0}).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak of the learning rate; default: 2e-3")
    parser.add_argument("--mixed", action="store_true", help="bfloat16 products where the machine has them")
    parser.add_argument("--save", help="x.safetensors: where the training is kept, and taken up again")
    parser.add_argument("--out", help="x.json: where the result is written")
    return parser.parse_args(given)


def train(a: argparse.Namespace) -> tuple[WaveNet, dict]:
    """One training; the model, what it was, and what came out."""
    runtime.start(a.seed)
    recordings = audio.spoken()
    test = [r for r in recordings if r.take < TEST_TAKES]
    seen = [r for r in recordings if r.take >= TEST_TAKES]
    model = WaveNet(256, a.residual, a.skip, DOUBLING[: a.layers] * a.stacks, condition=WIDTH)
    model.to(runtime.device())
    crops, start = Crops(seen, a.length, a.batch, a.seed), time.perf_counter()
    rate = cosine(a.lr, a.steps, warmup=min(200, a.steps // 10), end=a.lr / 50)
    history = fit(model, mixed(crops) if a.mixed else crops, a.steps, path=a.save, lr=rate)
    wall, liars = time.perf_counter() - start, [r._replace(digit=(r.digit + 5) % 10) for r in test]
    return model, {
        "command": "python -m unrolled.trainings.speech", **vars(a), "parameters": parameter_count(model),
        "receptive_field": model.receptive_field, "steps_done": len(history.losses),
        "device": records.device(), "date": time.strftime("%Y-%m-%d"), "torch": torch.__version__,
        "wall_seconds": round(wall, 1), "test_bits": bits(model, test, told(test)),
        "test_bits_told_another_digit": bits(model, test, told(liars)),
        "histogram_bits": histogram_bits(seen, test),
    }


def main(given: Sequence[str] | None = None) -> dict:
    """Train as the command line says, print the result, and write it where --out says."""
    a = arguments(given)
    _, result = train(a)
    text = json.dumps(result, indent=1)
    if a.out:
        Path(a.out).write_text(text + "\n", encoding="utf-8")
    print(text)
    return result


if __name__ == "__main__":
    main()
