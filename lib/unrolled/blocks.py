"""Plots made of blocks of colour: distributions, sums that build up, matrices. `plot` offers them."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from .looks import GREY, house, label, picture
from .picture import Picture, plain
from .strips import Numbers, array
from .strokes import ROLES


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
    label(axes, xlabel)


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
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
) -> Picture:
    """A matrix as colour: blue above zero, vermilion below, the stronger the larger; few have numbers."""
    m, rows, columns = np.atleast_2d(array(matrix)), rows or (), columns or ()
    most = float(np.nanmax(np.abs(m), initial=1e-12))
    high, wide = m.shape
    rgba = np.empty((*m.shape, 4))
    rgba[..., :3] = np.where((m >= 0)[..., None], to_rgb(ROLES["h"]), to_rgb(ROLES["f"]))
    few = m.size <= 80 and wide <= 14  # else the numbers would run into one another
    # The page shows through, light by day and dark by night; numbers need some of it to stand out.
    rgba[..., 3] = np.nan_to_num((0.7 if few else 1.0) * (np.abs(m) / most) ** 0.8)
    across = 5.2 if wide <= 24 else 7.2
    with house():
        figure = Figure(figsize=(across, min(6.0, max(1.6, 0.8 + 0.8 * across * high / max(wide, 4)))))
        axes = figure.subplots()
        axes.imshow(rgba, interpolation="none", aspect="auto")
        axes.grid(visible=False)
        for i, j in np.ndindex(*m.shape) if few else ():
            axes.text(j, i, f"{m[i, j]:.2g}".replace("-", "−"), ha="center", va="center", fontsize=10)
        _name(axes, list(rows), list(columns), across / wide)
        label(axes, xlabel, ylabel, "" if few else f"strongest: {most:.3g}")
        return picture(figure, alt)


def _name(axes: Axes, rows: list[str], columns: list[str], room: float) -> None:
    """Names as large as fits; those of columns stand upright where `room`, in inches for each, is short."""
    for ticks, names, size in ((axes.set_xticks, columns, room * len(columns)), (axes.set_yticks, rows, 5)):
        fit = min(11, 90 * size / max(1, len(names)))  # as many points as there is room for each name
        ticks(range(len(names)), [plain(n)[:14] for n in names], fontsize=fit)
    longest = max((len(plain(n)[:14]) for n in columns), default=0)
    if longest * 0.65 * min(11, 90 * room) > 66 * room:  # a letter is about 0.65 of its size wide; in points
        axes.tick_params("x", labelrotation=90, labelsize=9)
