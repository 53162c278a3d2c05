"""A drawing of acting: what is seen, what is kept, what is done, and the world in between (lecture A1)."""

from collections.abc import Sequence
from numbers import Real

from .picture import Picture
from .strokes import arrow, circle, colour, element, math, square, text, width

STEPS = (("sign: left", "forward"), ("corridor", "forward"), ("corridor", "forward"), ("fork", "left"))


def acting(steps: Sequence[tuple[str, str]] = STEPS, alt: str = "") -> Picture:
    """A policy unrolled over (what is seen, what is done): each action changes what is seen next (A1)."""
    gap = max(128, *(width(w, 15) + 34 for step in steps for w in step))
    xs = [64 + gap * t for t in range(len(steps))]
    drawn = [_step(x, t + 1, *step) for t, (x, step) in enumerate(zip(xs, steps))]
    for left, right in zip(xs, xs[1:]):
        drawn.append(arrow((left + 24, 132), (right - 25, 132), ink=colour("h"), width=3))
        drawn.append(_through_the_world(left, right))
    alt = alt or (
        f"A policy unrolled over {len(steps)} steps: a state from each observation, an action from each. "
        "A dashed arrow leads from each action to what is seen next."
    )
    desc = "; then ".join(f"it sees {seen} and does {done}" for seen, done in steps) + "."
    return Picture("".join(drawn), (xs[-1] + 66, 286), alt, desc[0].upper() + desc[1:])


def _step(x: Real, t: int, seen: str, done: str) -> str:
    """An observation, the state after it, and the action that it leads to."""
    ways = arrow((x, 206), (x, 157)) + arrow((x, 108), (x, 76))
    box = element("rect", x=x - 21, y=40.0, width=42.0, height=34.0, rx=8, fill=colour("y"))
    return (
        ways + square(x, 224, 34, f"x_{t}") + circle(x, 132, 23, f"h_{t}") + box
        + math(x, 57, f"a_{t}", 18, fill="var(--u-on, var(--pst-color-background, #FFFFFF))")
        + text(x, 262, seen, 15) + text(x, 22, done, 15)
    )  # fmt: skip


def _through_the_world(left: Real, right: Real) -> str:
    """From an action down to the next observation: this way leads through the world, not the network."""
    mid, tip = (left + right) / 2, right - 19
    way = f"M{left + 22:.1f} 57C{mid + 6:.1f} 57 {mid - 6:.1f} 224 {tip - 12:.1f} 224"
    bow = element("path", d=way, fill="none", stroke=colour("accent"), stroke_width=2, stroke_dasharray="6 5")
    return bow + arrow((tip - 13, 224), (tip, 224), ink=colour("accent"), width=2)
