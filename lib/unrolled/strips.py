"""Sequences in a row: kinds of data, tokens with what was measured at each, and tables that grow.

All take arrays and lists and return a `Picture`; `draw` and `plot` offer them under their own names.
"""

from collections.abc import Sequence
from numbers import Real
from textwrap import shorten
from typing import Any

import numpy as np

from .picture import INK, Picture, plain
from .strokes import arrow, colour, element, line, square, text, token, width

Numbers = Any  # a list, an array or a tensor of numbers
EXAMPLE = ((0.01, 0.6, 0.01, 0.38), (0.2, 0.05, 0.7, 0.05), (0.55, 0.1, 0.01, 0.34), (0.4, 0.2, 0.35, 0.05))
PEN = dict(fill="none", stroke=colour("x"), stroke_width=1.6)


def array(values: Numbers) -> np.ndarray:
    """Numbers as a float array, whether they come as a list, an array or a tensor (of any device)."""
    return np.asarray(values.detach().double().cpu() if hasattr(values, "detach") else values, dtype=float)


def sequence_kinds(letters: str, sound: Numbers, image: Numbers, actions: Any, alt: str = "") -> Picture:
    """Four kinds of data, one shape: text, sound, an image and actions, each in a row through time (S2).

    - letters: the text; sound: the samples of a wave; image (rows, columns): the ink of each pixel;
    - actions: a symbol, a short word or a number for each. As many of each are drawn as have room.
    """
    actions = actions.tolist() if hasattr(actions, "tolist") else actions
    rows = [_letters(letters), _wave(sound), _pixels(image), _letters(actions)]
    drawn = []
    for k, (name, row) in enumerate(zip(("text", "sound", "an image", "actions"), rows)):
        drawn.append(text(2, 34 + 72 * k, name, 16, "start"))
        drawn.append(element("g", row, transform=f"translate(92 {34 + 72 * k})"))
    drawn += [arrow((92, 302), (556, 302), width=2), text(2, 302, "time", 16, "start")]
    alt = alt or (
        "Text, a sound wave, an image and a player's actions, each drawn as a row of small squares "
        "in the order in which they come."
    )
    return Picture("".join(drawn), (564, 316), alt)


