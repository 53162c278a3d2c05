"""The house style: how each model looks on every plot, and how a matplotlib figure becomes a `Picture`.

Each model has one colour, one dash and one marker, which say the same thing three times. The colours are
Okabe and Ito's hues, moved as little as possible until all have 3:1 contrast on a white page and on a dark
one, and any two differ for every kind of colour vision (tests/test_plot.py measures both).
"""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from .picture import INK, Picture, plain, ten
from .strokes import ROLES, colour

STYLE = Path(__file__).with_name("unrolled.mplstyle")
GREY = "#777777"  # the ink of the style file; `picture` turns it into the page's own colour
DOTS, DASHES, MIXED = (0, (1, 1.6)), (0, (5, 2)), (0, (6, 2, 1.5, 2))


class Look(NamedTuple):
    """How a model is drawn: its colour, and a dash and a marker that say the same again."""

    colour: str
    dash: Any
    marker: str


LOOKS = {
    "unigram": Look("#808080", DOTS, "x"),
    "ngram": Look("#C38600", "-", "s"),
    "bag": Look("#786A00", DASHES, "D"),
    "rnn": Look("#0173B3", "-", "o"),
    "lstm": Look("#D56735", MIXED, "^"),
    "gru": Look("#00A476", DASHES, "v"),
    "pixelrnn": Look("#C81F5B", "-", "P"),
    "seq2seq": Look("#4B8F2F", MIXED, "p"),
    "wavenet": Look("#CB78A6", DASHES, "X"),
    "transformer": Look("#8A3EF2", "-", "*"),
    "ssm": Look("#5C97C5", MIXED, "h"),
    "floor": Look(GREY, DOTS, ""),
}
COLOURS = {name: look.colour for name, look in LOOKS.items()}


def look(name: str, taken: Sequence[Look] = ()) -> Look:
    """The look of the model that `name` speaks of ("RNN, 64 units", "5-gram"), or one that is not `taken`.

    A second series of the same model keeps the colour and gets a free dash and marker.
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"\b(\w+-grams?|bigrams?|trigrams?)\b", "ngram", name.lower()))
    known = next((LOOKS[k] for k in LOOKS if k in words), None)
    if known and known not in taken:
        return known
    used = {t.marker for t in taken}
    others = [v for k, v in LOOKS.items() if k not in ("unigram", "floor")]
    free = next((v for v in others if v.marker not in used), others[len(taken) % len(others)])
    return free._replace(colour=known.colour) if known else free


def use() -> None:
    """Put the house style on matplotlib, for plots that a reader makes without the book's functions."""
    matplotlib.style.use(STYLE)


@contextmanager
def house() -> Iterator[None]:
    """The house style for a while; labels are plain text, and a sign without a glyph is no reason to warn."""
    with matplotlib.style.context(STYLE), matplotlib.rc_context({"text.parse_math": False}):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing|.*tight.layout|.*constrained_layout")
            yield


def label(axes: Any, xlabel: str = "", ylabel: str = "", title: str = "") -> None:
    """Name the axes; nothing stays nothing."""
    shown = {k: plain(v) for k, v in dict(xlabel=xlabel, ylabel=ylabel).items() if v}
    axes.set(**shown)
    axes.set_title(plain(title) if title else "", loc="left")


def picture(figure: Figure, alt: str, desc: str = "") -> Picture:
    """The figure as an inline SVG: its ink and its typeface are the page's, its numbers short."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _lean(tag[0]), body)
    body = re.sub(r">\s*\n\s*<", "><", body)
    wide, high = figure.get_size_inches() * 96  # matplotlib draws 72 points an inch, a page has 96 pixels
    return Picture(f'<g transform="scale(1.3333)">{body}</g>', (round(wide), round(high)), alt, desc)


def _lean(tag: str) -> str:
    """One tag of matplotlib's SVG without what a page has already: typefaces, long numbers, line breaks."""
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag).replace("xlink:href", "href").replace(GREY, INK)
    for role in "xy":  # bars follow the style sheet of the page, as drawings do
        tag = tag.replace(ROLES[role].lower(), colour(role))
    tag = re.sub(r"-?\d+\.\d{2,}", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), tag)
    return tag if "base64" in tag else re.sub(r"\s*\n\s*", " ", tag)


def power(value: Real) -> str:
    """A number for a logarithmic axis: 0.01 to 10,000 as they are, others as powers of ten."""
    if 0.009 < value < 20_000:
        return f"{value:,.10g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    lead = f"{value / 10.0**exponent:.3g}"
    return ten(exponent) if lead == "1" else f"{lead}×{ten(exponent)}"
