"""Sounds made from nothing, and ears that measure them: vowels and strings; spectrum, pitch and formants.

Vowels are made by a source and a filter, so their pitch and their formants are known; `pitch` and `formants`
find them in any wave, also in one that a network wrote. `audio` offers all of them.
"""

import math
from typing import Any

import numpy as np

RATE = 8000  # samples a second, as the telephone and the spoken digits have

FORMANTS = {  # hertz, means of 33 men (Peterson and Barney, 1952, doi 10.1121/1.1906875, table II)
    "heed": (270, 2290, 3010),
    "hid": (390, 1990, 2550),
    "head": (530, 1840, 2480),
    "had": (660, 1720, 2410),
    "hod": (730, 1090, 2440),
    "hawed": (570, 840, 2410),
    "hood": (440, 1020, 2240),
    "who'd": (300, 870, 2240),
    "hud": (640, 1190, 2390),
    "heard": (490, 1350, 1690),
}
WIDTHS = (50, 70, 110)  # of the formants, hertz (Klatt, 1980, doi 10.1121/1.383940)
BREATH = 0.005  # the noise in a voice


def checked(name: str, values: Any, least: int = 0) -> np.ndarray:
    """The values as a wave (T,) of at least so many finite numbers; ValueError says what else they are."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < least or not np.isfinite(x).all():
        finite = "" if np.isfinite(x).all() else " with nan or inf"
        raise ValueError(f"{name} has shape {x.shape}{finite}: expected (T,), finite, T at least {least}")
    return x


def tract(name: str, hertz: Any) -> np.ndarray:
    """How much a mouth that says this vowel lets through at each frequency: complex, 1 at 0 hertz.

    Each formant F of width B lets p p* / ((s - p)(s - p*)) through: p = 2 pi (-B / 2 + i F), s = 2 pi i f.
    """
    if name not in FORMANTS:
        raise ValueError(f"name is {name!r}: the vowels are those of {', '.join(FORMANTS)}")
    p = 2 * np.pi * (-np.array(WIDTHS) / 2 + 1j * np.array(FORMANTS[name]))
    s = 2j * np.pi * np.asarray(hertz)[..., None]
    return np.asarray((abs(p) ** 2 / ((s - p) * (s - p.conj()))).prod(-1))


def vowel(
    name: str,
    f0: float | int = 120,
    seconds: float | int = 1,
    rate: int = RATE,
    seed: int = 0,
    breath: float | int = BREATH,
) -> np.ndarray:
    """A vowel of FORMANTS, sung at f0 hertz: a source that buzzes, and a filter, `tract` (Fant, 1960).

    The source has all multiples of f0 below rate / 2, weaker by 6 dB an octave. `breath` is the deviation of
    the noise that is added; the voice itself reaches 0.8. The seed chooses the noise, and where in its swing
    the sound begins.
    """
    rng, k = np.random.default_rng(seed), np.arange(1, math.ceil(rate / 2 / _audible(f0, rate)))
    turns = f0 * np.arange(round(seconds * rate)) / rate + rng.random()
    strength = tract(name, k * f0) / k
    swing = np.arange(2000) / 2000  # one period, to know how loud the whole gets whatever is cut out of it
    loudest = np.abs(_harmonics(strength, swing)).max()
    return 0.8 * _harmonics(strength, turns) / loudest + breath * rng.standard_normal(len(turns))


def _harmonics(strength: np.ndarray, turns: np.ndarray) -> np.ndarray:
    waves = (abs(s) * np.cos(2 * np.pi * k * turns + np.angle(s)) for k, s in enumerate(strength, start=1))
    return sum(waves, np.zeros(len(turns)))


def pluck(f0: float | int = 110, seconds: float | int = 1, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A plucked string: noise goes round and round, averaged with its neighbour (Karplus and Strong, 1983).

    The period is a whole number of samples and a half, so the pitch is the nearest to f0 of rate / (N + 1/2).
    """
    N = max(1, round(rate / _audible(f0, rate) - 0.5))
    line = np.random.default_rng(seed).uniform(-0.8, 0.8, N)
    before, periods = 0.0, []
    for _ in range(math.ceil(round(seconds * rate) / N)):
        periods.append(line)
        shifted = np.append(before, line[:-1])
        line, before = (line + shifted) / 2, line[-1]
    return np.concatenate([*periods, []])[: round(seconds * rate)]


def _audible(f0: float | int, rate: int) -> float | int:
    if not 0 < f0 < rate / 2:
        raise ValueError(f"f0 is {f0} hertz: expected more than 0 and less than half the rate, {rate / 2:g}")
    return f0


def spectrum(wave: Any, rate: int = RATE) -> tuple[np.ndarray, np.ndarray]:
    """The frequencies in hertz (F,) and how strong each is (F,): a sine of amplitude 1 has a peak of 1."""
    x = checked("wave", wave, 2)
    window = np.hanning(len(x) + 1)[:-1]
    return np.fft.rfftfreq(len(x), 1 / rate), 2 * np.abs(np.fft.rfft(x * window)) / window.sum()


def pitch(wave: Any, rate: int = RATE, low: float | int = 60, high: float | int = 500) -> float:
    """How high a sound is, in hertz: the shortest time after which it repeats itself (Boersma, 1993).

    nan where nothing between `low` and `high` hertz repeats.
    """
    x = checked("wave", wave, 8)
    window = np.hanning(len(x) + 2)[1:-1]
    r = _lags((x - x.mean()) * window) / _lags(window)
    shortest, longest = max(2, int(rate / high)), min(int(rate / low) + 1, len(x) // 2)
    peaks = [n for n in range(shortest, longest) if r[n - 1] <= r[n] > r[n + 1] and r[n] > 0.3 * r[0]]
    if not peaks:
        return math.nan
    n = next(n for n in peaks if r[n] > 0.95 * max(r[peaks]))  # twice the period repeats as well
    return rate / (n + (r[n - 1] - r[n + 1]) / (r[n - 1] - 2 * r[n] + r[n + 1]) / 2)  # top of the parabola


def formants(wave: Any, rate: int = RATE, count: int = 2) -> np.ndarray:
    """The first resonances of a voice in hertz (count,), by linear prediction (Atal and Hanauer, 1971).

    Each sample is predicted from the rate / 1000 before it; the resonances of that filter are the formants.
    They are exact to half the pitch: only its multiples are heard. nan where there are fewer.
    """
    order = max(4, rate // 1000)
    x = checked("wave", wave, 4 * order)
    x = np.append(x[0], x[1:] - 0.97 * x[:-1])  # a voice falls with the frequency: lift it again
    r = _lags(x * np.hanning(len(x)))[: order + 1]
    apart = np.abs(np.subtract.outer(range(order), range(order)))
    weights = np.linalg.lstsq(r[apart], r[1:], rcond=None)[0]
    roots = np.roots(np.append(1, -weights))
    hertz, width = np.angle(roots) * rate / (2 * np.pi), -np.log(np.abs(roots) + 1e-12) * rate / np.pi
    found = np.sort(hertz[(hertz > 90) & (hertz < 0.48 * rate) & (width < 600)])[:count]
    return np.append(found, np.full(count - len(found), np.nan))


def _lags(x: np.ndarray) -> np.ndarray:
    """The products of x with itself, shifted by 0, 1, 2 ... samples, summed."""
    return np.fft.irfft(np.abs(np.fft.rfft(x, 2 * len(x))) ** 2)[: len(x)]
