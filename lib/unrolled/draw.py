"""Drawings of the book's ideas, made by code: no pasted pictures, the same roles everywhere.

Inputs are grey squares, states blue circles, distributions bars in sky blue; time runs to the right and
depth upwards. Every drawing has words for those who cannot see it (`alt` replaces them), takes the colour
of the page, and scales down to a phone. R3, P5 and so on are rows of the list of the lecture's claims.
"""

from collections.abc import Sequence
from math import cos, pi, sin
from numbers import Real

from .answers import encoder_decoder, four_shapes
from .arcs import looks
from .cells import lstm_cell
from .deeds import acting
from .dilations import dilated_stack
from .messages import fading, message_back
from .picture import Picture
from .strips import sequence_kinds, table
from .strokes import (
    NEXT,
    UNSEEN,
    arrow,
    bars,
    brace,
    circle,
    colour,
    element,
    line,
    math,
    row,
    square,
    text,
    token,
    width,
)

__all__ = ["chain_rule", "f_and_g", "fading", "folded_unrolled", "lstm_cell", "message_back", "ngram_window"]
__all__ += ["acting", "dilated_stack", "encoder_decoder", "four_shapes", "looks", "sequence_kinds", "table"]
__all__ += ["writing"]

WORDS = ("modeling", "word", "probabilities", "is", "really", "difficult")
SHAPES = (
    (2, 4, 7, 3, 1),
    (3, 8, 2, 2, 1),
    (1, 2, 3, 7, 2),
    (6, 2, 1, 2, 4),
    (1, 3, 2, 2, 8),
    (4, 2, 6, 1, 1),
)
BLUE = dict(fill="none", stroke=colour("h"), stroke_width=3.0)


def folded_unrolled(words: Sequence[str] = ("train", "to", "Paris"), alt: str = "") -> Picture:
    """The recurrent net as a loop, and the loop unrolled over the words: the mark of the book (R3)."""
    gap = max(80, *(width(w, 16) + 12 for w in words))
    xs = [270 + gap * t for t in range(len(words))]
    drawn = [_unrolling(46, xs[0]), _cell(46, "x_t", "h_t", 0)]
    for t, (x, word) in enumerate(zip(xs, words)):
        drawn += [_cell(x, f"x_{t + 1}", f"h_{t + 1}", t + 1), text(x, 234, word, 16)]
        drawn += [_state(x + 26, x + gap - 25), math(x + gap / 2, 103, "W_h", 15)]
    drawn.append(text(xs[-1] + gap - 10, 122, "⋯", 20))
    alt = alt or (
        f"A recurrent net as one cell with a loop; beside it the loop unrolled over {len(words)} words, "
        "a copy of the cell for each."
    )
    desc = (
        "In each copy an input square x feeds a state circle h through W_x, and h gives a distribution y "
        "through W_y. Each state feeds the next one through W_h. All copies share their weights."
    )
    return Picture("".join(drawn), (xs[-1] + gap, 248), alt, desc)


def _cell(x: Real, below: str, inside: str, shape: int) -> str:
    """One step: the input, the state above it, and the distribution above that."""
    up = arrow((x, 182), (x, 147)) + arrow((x, 98), (x, 62))
    names = math(x + 7, 166, "W_x", 15, text_anchor="start") + math(x + 7, 82, "W_y", 15, text_anchor="start")
    heights = SHAPES[shape % len(SHAPES)]
    top = bars(x, 56, heights, (46, 38), true=heights.index(max(heights)) if shape else -1)
    return up + names + square(x, 200, 34, below) + circle(x, 122, 23, inside) + top


def _state(start: Real, end: Real, y: Real = 122) -> str:
    """The state on its way from one step to the next."""
    return arrow((start, y), (end, y), ink=colour("h"), width=3)


def _unrolling(start: Real, end: Real) -> str:
    """The loop of the folded cell, and the same line pulled straight: a trochoid whose coils shrink."""
    loop = f"M{start + 20} 110C{start + 56} 64 {start + 92} 166 {start + 33} 137"
    back = arrow((start + 35, 138), (start + 20, 133), ink=colour("h"), width=3)
    coils = []
    for k in range(161):
        left = 1 - k / 160
        r, turn = 28 * left**1.5, 6 * pi * (1 - left)
        coils.append((end - 44 - (end - start - 132) * left + r * sin(turn), 122 + r * cos(turn) - r))
    pulled = line(coils, **BLUE, stroke_opacity=0.65, stroke_linecap="round") + _state(end - 46, end - 25)
    return element("path", d=loop, **BLUE) + back + math(start + 56, 82, "W_h", 15) + pulled


def writing(given: str = "modeling", written: Sequence[str] = WORDS[1:4], alt: str = "") -> Picture:
    """A network that writes: what it chooses at each step is what it reads at the next (G2)."""
    words = [given, *written]
    gap = max(124, *(width(w, 16) + 30 for w in words))
    xs = [44 + gap * t for t in range(len(words))]
    drawn = [_cell(x, f"x_{t + 1}", f"h_{t + 1}", t + 1) for t, x in enumerate(xs)]
    drawn += [text(x, 234, word, 16) for x, word in zip(xs, words)]
    for left, right in zip(xs, xs[1:]):
        drawn.append(_state(left + 26, right - 25))
        drawn.append(_fed_back(left + 28, right - 19))
    drawn.append(text(xs[-1] + 62, 122, "⋯", 20))
    drawn += [text(x, 254, what, 13) for x, what in zip(xs, ("given", "written"))]
    alt = alt or (
        f"A recurrent network that was given the word {given} and writes {len(written)} more: from each "
        "distribution an arrow leads to the next input."
    )
    return Picture("".join(drawn), (xs[-1] + 84, 266), alt)


