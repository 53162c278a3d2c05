"""The strokes that drawings are made of: squares are inputs, circles are states, bars are distributions.

Each function returns a piece of SVG; x runs to the right, y downwards, sizes are CSS pixels. The colour of a
role is the same in equations, drawings, plots and live figures: Okabe and Ito's palette, dimmed where needed,
so that every colour has 3:1 contrast on a white page and on a dark one.
"""

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from math import atan2, cos, hypot, sin
from numbers import Real

from .picture import INK, plain

ROLES = {
    "x": "#767676",
    "h": "#0072B2",
    "c": "#C38600",
    "f": "#D55E00",
    "i": "#009E73",
    "o": "#CB78A6",
    "y": "#499AC8",
    "accent": "#D55E00",
}
UPON = "var(--u-on, var(--pst-color-background, #FFFFFF))"  # the ink upon a square or circle: the page itself
MATH = "font-family:'STIX Two Text','Cambria Math',Georgia,serif;font-style:italic"
Point = tuple[Real, Real]
UNSEEN = dict(fill="none", stroke=INK, stroke_opacity=0.5, stroke_dasharray="4 4")  # looks of a token: lost,
NEXT = dict(
    fill="var(--u-y, #499AC8)", fill_opacity=0.28, stroke="var(--u-y, #499AC8)", stroke_width=2
)  # next


def colour(role: str) -> str:
    """The CSS colour of a role, which a style sheet may change: `var(--u-h, #0072B2)`."""
    return f"var(--u-{role}, {ROLES[role]})"


def element(tag: str, inside: str = "", **attributes: object) -> str:
    """One SVG element: `stroke_width=2` becomes stroke-width="2", None is left out, `inside` is SVG."""
    pairs = {k.replace("_", "-"): v for k, v in attributes.items() if v is not None}
    listed = "".join(f' {k}="{escape(_short(v))}"' for k, v in pairs.items())
    return f"<{tag}{listed}>{inside}</{tag}>" if inside else f"<{tag}{listed}/>"


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, Real) else str(value)


def text(x: Real, y: Real, words: object, size: Real = 14, anchor: str = "middle", **more: object) -> str:
    """Words whose middle height is y; `anchor` says whether x is their start, middle or end."""
    place = dict(x=float(x), y=y + 0.35 * size, font_size=size, text_anchor=anchor)
    return element("text", escape(plain(words)), **place, **more)


def math(x: Real, y: Real, symbol: str, size: Real = 17, **more: object) -> str:
    """A symbol in italics; what follows "_" (one letter, or several in braces) is set lower: "h_t", "W_h"."""
    drop, parts = 0.22 * size, re.split(r"_(\{[^}]*\}|.)", plain(symbol))
    pieces = [
        element("tspan", escape(part.strip("{}")), dy=drop if k % 2 else -drop if k else None,
                font_size=0.7 * size if k % 2 else None)
        for k, part in enumerate(parts) if part
    ]  # fmt: skip
    place = dict(x=float(x), y=y + 0.32 * size, font_size=size, style=MATH)
    return element("text", "".join(pieces), **place, **({"text_anchor": "middle"} | more))


def square(x: Real, y: Real, side: Real, inside: str = "", **more: object) -> str:
    """An input: a filled square about (x, y), with a symbol inside."""
    place = dict(x=x - side / 2, y=y - side / 2, width=float(side), height=float(side), rx=side / 9)
    box = element("rect", **(place | {"fill": colour("x")} | more))
    return box + (math(x, y, inside, 0.52 * side, fill=UPON) if inside else "")


def circle(x: Real, y: Real, radius: Real, inside: str = "", **more: object) -> str:
    """A state: a filled circle about (x, y), with a symbol inside."""
    disc = element("circle", cx=float(x), cy=float(y), r=radius, **({"fill": colour("h")} | more))
    return disc + (math(x, y, inside, 0.95 * radius, fill=UPON) if inside else "")


def bars(x: Real, y: Real, heights: Sequence[Real], size: Point = (44, 30), true: int = -1) -> str:
    """A distribution: bars standing on a line whose middle is (x, y); the bar `true` has an outline."""
    step, left, most = size[0] / len(heights), x - size[0] / 2, max([*heights, 1e-9])
    drawn = [line([(left, y), (left + size[0], y)], stroke_opacity=0.5)]
    for k, p in enumerate(heights):
        tall = max(1.5, size[1] * p / most)
        place = dict(x=left + (k + 0.1) * step, y=y - tall, width=0.8 * step, height=tall)
        drawn.append(element("rect", **place, fill=colour("y"), stroke=INK if k == true else None))
    return "".join(drawn)


def line(points: Sequence[Point], **more: object) -> str:
    """A line through points."""
    way = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return element("path", d=way, **({"fill": "none", "stroke": INK, "stroke_width": 1.6} | more))


def arrow(start: Point, end: Point, bend: Real = 0.0, ink: str = INK, width: Real = 1.6) -> str:
    """An arrow; `bend` pushes its middle to the left of its way, in units of its length."""
    (x, y), (u, v) = start, end
    far = hypot(u - x, v - y)
    cx, cy = (x + u) / 2 + bend * (v - y), (y + v) / 2 - bend * (u - x)
    turn, head = atan2(v - cy, u - cx), min(4.5 + 1.6 * width, 0.6 * far)
    neck = u - 0.7 * head * cos(turn), v - 0.7 * head * sin(turn)
    tips = [(u - head * cos(turn + s), v - head * sin(turn + s)) for s in (0.42, -0.42)]
    way = f"M{x:.1f} {y:.1f}Q{cx:.1f} {cy:.1f} {neck[0]:.1f} {neck[1]:.1f}"
    shaft = element("path", d=way, fill="none", stroke=ink, stroke_width=width)
    return shaft + line([(u, v), *tips], fill=ink, stroke=None)


def brace(left: Real, right: Real, y: Real, words: str, over: bool = False) -> str:
    """A curly brace under (or over) what lies between left and right, with words at its point."""
    q, mid = -8 if over else 8, (left + right) / 2
    way = (
        f"M{left:.1f} {y:.1f}q0 {q} 8 {q}L{mid - 8:.1f} {y + q:.1f}q8 0 8 {q}"
        f"q0 {-q} 8 {-q}L{right - 8:.1f} {y + q:.1f}q8 0 8 {-q}"
    )
    return element("path", d=way, fill="none", stroke=INK, stroke_width=1.4) + text(mid, y + 3.3 * q, words)


def width(words: str, size: Real = 14) -> Real:
    """About how wide these words are in a common typeface: East Asian signs and emoji are wide."""
    return size * sum(1.05 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in plain(words))


def row(words: Sequence[str], start: Real = 2, size: Real = 16) -> tuple[list[Real], Real]:
    """Where tokens as wide as their words begin when they stand in a row, and where the row ends."""
    lefts = [start]
    for word in words:
        lefts.append(lefts[-1] + width(word, size) + 28)
    return lefts[:-1], lefts[-1] - 6


def token(left: Real, y: Real, word: str, size: Real = 16, wide: Real = 0, **look: object) -> str:
    """An input that shows its word: a grey box as wide as the word (or `wide`), or with another look."""
    wide = wide or width(word, size) + 20
    box = dict(x=float(left), y=y - size, width=float(wide), height=2.0 * size, rx=4, fill=colour("x")) | look
    return element("rect", **box) + text(left + wide / 2, y, word, size, fill=INK if look else UPON)
