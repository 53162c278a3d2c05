"""Teach a WaveNet to sing vowels: `python -m unrolled.trainings.vowels` (about four minutes of one core).

The sounds are those of `audio.vowel`: five vowels at any pitch from 100 to 200 hertz, made on the spot. The
condition says which vowel, and how high. What the network then sings by itself is measured as any sound is:
has it the pitch that was asked for, and the formants of the vowel? The weights go to `live_models/`, rounded
to 16 bits as the page has them, with what was measured beside them.
"""

import argparse
import math
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from .. import audio, runtime
from ..checkpoint import load, save
from ..model import nll, parameter_count
from ..schedule import cosine
from ..shapes import Float, Int, Tensor
from ..train import fit
from ..voices import BREATH
from ..wavenet import WaveNet
from ..wavenet_fast import fast_generate

TRAINED = Path(__file__).parent.parent / "live_models" / "wavenet_vowels.safetensors"
VOWELS = ("heed", "head", "hod", "hawed", "who'd")  # far apart in their first two formants
LOW, HIGH = 100, 200  # hertz
MARKS = 6  # numbers that say the pitch
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ASKED = (105, 125, 150, 185)  # hertz at which the singing is measured
SILENCE = 128


def condition(name: str, f0: float | int) -> Float[Tensor, "1 C"]:
    """What the network is told: a number for each vowel, and MARKS numbers for the pitch.

    The marks are pitches, evenly spaced by ear; the two next to f0 share a 1, the nearer one gets more of it.
    """
    if name not in VOWELS or not LOW <= f0 <= HIGH:
        expected = f"one of {', '.join(VOWELS)}, and {LOW} to {HIGH} hertz"
        raise ValueError(f"name is {name!r}, f0 is {f0}: expected {expected}")
    place = (MARKS - 1) * math.log(f0 / LOW) / math.log(HIGH / LOW)
    pitch = [max(0.0, 1 - abs(place - mark)) for mark in range(MARKS)]
    return torch.tensor([[float(name == known) for known in VOWELS] + pitch])


