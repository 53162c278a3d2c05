"""Sound as numbers: mu-law, WAV, a player for the page, and spoken digits (lecture W1).

A wave is a numpy array (T,) between -1 and 1, `rate` samples a second. `vowel` and `pluck` make some that
need no file; `spectrum`, `pitch` and `formants` listen to any (all five are at home in `voices`).
"""

import base64
import io
import math
import wave as wav
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from . import data
from .shapes import Tensor
from .voices import FORMANTS as FORMANTS
from .voices import RATE as RATE
from .voices import checked
from .voices import formants as formants
from .voices import pitch as pitch
from .voices import pluck as pluck
from .voices import spectrum as spectrum
from .voices import tract as tract
from .voices import vowel as vowel

SPEAKERS = ("george", "jackson", "nicolas", "theo", "yweweler")  # of the spoken digits


def bend(x: np.ndarray, mu: int) -> np.ndarray:
    """A wave from -1 to 1, bent so that its quiet part gets more of the room: the curve of mu-law."""
    return np.sign(x) * np.log1p(mu * np.abs(x)) / math.log1p(mu)


def mu_encode(wave: Any, levels: int = 256) -> np.ndarray | Tensor:
    """A wave as whole numbers 0 to levels - 1, in finer steps where it is quiet: mu-law, the curve of G.711.

    round(mu (1 + sign(x) log(1 + mu |x|) / log(1 + mu)) / 2), mu = levels - 1; of 256, 128 is silence. What
    is beyond -1 and 1 is cut off. A torch tensor gives a tensor, anything else an array, of the same shape.
    """
    if isinstance(wave, Tensor):
        return torch.from_numpy(mu_encode(wave.detach().cpu().double().numpy(), levels)).to(wave.device)
    mu, x = _mu(levels), np.clip(_finite("wave", wave), -1, 1)
    return np.floor(mu * (1 + bend(x, mu)) / 2 + 0.5).astype(np.int64)


def mu_decode(ids: Any, levels: int = 256) -> np.ndarray | Tensor:
    """The wave that the ids stand for, as `mu_encode` made them.

    It is at most (1 + mu |x|) ((1 + mu)^(1 / mu) - 1) / mu away from the x that was encoded.
    """
    if isinstance(ids, Tensor):
        return torch.from_numpy(mu_decode(ids.detach().cpu().numpy(), levels)).float().to(ids.device)
    mu, k = _mu(levels), _finite("ids", ids)
    if k.size and (k.min() < 0 or k.max() > mu):
        raise ValueError(f"ids run from {k.min():g} to {k.max():g}: expected 0 to {mu}")
    bent = 2 * k / mu - 1
    return np.sign(bent) * np.expm1(np.abs(bent) * math.log1p(mu)) / mu


class Recording(NamedTuple):
    """One spoken digit: its wave, what was said (0 to 9), by whom, and which of the 50 takes it is."""

    wave: np.ndarray
    digit: int
    speaker: str
    take: int


def spoken(digit: int | None = None, speaker: str | None = None, take: int | None = None) -> list[Recording]:
    """Recordings of the Free Spoken Digit Dataset (real data, at RATE): all, or those asked for.

    Takes 0 to 4 are its test set by custom. DataError where the data cannot be had, ValueError where there is
    no such recording.
    """
    found = []
    for path in sorted(data.folder("fsdd").rglob("recordings/*.wav")):
        said, who, number = path.stem.split("_")
        key = (int(said), who, int(number))
        if all(asked in (None, one) for asked, one in zip((digit, speaker, take), key)):
            found.append(Recording(from_wav(path)[0], *key))
    if not found:
        asked = f"digit={digit!r}, speaker={speaker!r}, take={take!r}"
        raise ValueError(f"no recording of {asked}: digits 0 to 9, takes 0 to 49, {', '.join(SPEAKERS)}")
    return found


def to_wav(wave: Any, rate: int = RATE) -> bytes:
    """The bytes of a WAV file: one channel, 16 bits. What is beyond -1 and 1 is cut off."""
    file, samples = io.BytesIO(), np.round(checked("wave", wave) * 32768).clip(-32768, 32767)
    with wav.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def from_wav(source: bytes | str | Path) -> tuple[np.ndarray, int]:
    """The wave and the rate of a 16-bit WAV file (its bytes or its path); several channels are averaged."""
    with wav.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"source has {8 * file.getsampwidth()} bits a sample: expected 16")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return samples.mean(1) / 32768, file.getframerate()


class Sound:
    """A wave to listen to, in the page and in notebooks: press play. `words` say what is to be heard.

    The sound travels inside the page, 16 bits a sample: a second at 8,000 samples takes 21 KB.
    """

    def __init__(self, wave: Any, words: str, rate: int = RATE):
        if not words.strip():
            raise ValueError(f"words is {words!r}: say what is to be heard")
        self.wave, self.words, self.rate = checked("wave", wave), words, rate

    @property
    def html(self) -> str:
        """A player with controls, and its words below: it never starts by itself."""
        sound, words = base64.b64encode(to_wav(self.wave, self.rate)).decode("ascii"), escape(self.words)
        player = f'<audio controls preload="metadata" aria-label="Sound: {words}" style="max-width:100%"'
        return (
            f'<figure class="u-figure" style="margin:1rem 0">{player} src="data:audio/wav;base64,{sound}">'
            f'</audio><figcaption style="text-align:left">{words}</figcaption></figure>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"Sound, {len(self.wave) / self.rate:.2f} s: {self.words}"


class Beside:
    """Several sounds in a row, to be compared; on a narrow page one below the other."""

    def __init__(self, *sounds: Sound):
        if not sounds:
            raise ValueError("there are no sounds: give one or more")
        self.sounds = sounds

    @property
    def html(self) -> str:
        """The players of all sounds."""
        players = "".join(sound.html for sound in self.sounds)
        return f'<div style="display:flex;flex-wrap:wrap;column-gap:1.5rem">{players}</div>'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.sounds))


def _mu(levels: int) -> int:
    if levels < 2:
        raise ValueError(f"levels is {levels}: expected at least 2")
    return levels - 1


def _finite(name: str, values: Any) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{name} holds nan or inf: expected finite numbers")
    return x
