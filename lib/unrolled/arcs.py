"""Drawings of who looks where: an arc for each weight, and the wider it is, the larger the weight (T1)."""

from collections.abc import Mapping, Sequence
from numbers import Real

from .picture import Picture, plain
from .strips import Numbers, array
from .strokes import NEXT, colour, element, row, text, token, width

TALL = 126  # pixels of one row
LEAST = 0.02  # a smaller weight is no more than a hair


def looks(words: Sequence[str], rows: Mapping[str, tuple[int, Numbers]], alt: str) -> Picture:
    """Words in a row, again and again, and at each row one of them that looks at the others.

    rows: title -> (place of the one who looks, weights (T,) with which it looks at each word).
    """
    drawn = [
        text(2, TALL * k + 12, plain(title), 14, "start")
        + _look(words, place, array(weights).tolist(), TALL * k + 100)
        for k, (title, (place, weights)) in enumerate(rows.items())
    ]
    return Picture("".join(drawn), (row(words)[1], TALL * len(rows)), alt)


def _look(words: Sequence[str], place: int, weights: Sequence[Real], y: Real) -> str:
    """The words, and an arc from the one who looks to each of the others."""
    lefts, _ = row(words)
    middles = [left + width(word, 16) / 2 + 10 for left, word in zip(lefts, words)]
    seen = [(s, w) for s, w in enumerate(weights) if s != place and w > LEAST]
    arcs = [_arc(middles[place], middles[s], y - 17, w) for s, w in seen]
    boxes = [token(lefts[s], y, word, **(NEXT if s == place else {})) for s, word in enumerate(words)]
    return "".join(arcs + boxes)


def _arc(start: Real, end: Real, y: Real, weight: Real) -> str:
    """A line over the words in between."""
    high = min(60, 14 + 0.2 * abs(end - start))
    way = f"M{start:.1f} {y:.1f}Q{(start + end) / 2:.1f} {y - 2 * high:.1f} {end:.1f} {y:.1f}"
    ink = dict(stroke=colour("accent"), stroke_width=0.6 + 7 * weight, stroke_linecap="round")
    return element("path", d=way, fill="none", **ink)
