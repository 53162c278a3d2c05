"""Plots of tensors in the house style: each call returns one inline SVG, and `alt` says what it shows.

Every model keeps its colour, dash and marker through the whole book, so that a reader of chapter 4 can read
chapter 14. Labels are plain text: `$`, emoji and control characters are shown, never interpreted.
"""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from .looks import COLOURS, DOTS, GREY, LOOKS, house, look, picture, power, ten, use
from .picture import Picture, plain
from .strips import Numbers, array, strip
from .strokes import ROLES

__all__ = ["COLOURS", "LOOKS", "bars", "curves", "growth", "heat", "points", "strip", "use", "waterfall"]

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
            for way in log:
                _log_axis(axes, way)
            _panel(axes, group, floor, joined)
            _label(axes, *names, title)
        return picture(figure, alt)


def _label(axes: Any, xlabel: str = "", ylabel: str = "", title: str = "") -> None:
    """Name the axes; nothing stays nothing."""
    shown = {k: plain(v) for k, v in dict(xlabel=xlabel, ylabel=ylabel).items() if v}
    axes.set(**shown)
    axes.set_title(plain(title) if title else "", loc="left")


def _panel(axes: Any, group: Series, floor: Real | None, joined: bool) -> None:
    """One set of axes with its series and their names."""
    ends, taken = [], []
    for name, values in group.items():
        x, y = _xy(name, values)
        taken.append(look(name, taken))
        c, dash, mark = taken[-1]
        every = max(1, min(len(y), MOST) // 7)
        first = (
            len(taken) * every // 3
        ) % every  # so that the markers of close lines do not cover each other
        way = dict(ls=dash, markevery=(first, every)) if joined else dict(ls="")
        axes.plot(*(_thin(x, y) if joined else (x, y)), color=c, marker=mark, **way)
        last = np.flatnonzero(np.isfinite(x + y))[-1:]
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


def _log_axis(axes: Any, way: str) -> None:
    """A logarithmic axis whose ticks are plain numbers or powers of ten."""
    getattr(axes, f"set_{way}scale")("log", nonpositive="mask")
    axis = getattr(axes, f"{way}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))


def growth(sizes: Series, alt: str, xlabel: str = "", marks: Mapping[str, Real] | None = None) -> Picture:
    """How sizes grow, as powers of ten; whole numbers may be as large as they like (10,000 to the power 100).

    sizes: name -> the sizes for 1, 2, ...; marks: name -> a size to draw a line at, such as all atoms.
    """
    with house():
        axes = (figure := Figure(figsize=(5.6, 3.1))).subplots()
        _panel(axes, {k: [math.log10(v) for v in values] for k, values in sizes.items()}, None, True)
        for name, size in (marks or {}).items():
            axes.axhline(math.log10(size), color=GREY, ls=DOTS)
            axes.text(0.01, math.log10(size), plain(name), va="bottom", transform=axes.get_yaxis_transform())
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{10**v:,.0f}" if 0 <= v < 4 else ten(round(v)))
        )
        _label(axes, xlabel)
        return picture(figure, alt)


def bars(
    probabilities: Numbers,
    labels: Sequence[str],
    alt: str,
    true: int | None = None,
    top: int = 12,
    xlabel: str = "",
) -> Picture:
    """A distribution over the next symbol: the `top` likeliest, one bar each, and all others in one line.

    - probabilities (V,), not negative; labels: the V symbols;
    - true: the index of what really came next; its bar is outlined and its number says so.
    """
    p = array(probabilities).reshape(-1)
    if len(p) != len(labels) or not len(p) or not (p >= 0).all():
        found = f"{len(p)} probabilities (the least is {p.min(initial=0):.3g}) for {len(labels)} labels"
        raise ValueError(f"{found}: give one, at least 0, for each; softmax(logits) makes them")
    shown = [int(k) for k in np.argsort(-p, kind="stable")[:top]]
    shown += [true] if true is not None and true not in shown else []
    rest = float(p.sum() - p[shown].sum())
    rows = [(plain(labels[k])[:24], p[k], k == true) for k in shown]
    rows += [(f"{len(p) - len(shown)} others", rest, False)] if len(p) > len(shown) else []
    with house():
        axes = (figure := Figure(figsize=(4.6, 0.5 + 0.27 * len(rows)))).subplots()
        for k, (_, value, hit) in enumerate(rows):
            axes.barh(-k, value, 0.74, color=ROLES["y"], edgecolor=GREY if hit else "none", lw=2)
            _beside(axes, value, -k, f"{value:.2g}{'  came next' * hit}")
        _bare(axes, [name for name, *_ in rows], xlabel)
        return picture(figure, alt)


def _beside(axes: Any, x: Real, y: Real, words: str) -> None:
    """Words just to the right of the end of a bar."""
    axes.annotate(words, (x, y), xytext=(5, 0), textcoords="offset points", va="center")


def _bare(axes: Any, names: Sequence[str], xlabel: str) -> None:
    """Rows with their names, from the top down; the numbers beside the bars make an axis needless."""
    axes.set_yticks(-np.arange(len(names)), names)
    axes.tick_params(length=0, labelbottom=False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    _label(axes, xlabel)


def waterfall(values: Numbers, labels: Sequence[str], alt: str, xlabel: str = "bits") -> Picture:
    """Steps that add up, from the top down, with their sum in the last row: the bits of each word."""
    v = array(values).reshape(-1)
    if len(v) != len(labels):
        raise ValueError(f"{len(v)} values for {len(labels)} labels: give as many of each")
    starts = np.append(np.cumsum(v) - v, 0.0)
    with house():
        axes = (figure := Figure(figsize=(5.2, 0.8 + 0.27 * len(starts)))).subplots()
        for k, (start, value) in enumerate(zip(starts, [*v, v.sum()])):
            axes.barh(-k, value, 0.74, left=start, color=ROLES["y"] if k < len(v) else ROLES["x"])
            _beside(axes, start + value, -k, f"{value:.3g}")
        _bare(axes, [*(plain(s)[:24] for s in labels), "sum"], xlabel)
        return picture(figure, alt)


def heat(
    matrix: Numbers,
    alt: str,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    xlabel: str = "",
    ylabel: str = "",
) -> Picture:
    """A matrix as colour: blue above zero, vermilion below, the stronger the larger; few have numbers."""
    m = np.atleast_2d(array(matrix))
    most = float(np.nanmax(np.abs(m), initial=1e-12))
    high, wide = m.shape
    rgba = np.empty((*m.shape, 4))
    rgba[..., :3] = np.where((m >= 0)[..., None], to_rgb(ROLES["h"]), to_rgb(ROLES["f"]))
    few = m.size <= 80
    # The page shows through, light by day and dark by night; numbers need some of it to stand out.
    rgba[..., 3] = np.nan_to_num((0.7 if few else 1.0) * (np.abs(m) / most) ** 0.8)
    with house():
        axes = (
            figure := Figure(figsize=(5.2, min(7.0, max(1.6, 0.9 + 4.2 * high / max(wide, 4)))))
        ).subplots()
        axes.imshow(rgba, interpolation="none", aspect="auto")
        axes.grid(visible=False)
        for i, j in np.ndindex(*m.shape) if few else ():
            axes.text(j, i, f"{m[i, j]:.2g}".replace("-", "−"), ha="center", va="center", fontsize=10)
        for ticks, names in ((axes.set_xticks, columns), (axes.set_yticks, rows)):
            ticks(range(len(names)), [plain(n)[:14] for n in names])
        _label(axes, xlabel, ylabel, "" if few else f"strongest: {most:.3g}")
        return picture(figure, alt)