def _fed_back(start: Real, end: Real) -> str:
    """From a distribution down to the next input."""
    far = end - start
    way = f"M{start} 36C{start + 0.75 * far} 36 {start + 0.3 * far} 200 {end - 8} 200"
    down = element("path", d=way, fill="none", stroke=colour("accent"), stroke_width=2.2)
    return down + arrow((end - 9, 200), (end, 200), ink=colour("accent"), width=2.2)


def ngram_window(words: Sequence[str] = WORDS, n: int = 3, alt: str = "") -> Picture:
    """What an n-gram sees: n - 1 words, then the next one; everything before is lost (P5, P6)."""
    if not 1 <= n <= len(words):
        raise ValueError(f"n is {n}, with {len(words)} words: it must lie from 1 to the number of words")
    lefts, right = row(words)
    seen, drawn = len(words) - n, []
    for t, (left, word) in enumerate(zip(lefts, words)):
        last = t == len(words) - 1
        drawn.append(token(left, 56, word, **(NEXT if last else UNSEEN if t < seen else {})))
    target = lefts[-1] + width(words[-1], 16) / 2 + 10
    if n > 1:
        middle = (lefts[seen] + lefts[-1] - 8) / 2
        drawn.append(brace(lefts[seen], lefts[-1] - 8, 80, "the window"))
        drawn.append(arrow((middle, 36), (target, 36), bend=0.2, width=2))
    if seen:
        drawn.append(brace(lefts[0], lefts[seen] - 8, 80, "not seen"))
    drawn.append(text(target, 106, "predicted"))
    alt = alt or (
        f"A sentence of {len(words)} words: an n-gram with n = {n} predicts the last one "
        f"from the {n - 1} before it and sees none of the others."
    )
    return Picture("".join(drawn), (right, 120), alt)


def f_and_g(words: Sequence[str] = WORDS[:5], alt: str = "") -> Picture:
    """The job split in two: f turns the context into a vector h, g turns h into a distribution (D1)."""
    high = 38 * len(words) + 4
    y, drawn = high / 2, []
    wide = max(width(w, 16) for w in words) + 20
    for t, word in enumerate(words):
        drawn.append(token(wide - width(word, 16) - 18, 21 + 38 * t, word))
    f, g = wide + 24, wide + 194
    drawn += [_funnel(f, y, high / 2 - 2, 26, "f"), _funnel(g, y, 26, high / 2 - 2, "g")]
    drawn += [arrow((f + 74, y), (f + 96, y)), circle(f + 122, y, 24, "h"), arrow((f + 148, y), (g - 1, y))]
    for k, p in enumerate(SHAPES[4]):
        row = y + 26 * (k - 2)
        drawn.append(element("rect", x=g + 86.0, y=row - 9, width=9.0 * p, height=18.0, fill=colour("y")))
    drawn += [
        line([(g + 86, y - 66), (g + 86, y + 66)], stroke_opacity=0.5),
        math(g + 118, y - 84, "p(x_{t+1})", 16),
    ]
    for x, words_ in ((wide / 2, "context"), (f + 122, "a vector"), (g + 118, "what comes next")):
        drawn.append(text(x, high + 16, words_))
    alt = alt or (
        f"{len(words)} words of context pass through a box f into one vector h, "
        "and through a box g into a distribution over the next word."
    )
    return Picture("".join(drawn), (g + 176, high + 30), alt)


def _funnel(x: Real, y: Real, before: Real, after: Real, name: str) -> str:
    """A function, drawn as a funnel from one height to another."""
    corners = [(x, y - before), (x + 72, y - after), (x + 72, y + after), (x, y + before), (x, y - before)]
    return line(corners, fill=colour("x"), fill_opacity=0.18) + math(x + 36, y, name, 30)


def chain_rule(words: Sequence[str] = WORDS[:4], alt: str = "") -> Picture:
    """The chain rule as a staircase: each word given all before it; the product is the joint (P3)."""
    lefts, right = row(words)
    drawn, steps = [], len(words)
    for t in range(steps):
        y, given = 22 + 44 * t, ("", "x_1", "x_1, x_2")[t] if t < 3 else f"x_1, …, x_{t}"
        drawn += [token(lefts[k], y, words[k], **(NEXT if k == t else {})) for k in range(t + 1)]
        drawn.append(
            math(right + 34, y, f"p(x_{t + 1} | {given})" if t else "p(x_1)", 18, text_anchor="start")
        )
        drawn += [text(right + 14, y, "×", 18)] if t else []
    floor = 44 * steps + 4
    drawn += [
        line([(2, floor), (right + 172, floor)], stroke_opacity=0.6),
        text(right + 14, floor + 22, "=", 18),
    ]
    drawn.append(math(right + 34, floor + 22, f"p(x_1, …, x_{steps})", 18, text_anchor="start"))
    alt = alt or (
        f"A staircase of {steps} rows, each one word longer than the row above; "
        "the probabilities of the new words multiply to that of the sentence."
    )
    return Picture("".join(drawn), (right + 178, floor + 42), alt)
