"""The figure of back-propagation through time: one weight, ten steps, and who hears of the mistake."""

import math
from collections.abc import Sequence

from .page import Figure, element

STEPS = 10
ROW = (1.0, 0.5, -0.5, 0.2, 0.0, 0.3, -0.2, 0.1, 0.0, 0.2)
HEIGHT = "clamp(560px, 900px - 40vw, 760px)"  # kept free until the script has run


def bptt(w: float = 0.9, k: int = STEPS, row: Sequence[float] = ROW) -> Figure:
    """How dh_T/dw of h_t = tanh(w h_{t-1} + x_t) is made up of its steps (lecture B2, B3); w has a slider.

    `row` holds the inputs x_1 ... x_T, `k` through how many steps the message goes back. Exact mathematics:
    the page computes what `shares` computes.
    """
    if not 1 <= k <= len(row):
        raise ValueError(f"k is {k}, with {len(row)} steps: expected 1 to {len(row)}")
    h, parts = shares(w, row)
    words = (
        f"A live figure: h = tanh(w h + x) over {len(row)} steps with w = {w:g}. The slope of the last state "
        f"for w is {sum(parts):.4f}; of this {_percent(parts[-1], sum(parts))} comes from the last step and "
        f"{_percent(parts[0] + parts[1], sum(parts))} from the first two."
    )
    value = {"w": w, "k": k, "row": list(row)}
    return Figure(element("u-bptt", value, f"<p>{words}</p>", ("ui", "bptt"), HEIGHT), words)


def shares(w: float, row: Sequence[float]) -> tuple[list[float], list[float]]:
    """The states h_0 ... h_T, and how much of dh_T/dw each step contributes, from step 1 to T.

    Step k contributes (prod over k < j <= T of (1 - h_j^2) w) (1 - h_k^2) h_{k-1}: Eq. B3 with one number.
    """
    h = [0.0]
    for x in row:
        h.append(math.tanh(w * h[-1] + x))
    message, parts = 1.0, []
    for t in range(len(row), 0, -1):
        slope = message * (1 - h[t] ** 2)
        parts.append(slope * h[t - 1])
        message = slope * w
    return h, parts[::-1]


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "nothing"
