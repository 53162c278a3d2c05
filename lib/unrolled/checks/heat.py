"""Three tiny heat maps, drawn as inline SVG: what was expected, what came, and where they differ."""

import html
from collections.abc import Callable
from typing import Any, NamedTuple

from ..shapes import Float, Tensor
from .compare import numeric
from .guards import difference

_CELL, _GAP, _TOP, _MOST = 14, 34, 20, 12


class Picture(NamedTuple):
    """What to draw of an answer: `select(answer)` gives a matrix; rows and columns say what its axes are."""

    select: Callable[[Any], Any]
    rows: str
    columns: str


def heat(picture: Picture, expected: Any, yours: Any) -> tuple[str, str] | None:
    """(a sentence that describes the picture, the SVG); None where the answers are not two equal matrices."""
    try:
        want, have = (numeric(picture.select(v)) for v in (expected, yours))
        if want is None or have is None or want.ndim != 2 or want.shape != have.shape:
            return None
        if want.is_complex() or have.is_complex():
            return None
    except Exception:  # the answer may be anything: then there is no picture of it
        return None
    want, have = (m[:_MOST, :_MOST].nan_to_num(0.0) for m in (want, have))
    axes = f"{picture.rows} downwards, {picture.columns} to the right"
    return f"Picture ({axes}): {difference(want, have)}.", draw(want, have, axes)


def draw(want: Float[Tensor, "R C"], have: Float[Tensor, "R C"], axes: str) -> str:
    """The three maps side by side. A minus marks negative cells, a cross those that differ."""
    rows, columns = want.shape
    step = max(columns * _CELL, 58) + _GAP
    off = have - want
    wrong = off.abs() > 1e-8 + 1e-6 * want.abs()
    scale = max(want.abs().max().item(), have.abs().max().item(), 1e-300)
    minus = [["−" if v < 0 else "" for v in m.flatten()] for m in (want, have)]
    cross = ["×" if v else "" for v in wrong.flatten()]
    panels = (
        _panel(want / scale, "expected", 0, minus[0])
        + _panel(have / scale, "yours", step, minus[1])
        + _panel(off / max(off.abs().max().item(), 1e-300), "difference", 2 * step, cross)
    )
    wide, high = 3 * step - _GAP + 16, rows * _CELL + _TOP + 2
    label = html.escape(f"Heat maps of expected, yours and the difference; {axes}")
    return (
        f'<svg role="img" aria-label="{label}" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        'style="max-width:100%;height:auto;color:inherit" font-family="inherit" fill="currentColor">'
        f"{panels}</svg>"
    )


def _panel(cells: Float[Tensor, "R C"], title: str, left: int, marks: list[str]) -> str:
    """One map: blue above zero, orange below, as strong as the number is large."""
    head = f'<text x="{left + 1}" y="12" font-size="12">{title}</text>'
    places = [divmod(i, cells.shape[1]) for i in range(cells.numel())]
    values = zip(places, cells.flatten().tolist(), marks)
    return head + "".join(_cell(left + c * _CELL, _TOP + r * _CELL, v, mark) for (r, c), v, mark in values)


def _cell(x: int, y: int, value: float, mark: str) -> str:
    colour = "#0072B2" if value >= 0 else "#E69F00"
    box = (
        f'<rect x="{x + 1}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{colour}" '
        f'fill-opacity="{abs(value):.2f}" stroke="currentColor" stroke-opacity=".35"/>'
    )
    return box + (f'<text x="{x + 4}" y="{y + 11}" font-size="11">{mark}</text>' if mark else "")