def _letters(symbols: Sequence[Any]) -> str:
    """Tokens in boxes of one width, as many as have room."""
    shown = [shorten(plain(s), 8, placeholder="…") for s in symbols]
    wide = max([30.0, *(width(s, 16) + 8 for s in shown)])
    fit = shown[: int(472 // (wide + 4))]
    return "".join(token((wide + 4) * t, 0, s, 15, wide) for t, s in enumerate(fit))


def _wave(sound: Numbers) -> str:
    """A wave of at most 464 samples, and small squares on as many of them as have room."""
    wave = array(sound)[:464]
    high = 26 * wave / max(1e-9, np.abs(wave).max(initial=0))
    step = max(1, -(-len(wave) // 58))
    points = [(4 + 8.0 * t / step, -float(v)) for t, v in enumerate(high)]
    return line(points, **PEN) + "".join(square(x, y, 5.0) for x, y in points[::step])


def _pixels(image: Numbers) -> str:
    """An image, and its first pixels in reading order."""
    grey = array(image)
    grey = (grey - grey.min()) / max(1e-9, float(np.ptp(grey)))
    side = 56 / max(grey.shape)
    cells = [
        _pixel(side * (j + 0.5), side * (i + 0.5) - side * len(grey) / 2, side, grey[i, j])
        for i in range(len(grey))
        for j in range(grey.shape[1])
    ]
    row = [_pixel(96 + 13.0 * t, 0, 12.0, v) for t, v in enumerate(grey.flatten()[:29])]
    return "".join(cells) + arrow((62, 0), (84, 0)) + "".join(row)


def _pixel(x: Real, y: Real, side: Real, bright: Real) -> str:
    """A pixel: the brighter, the stronger its ink, on a light page and on a dark one."""
    return square(x, y, side, rx=0, fill=INK, fill_opacity=f"{0.08 + 0.85 * bright:.2f}")


def strip(
    tokens: Sequence[str],
    alt: str,
    values: Numbers | None = None,
    states: Numbers | None = None,
    unit: str = "bits",
) -> Picture:
    """Tokens in a row (several rows where there are many), with what was measured at each.

    - values (T,): a bar above each token, such as its surprise, in `unit`; NaN for "not measured";
    - states (T, H): under each token a column of H cells, blue above zero and vermilion below.
    """
    shown = [plain(t) for t in tokens]
    v = np.full(len(shown), np.nan) if values is None else array(values)
    s = np.zeros((len(shown), 0)) if states is None else array(states)
    if not len(v) == len(s) == len(shown):
        raise ValueError(f"{len(shown)} tokens, {len(v)} values, {len(s)} states: give as many of each")
    bars, cell = (0 if np.isnan(v).all() else 58), 9
    high = bars + 40 + cell * s.shape[1] + 8
    top, drawn, x, y = max(1e-9, np.nanmax(np.abs(np.append(v, 0)))), [], 2.0, 2.0
    for t, word in enumerate(shown):
        wide = max(26.0, width(word, 15) + 10)
        if x + wide > 600:
            x, y = 2.0, y + high
        drawn += [token(x, y + bars + 16, word, 15, wide), _bar(x, y + bars - 4, wide, v[t], top)]
        drawn += [
            _cell(x, y + bars + 36 + cell * k, wide, s[t, k], np.abs(s).max()) for k in range(s.shape[1])
        ]
        x += wide + 3
    note = text(600, y + high + 2, f"highest bar: {top:.3g} {unit}", 13, "end") if bars else ""
    return Picture("".join(drawn) + note, (602, y + high + (14 if bars else 0)), alt)


def _bar(x: Real, foot: Real, wide: Real, value: Real, top: Real) -> str:
    if np.isnan(value):
        return ""
    tall = max(1.0, 50 * abs(value) / top)
    return element("rect", x=x, y=foot - tall, width=wide, height=tall, fill=colour("y"))


def _cell(x: Real, y: Real, wide: Real, value: Real, most: Real) -> str:
    strength = min(1.0, abs(value) / max(1e-9, most))
    return element(
        "rect", x=x, y=y, width=wide, height=8.0, fill=colour("h" if value >= 0 else "f"),
        fill_opacity=f"{0.06 + 0.94 * strength:.2f}",
    )  # fmt: skip


def table(
    probabilities: Numbers = EXAMPLE,
    words: Sequence[str] = ("the", "train", "to", "Paris"),
    sizes: Sequence[int] = (120, 10_000),
    alt: str = "",
) -> Picture:
    """The table of p(next word | word): a few words in full, then what more words would ask for (P4).

    probabilities (V, V): one row for each word given; sizes: larger vocabularies to set beside it.
    """
    p, drawn, side = array(probabilities), [], 168.0
    lead = max(width(w, 14) for w in words) + 8
    step = side / len(words)
    for i, word in enumerate(words):
        drawn.append(text(lead - 6, 50 + step * (i + 0.5), word, 14, "end"))
        drawn.append(text(lead + step * (i + 0.5), 36, word, 14))
        drawn += [_entry(lead + step * j, 50 + step * i, step, p[i, j]) for j in range(len(words))]
    names = [len(words), *sizes]
    for k, size in enumerate(names):
        x = lead + (side + 26) * k
        drawn += [_grid(x, 50, side, size) if k else "", text(x + side / 2, 236, f"{size:,} × {size:,}", 16)]
        drawn.append(text(x + side / 2, 258, f"{size**2:,} numbers", 14))
    alt = alt or (
        f"Three tables of next-word probabilities for {', '.join(f'{n:,}' for n in names)} words: "
        "the first can be read, the second is a fine mesh, the third is solid."
    )
    return Picture("".join(drawn), (lead + (side + 26) * len(names) - 24, 270), alt)


def _entry(x: Real, y: Real, side: Real, p: Real) -> str:
    box = dict(
        x=x, y=y, width=side - 2, height=side - 2, fill=colour("y"), fill_opacity=f"{0.1 + 0.7 * p:.2f}"
    )
    return element("rect", **box) + text(x + side / 2 - 1, y + side / 2, f"{p:.2f}", 14)


def _grid(x: Real, y: Real, side: Real, size: int) -> str:
    """A mesh of size by size cells; where a line would be finer than the eye, a solid."""
    fine = side / size
    if fine < 0.5:
        return element("rect", x=x, y=y, width=side, height=side, fill=colour("y"))
    across = "".join(
        f"M{x:.1f} {y + k * fine:.2f}h{side:g}M{x + k * fine:.2f} {y:.1f}v{side:g}" for k in range(size + 1)
    )
    return element("path", d=across, stroke=colour("y"), stroke_width=0.45, fill="none")
