"""Little pictures side by side: pixels in their own colours, or in shades of a measured number."""

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from .picture import INK, Picture
from .strips import Numbers, array
from .strokes import element, text

WIDE, GAP, CAPTION = 600, 14, 24  # of a figure, between pictures, and what a row's name takes, in CSS pixels
SHADES = 12  # steps of ink between nothing and the largest number


def pictures(
    rows: Mapping[str, Numbers], alt: str, colours: Sequence[str] = (), most: Real | None = None
) -> Picture:
    """Pictures in rows, each row with its name above it.

    - rows: name -> pictures (n, R, C), or one picture (R, C); one-picture rows stand side by side;
    - whole numbers are levels with a colour of their own in `colours` (without: shades); -1, not read yet,
      is left blank;
    - other numbers are shades from nothing, at 0 and below, to full ink, at `most` (None: the largest).
    """
    found = {name: _array(values) for name, values in rows.items()}
    if not found or any(a.ndim not in (2, 3) or not a.size for a in found.values()):
        raise ValueError(f"rows have shapes {[a.shape for a in found.values()]}: expected (n, R, C), (R, C)")
    one = all(a.ndim == 2 for a in found.values())
    stacks = {name: a if a.ndim == 3 else a[None] for name, a in found.items()}
    most = most or max(a.max() for a in stacks.values()) or 1
    count = len(stacks) if one else max(len(a) for a in stacks.values())
    side = min(150.0, (WIDE - GAP * (count - 1)) / count)
    drawn, x, y = [], 0.0, 0.0
    for name, stack in stacks.items():
        pixel, high = side / stack.shape[2], side * stack.shape[1] / stack.shape[2]
        drawn.append(text(x, y + CAPTION / 2, name, 14, "start"))
        drawn += [
            _picture(a, (x + k * (side + GAP), y + CAPTION), pixel, colours, most)
            for k, a in enumerate(stack)
        ]
        x, y = (x + side + GAP, y) if one else (0.0, y + CAPTION + high + GAP)
    wide = x - GAP if one else count * (side + GAP) - GAP
    return Picture("".join(drawn), (wide, CAPTION + high if one else y - GAP), alt)


def _array(values: Numbers) -> np.ndarray:
    """Whole numbers stay whole: they are levels; other numbers are measured ones."""
    floats = array(values)
    kind = getattr(values, "dtype", None) or np.asarray(values).dtype
    return floats if "float" in str(kind) else floats.astype(int)


def _picture(
    a: np.ndarray, corner: tuple[Real, Real], pixel: Real, colours: Sequence[str], most: Real
) -> str:
    """One picture with a fine frame: one path for each colour, which takes the pixels of a row together."""
    levels = bool(len(colours)) and np.issubdtype(a.dtype, np.integer)
    kinds = a if levels else np.rint(SHADES * np.clip(a / most, 0, 1)).astype(int)
    inks = [(k, colours[k], None) for k in range(len(colours))] if levels else [
        (k, INK, k / SHADES) for k in range(1, SHADES + 1)]  # fmt: skip
    paths = [
        element("path", d=_runs(kinds == k), fill=ink, fill_opacity=strength)
        for k, ink, strength in inks
        if (kinds == k).any()
    ]
    frame = element("rect", width=a.shape[1], height=a.shape[0], fill="none", stroke=INK, stroke_opacity=0.4,
                    stroke_width=0.7 / pixel)  # fmt: skip
    place = f"translate({corner[0]:.2f} {corner[1]:.2f}) scale({pixel:.4f})"
    return element("g", "".join(paths) + frame, transform=place, shape_rendering="crispEdges")


def _runs(where: np.ndarray) -> str:
    """The way round all marked pixels, run by run."""
    way = []
    for r, row in enumerate(where):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        way += [f"M{start} {r}h{stop - start}v1h{start - stop}z" for start, stop in ends.reshape(-1, 2)]
    return "".join(way)
