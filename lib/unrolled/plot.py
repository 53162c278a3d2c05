"""Plots of tensors in the house style: each call returns one inline SVG, and `alt` says what it shows.

Every model keeps its colour, dash and marker through the whole book, so that a reader of chapter 4 can read
chapter 14. Labels are plain text: `$`, emoji and control characters are shown, never interpreted.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from .blocks import bars, heat, waterfall
from .looks import COLOURS, DOTS, GREY, LOOKS, house, label, look, picture, power, use
from .picture import Picture, plain, ten
from .strips import array, strip
from .tiles import pictures

__all__ = ["COLOURS", "LOOKS", "bars", "curves", "growth", "heat", "pictures", "points", "strip", "use",
           "waterfall"]

Series = Mapping[str, Any]
MOST = 400  # points of a line: more could not be told apart, and would make a page heavy


def curves(
    series: Series, alt: str, xlabel: str = "", ylabel: str = "", floor: Real | None = None, log: str = ""
) -> Picture:
    """Lines, each with its name at its end.

    - series: name -> values (they stand at 1, 2, ...) or (x, values), or title -> such a mapping, for panels
      side by side; a name that speaks of a model gets the model's look; what is not finite is left out;
    - floor: a lower limit to draw across, such as the exact entropy; log: "x", "y" or "xy".
    """
    return _lines(series, alt, (xlabel, ylabel), floor, log, joined=True)


def points(series: Series, alt: str, xlabel: str = "", ylabel: str = "", log: str = "") -> Picture:
    """Points, each series with its name beside its last one; the arguments are those of `curves`."""
    return _lines(series, alt, (xlabel, ylabel), None, log, joined=False)


def _lines(series: Series, alt: str, names: tuple, floor: Real | None, log: str, joined: bool) -> Picture:
    if not series or log not in ("", "x", "y", "xy"):
        raise ValueError(
            f"got {len(series)} series and log={log!r}: give {{'RNN': losses}}, and '', 'x', 'y', 'xy'"
        )
    panels = series if all(isinstance(v, Mapping) for v in series.values()) else {"": series}
    with house():
        figure = Figure(figsize=(5.6 if len(panels) == 1 else 3.6 * len(panels), 3.1))
        for axes, (title, group) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
            _log_axes(axes, log)
            _panel(axes, group, floor, joined)
            label(axes, *names, title)
        return picture(figure, alt)


def _panel(axes: Any, group: Series, floor: Real | None, joined: bool) -> None:
    """One set of axes with its series and their names."""
    ends, taken = [], []
    for name, values in group.items():
        x, y = _xy(name, values)
        taken.append(look(name, taken))
        c, dash, mark = taken[-1]
        every = max(1, min(len(y), MOST) // 7)
        first = (len(taken) * every // 3) % every  # markers of close lines do not cover each other
        way = dict(ls=dash, markevery=(first, every)) if joined else dict(ls="")
        axes.plot(*(_thin(x, y) if joined else (x, y)), color=c, marker=mark, **way)
        shown = np.isfinite(x + y) & ((y > 0) | (axes.get_yscale() == "linear"))
        last = np.flatnonzero(shown)[-1:]  # a zero has no place on a logarithmic axis
        ends += [(x[k], y[k], plain(name), taken[-1]) for k in last]
    if floor is not None:
        axes.axhline(floor, color=GREY, ls=DOTS)
        ends.append((axes.get_xlim()[1], floor, "floor", LOOKS["floor"]))
    _name(axes, ends, joined)


def _xy(name: str, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two coordinates as numbers; infinities become gaps."""
    pair = isinstance(values, tuple) and len(values) == 2
    y = array(values[1] if pair else values).reshape(-1)
    x = array(values[0]).reshape(-1) if pair else np.arange(1.0, len(y) + 1)
    if len(x) != len(y):
        raise ValueError(f"series {name!r} has {len(x)} x and {len(y)} values: give as many of each")
    return x, np.where(np.isfinite(y), y, np.nan)


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of a long line the lowest and the highest point of each stretch: it looks the same."""
    if len(y) <= MOST:
        return x, y
    kept = {0, len(y) - 1}
    for stretch in np.array_split(np.arange(len(y)), MOST // 2):
        if np.isfinite(y[stretch]).any():
            kept |= {int(stretch[np.nanargmin(y[stretch])]), int(stretch[np.nanargmax(y[stretch])])}
    order = sorted(kept)
    return x[order], y[order]


def _name(axes: Any, ends: list[tuple], joined: bool) -> None:
    """Write each name, with its marker, beside the end of its line; pushed apart where two would touch."""
    axes.autoscale_view()
    into, gap, placed = axes.transData + axes.transAxes.inverted(), 0.092, []
    for end in sorted(ends, key=lambda e: e[1]):
        height = into.transform(end[:2])[1] if joined else 0.5
        placed.append((max(height, placed[-1][0] + gap) if placed else height, end))
    ceiling = 1.02
    for height, (x, y, name, shape) in reversed(placed):
        height = min(height, ceiling)
        ceiling = height - gap
        hair = dict(arrowstyle="-", color=shape.colour, lw=0.9, shrinkA=0, shrinkB=3) if joined else None
        place = dict(textcoords="axes fraction", va="center", annotation_clip=False)
        axes.annotate("", (x, y), (1.045, height), arrowprops=hair, **place)
        axes.annotate(name, (x, y), (1.075, height), **place)
        pen = dict(color=shape.colour, marker=shape.marker or "_", transform=axes.transAxes)
        axes.plot([1.045], [height], clip_on=False, scalex=False, scaley=False, **pen)


def _log_axes(axes: Any, ways: str) -> None:
    """Logarithmic axes whose ticks are plain numbers or powers of ten."""
    for way in ways:
        getattr(axes, f"set_{way}scale")("log", nonpositive="mask")
        axis = getattr(axes, f"{way}axis")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=7))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))


def growth(sizes: Series, alt: str, xlabel: str = "", marks: Mapping[str, Real] | None = None) -> Picture:
    """How sizes grow, as powers of ten; whole numbers may be as large as they like (10,000 to the power 100).

    sizes: name -> the sizes for 1, 2, ... or (x, sizes); marks: name -> a size to draw a line at.
    """
    with house():
        axes = (figure := Figure(figsize=(5.6, 3.1))).subplots()
        _panel(axes, {name: _exponents(values) for name, values in sizes.items()}, None, True)
        for name, size in (marks or {}).items():
            axes.axhline(math.log10(size), color=GREY, ls=DOTS)
            axes.text(0.01, math.log10(size), plain(name), va="bottom", transform=axes.get_yaxis_transform())
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{10**v:,.0f}" if 0 <= v < 4 else ten(round(v)))
        )
        label(axes, xlabel)
        return picture(figure, alt)


def _exponents(values: Any) -> tuple:
    """The powers of ten, taken before a number that no float can hold becomes one."""
    pair = isinstance(values, tuple) and len(values) == 2
    sizes = [math.log10(v) for v in (values[1] if pair else values)]
    return values[0] if pair else range(1, len(sizes) + 1), sizes