class Songs:
    """Endless batches of new vowels: ids (batch, length + 1) and their conditions (batch, C)."""

    def __init__(self, length: int, batch: int, seed: int):
        self.seconds, self.batch, self.rng = (length + 1) / audio.RATE, batch, np.random.default_rng(seed)

    def __iter__(self) -> "Songs":
        return self

    def __next__(self) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B C"]]:
        asked = [self.choice() for _ in range(self.batch)]
        rows = [audio.mu_encode(audio.vowel(name, f0, self.seconds, seed=seed)) for name, f0, seed in asked]
        return torch.from_numpy(np.stack(rows)), torch.cat([condition(name, f0) for name, f0, _ in asked])

    def choice(self) -> tuple[str, float, int]:
        """A vowel, a pitch, and the seed of its sound."""
        f0 = LOW * (HIGH / LOW) ** self.rng.random()
        return VOWELS[self.rng.integers(len(VOWELS))], f0, int(self.rng.integers(2**31))

    def loss(self, model: WaveNet, batch: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
        """Bits per sample, with the condition in the state from the first sample on."""
        x, told = batch
        return nll(model, x, model.start(told))


def floor(name: str, f0: float | int, seconds: float | int, seed: int) -> float:
    """Bits per sample for one who knows the voice exactly, and cannot know its breath: the best possible."""
    voice = torch.from_numpy(audio.vowel(name, f0, seconds, seed=seed, breath=0))
    edges = torch.from_numpy(audio.mu_decode(np.arange(255) + 0.5))
    below = torch.special.ndtr((edges - voice[:, None]) / BREATH)
    ends = torch.zeros(len(voice), 1).double()
    p = torch.cat([ends, below, ends + 1], 1).diff(dim=1)
    return (torch.special.entr(p).sum(1).mean() / math.log(2)).item()


@torch.no_grad()
def sing(
    model: WaveNet,
    name: str,
    f0: float | int,
    seconds: float | int = 1,
    temperature: float | int = 1,
    seed: int = 0,
) -> np.ndarray:
    """A vowel as the network sings it, drawn sample by sample after one sample of silence: a wave (T,)."""
    start, steps = torch.tensor([[SILENCE]]), round(seconds * audio.RATE)
    ids = fast_generate(model, start, steps, temperature, seed, model.start(condition(name, f0)))
    return audio.mu_decode(ids[0, 1:].numpy())


def heard(wave: np.ndarray, name: str, f0: float | int) -> tuple[float, float, float, bool]:
    """Pitch and two formants of a wave, and whether they are right.

    Right is a pitch within 3 %, and formants within half the pitch: they cannot be heard more exactly.
    """
    pitch, formants = audio.pitch(wave), audio.formants(wave)
    near = np.abs(formants - audio.FORMANTS[name][:2]) < f0 / 2
    return pitch, *formants.tolist(), bool(abs(pitch / f0 - 1) < 0.03 and near.all())


def listen(model: WaveNet) -> dict[str, list[list]]:
    """What is heard of each vowel at the pitches of ASKED, after the first tenth of a second.

    Sung by the network at two temperatures; and, as a measure of the ears, the sounds that it learned from.
    """
    singers: dict[str, Callable[[str, int], np.ndarray]] = {
        "its teacher": lambda name, f0: audio.mu_decode(audio.mu_encode(audio.vowel(name, f0, 1.1))),
        "the network, temperature 1": lambda name, f0: sing(model, name, f0, 1.1),
        "the network, temperature 0.7": lambda name, f0: sing(model, name, f0, 1.1, 0.7),
    }
    first, asked = audio.RATE // 10, [(name, f0) for name in VOWELS for f0 in ASKED]
    return {
        who: [[name, f0, *heard(make(name, f0)[first:], name, f0)] for name, f0 in asked]
        for who, make in singers.items()
    }


def train(residual: int, skip: int, dilations: Sequence[int], steps: int, seed: int) -> tuple[WaveNet, dict]:
    """A trained network, its numbers rounded to 16 bits, and what it cost."""
    runtime.start(seed)
    model = WaveNet(256, residual, skip, dilations, condition=len(VOWELS) + MARKS)
    start, rate = time.process_time(), cosine(1.5e-2, steps, warmup=min(20, steps // 10), end=5e-4)
    fit(model, Songs(1024, 8, seed), steps, lr=rate)
    seconds = time.process_time() - start
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    return model.eval(), {"steps": steps, "seed": seed, "cpu_seconds": round(seconds)}


def facts(model: WaveNet, cost: dict) -> dict:
    """All that a reader may ask of the network: cost, size, bits, and what is heard when it sings."""
    return {
        "command": "python -m unrolled.trainings.vowels", "device": f"cpu, one thread, {platform.machine()}",
        **cost, "parameters": parameter_count(model), "dilations": list(model.core.dilations),
        "vowels": VOWELS, **bits(model, cost["seed"] + 1), "sung": listen(model),
    }  # fmt: skip


@torch.no_grad()
def bits(model: WaveNet, seed: int, songs: int = 20) -> dict[str, float]:
    """Bits per sample of a second of new songs, after the first 1,024 samples, and the best possible."""
    chooser, seconds, first, found = Songs(1, 1, seed), 1.0, 1024, {"bits": 0.0, "floor": 0.0}
    for name, f0, chance in (chooser.choice() for _ in range(songs)):
        x = torch.from_numpy(audio.mu_encode(audio.vowel(name, f0, seconds, seed=chance)))[None]
        _, state = model(x[:, :first], model.start(condition(name, f0)))
        found["bits"] += nll(model, x[:, first:], state).item() / songs
        found["floor"] += floor(name, f0, seconds, chance) / songs
    return found


def trained(path: str | Path = TRAINED) -> tuple[WaveNet, dict]:
    """The network that the command saved, and its facts."""
    tensors, known = load(path)
    (V, residual), skip = tensors["embed.weight"].shape, len(tensors["W_o.bias"])
    model = WaveNet(V, residual, skip, known["dilations"], condition=len(VOWELS) + MARKS)
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval(), known


def main(given: Sequence[str] | None = None) -> dict:
    """The command: train, listen, save, and say what was heard."""
    parser = argparse.ArgumentParser(prog="python -m unrolled.trainings.vowels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"residual": 24, "skip": 48, "layers": 9, "steps": 2000, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--out", default=str(TRAINED), help="where the checkpoint goes")
    a = parser.parse_args(given)
    model, cost = train(a.residual, a.skip, DILATIONS[: a.layers], a.steps, a.seed)
    known = facts(model, cost)
    save(a.out, model.half(), **known)
    for who, rows in known["sung"].items():
        print(f"{who}: {sum(row[-1] for row in rows)} of {len(rows)} are right")
        for name, f0, pitch, F1, F2, right in rows:
            verdict = "" if right else "  wrong"
            print(f"  {name:6} {f0} Hz: pitch {pitch:.1f}, formants {F1:.0f} {F2:.0f}{verdict}")
    print(f"{known['bits']:.3f} bits per sample; the best possible is {known['floor']:.3f}")
    return known


if __name__ == "__main__":
    main()
