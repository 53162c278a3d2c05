"""Drawings of dilated convolutions, layer by layer: what one output sees (lecture W2, W3)."""

from collections.abc import Sequence
from numbers import Real

from .picture import INK, Picture
from .strokes import arrow, circle, colour, element, math, square, text

GAP, RISE = 34, 62  # pixels from time to time, and from layer to layer


def dilated_stack(dilations: Sequence[int] = (1, 2, 4, 8), times: int = 16, alt: str = "") -> Picture:
    """A stack of causal convolutions with two taps each: solid is what the last output sees (W2)."""
    if not dilations or min(dilations) < 1 or times < 2:
        raise ValueError(
            f"dilations {tuple(dilations)}, {times} times: expected at least one, 1, and 2 times"
        )
    seen = reached(dilations, times)
    floor, left = RISE * len(dilations) + 30, 40
    xs = [left + GAP * t for t in range(times)]
    ys = [floor - RISE * k for k in range(len(dilations) + 1)]
    drawn = [_taps(xs, ys[k : k + 2], d, seen[k + 1]) for k, d in enumerate(dilations)]
    drawn += [_node(x, ys[k], k, t in seen[k]) for k in range(len(ys)) for t, x in enumerate(xs)]
    right = xs[-1] + 24
    drawn += [
        text(right, ys[k + 1] + RISE / 2 - 2, f"{d} apart", 13, "start") for k, d in enumerate(dilations)
    ]
    drawn += [math(12, floor, "x", 17), math(12, ys[-1], "h", 17)]
    drawn += [
        text(left - 10, floor + 34, "time", 14, "start"),
        arrow((left + 30, floor + 34), (left + 80, floor + 34)),
    ]
    n = len(seen[0])
    alt = alt or (
        f"{len(dilations)} layers of circles over {times} inputs; the taps of the layers stand "
        f"{', '.join(map(str, dilations))} apart, so that the last output sees {n} of the inputs."
    )
    return Picture("".join(drawn), (right + 58, floor + 50), alt)


def reached(dilations: Sequence[int], times: int) -> list[set[int]]:
    """Which places the last output sees: of the inputs first, then of each layer up to the output."""
    rows = [{times - 1}]
    for d in reversed(dilations):
        rows.append({t - back for t in rows[-1] for back in (0, d) if t >= back})
    return rows[::-1]


def _taps(xs: Sequence[Real], ys: Sequence[Real], d: int, solid: set[int]) -> str:
    """The two taps of every place of a layer: faint, and solid where the last output sees them."""
    below, above = ys
    faint, strong = [], []
    for t, x in enumerate(xs):
        sources = [xs[t - back] for back in (0, d) if t >= back]
        (strong if t in solid else faint).extend(f"M{s} {below}L{x} {above}" for s in sources)
    lines = [("".join(faint), 1.0, 0.22, INK), ("".join(strong), 2.4, 1.0, colour("h"))]
    return "".join(
        element("path", d=way, fill="none", stroke=ink, stroke_width=width, stroke_opacity=opacity)
        for way, width, opacity, ink in lines
        if way
    )


def _node(x: Real, y: Real, depth: int, solid: bool) -> str:
    """An input square or a circle of a layer: filled where the last output sees it."""
    page = "var(--pst-color-background, #FFFFFF)"
    look = {} if solid else dict(fill=page, stroke=INK, stroke_opacity=0.45)
    return circle(x, y, 7.5, **look) if depth else square(x, y, 15, **look)
