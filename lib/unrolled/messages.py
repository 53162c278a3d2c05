"""Drawings of what travels back: gradients are dashed and flow from right to left (lecture B2, B3, V1)."""

from collections.abc import Sequence
from math import hypot
from numbers import Real

from .picture import Picture
from .strokes import arrow, circle, colour, element, line, math, square, text, width

TIP = 15  # pixels at the end of a dashed arrow that are not dashed


def message_back(words: Sequence[str] = ("France", "by", "train", "to"), alt: str = "") -> Picture:
    """An unrolled network whose last guess was wrong, and the message of the mistake going back (B2)."""
    gap = max(96, *(width(w, 16) + 16 for w in words))
    xs = [40 + gap * t for t in range(len(words))]
    drawn = [_step(x, word, t + 1) for t, (x, word) in enumerate(zip(xs, words))]
    for left, right in zip(xs, xs[1:]):
        drawn.append(arrow((left + 24, 128), (right - 25, 128), ink=colour("h"), width=3))
        drawn.append(dashed((right - 18, 146), (left + 18, 146)))
    end = xs[-1]
    drawn += [arrow((end, 103), (end, 70)), circle(end, 44, 22, "L", fill=colour("accent"))]
    drawn += [dashed((end + 12, 66), (end + 12, 104)), math(end + 28, 86, "g_T", 15, text_anchor="start")]
    for x, next_x in zip(xs, xs[1:]):
        drawn.append(math((x + next_x) / 2, 166, "J", 15))
    drawn.append(text(xs[0] + 30, 44, "time", 14, "start") + arrow((xs[0] + 66, 44), (xs[0] + 116, 44)))
    alt = alt or (
        f"A recurrent network unrolled over {len(words)} words with a loss at its last step; a dashed "
        "message goes from the loss back through every state."
    )
    desc = "Solid arrows run to the right, dashed ones from the loss to the last state and on to the left."
    return Picture("".join(drawn), (xs[-1] + 74, 262), alt, desc)


def _step(x: Real, word: str, t: int) -> str:
    """A state with its input and its word."""
    up = arrow((x, 190), (x, 153))
    return up + square(x, 208, 34, f"x_{t}") + circle(x, 128, 23, f"h_{t}") + text(x, 244, word, 16)


def fading(weights: Sequence[Real] = (0.7, 1.3), steps: int = 6, alt: str = "") -> Picture:
    """A message that is multiplied by the same weight at each step back: it fades or it grows (V1)."""
    xs = [104 + 100 * t for t in range(steps)]
    drawn = [_times(w, xs, 40 + 110 * k) for k, w in enumerate(weights)]
    listed = " and ".join(f"{w:g}" for w in weights)
    alt = alt or (
        f"Rows of {steps} states for the weights {listed}; a dashed message runs back through each row, "
        "thinner and thinner below 1, thicker and thicker above."
    )
    desc = "Under each state stands the size with which the message arrives there; at the last state it is 1."
    return Picture("".join(drawn), (xs[-1] + 40, 110 * len(weights)), alt, desc)


def _times(w: Real, xs: Sequence[Real], y: Real) -> str:
    """One row: the message has the size 1 at the last state, and w times as much at each state before."""
    sizes = [abs(w) ** k for k in range(len(xs))][::-1]
    drawn = [text(10, y, f"w = {w:g}", 15, "start")]
    for t, (x, size) in enumerate(zip(xs, sizes)):
        drawn += [circle(x, y, 21, f"h_{t + 1}"), text(x, y + 40, f"{size:.2f}", 14)]
    for left, right, size in zip(xs, xs[1:], sizes):
        drawn.append(dashed((right - 24, y), (left + 25, y), width=min(6.0, max(0.9, 2 * size))))
    return "".join(drawn)


def dashed(start: tuple[Real, Real], end: tuple[Real, Real], ink: str = "", width: Real = 2.2) -> str:
    """A gradient on its way: a dashed arrow."""
    (x, y), (u, v) = start, end
    ink = ink or colour("accent")
    far = hypot(u - x, v - y)
    neck = u - (u - x) * TIP / far, v - (v - y) * TIP / far  # room for a head that can be seen
    shaft = line([start, neck], stroke=ink, stroke_width=width, stroke_dasharray="6 4")
    return element("g", shaft + arrow(neck, end, ink=ink, width=width))
