"""Drawings of gated cells: c is an orange bar through time, f vermilion, i green, o purple (M1 to M4)."""

from numbers import Real

from .picture import Picture
from .strokes import arrow, circle, colour, element, math, square, text


def lstm_cell(alt: str = "") -> Picture:
    """One step of an LSTM: the cell runs straight through, and three gates decide about it (M1 to M4)."""
    bar = element("rect", x=24.0, y=44.0, width=532.0, height=26.0, rx=13.0, fill=colour("c"))
    names = math(4, 57, "c_{t−1}", 17, text_anchor="end") + math(566, 57, "c_t", 17, text_anchor="start")
    line = arrow((24, 210), (96, 210), ink=colour("h"), width=3)
    line += math(4, 210, "h_{t−1}", 17, text_anchor="end")
    asked = element("rect", x=98.0, y=186.0, width=300.0, height=48.0, rx=8.0, fill="none",
                    stroke="currentColor", stroke_opacity=0.5)  # fmt: skip
    inputs = arrow((150, 278), (150, 238)) + square(150, 296, 34, "x_t")
    inputs += text(248, 210, "from x and h, four sums", 15)
    gates = _gate(150, "f", "forget") + _gate(236, "i", "write") + _gate(372, "o", "show")
    new = circle(304, 132, 19, "g", fill=colour("h")) + arrow((304, 186), (304, 154))
    new += text(304, 106, "new", 13) + arrow((286, 126), (260, 112))
    up = arrow((150, 112), (150, 74), ink=colour("f"), width=2.4)
    up += arrow((236, 112), (236, 74), ink=colour("i"), width=2.4)
    signs = text(150, 30, "× f", 16) + text(236, 30, "+ i g", 16)
    out = arrow((470, 72), (470, 188), ink=colour("c"), width=2.4) + text(506, 120, "tanh", 14)
    out += arrow((394, 132), (450, 196), ink=colour("o"), width=2.4)
    out += circle(470, 210, 23, "h_t") + arrow((494, 210), (556, 210), ink=colour("h"), width=3)
    alt = alt or (
        "One step of an LSTM: the cell c is a bar that runs straight from left to right; it is multiplied by "
        "the forget gate, something new is added through the input gate, and the output gate shows it as h."
    )
    drawn = bar + names + line + asked + inputs + gates + new + up + signs + out
    return Picture(element("g", drawn, transform="translate(46 0)"), (640, 320), alt)


def _gate(x: Real, role: str, word: str) -> str:
    """A gate with its letter, fed from the sums below; its word stands beside it."""
    up = arrow((x, 186), (x, 154))
    return up + circle(x, 132, 19, role, fill=colour(role)) + text(x + 24, 150, word, 13, "start")
