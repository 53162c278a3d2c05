"""The figure of the fading message: one number, a hundred steps, its state and its gradient."""

import math

from .page import Figure, element

STEPS = 100
HEIGHT = "clamp(600px, 880px - 30vw, 760px)"  # kept free until the script has run


def vanishing(w: float = 0.8, h0: float = 0.5, squash: bool = True) -> Figure:
    """h_t = tanh(w h_{t-1}), or without the tanh, over 100 steps: h_t, and dh_t/dh_0 on a logarithmic axis.

    The lecture's own example (V1, V2), with sliders for w and h_0. Exact mathematics: the page computes what
    `run` computes.
    """
    h, gradient = run(w, h0, squash)
    words = (
        f"A live figure: {'tanh of ' if squash else ''}w times h over {STEPS} steps with w = {w:g}, from "
        f"{h0:g}. At the end the state is {h[-1]:.2g}, and the gradient for the first one {gradient[-1]:.1e}."
    )
    value = {"w": w, "h0": h0, "squash": squash, "steps": STEPS}
    return Figure(element("u-vanishing", value, f"<p>{words}</p>", ("ui", "vanishing"), HEIGHT), words)


def run(w: float, h0: float, squash: bool = True, steps: int = STEPS) -> tuple[list[float], list[float]]:
    """The states h_0 ... h_T and the gradients dh_t/dh_0, t = 0 ... T: a product of w (1 - h_t^2)."""
    h, gradient = [h0], [1.0]
    for _ in range(steps):
        h.append(math.tanh(w * h[-1]) if squash else w * h[-1])
        gradient.append(gradient[-1] * w * (1 - h[-1] ** 2 if squash else 1))
    return h, gradient
