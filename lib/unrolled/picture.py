"""What every figure of the book is when it is shown: one inline SVG that says in words what it shows.

An `<img>` cannot follow the page from light to dark, and notebooks give it a file name as its words. So a
`Picture` puts its SVG into the page: text and axes take the page's own colour, role colours are CSS
variables (with a fallback, so that Colab and JupyterLab need no style sheet), and `alt` is compulsory.
"""

import math
import re
import unicodedata
from decimal import Decimal
from hashlib import sha256
from html import escape
from numbers import Integral, Real
from pathlib import Path

INK = "currentColor"  # what the page writes with: black by day, white by night
PAGE = "display:block;max-width:100%;height:auto;margin:auto;font-family:inherit;overflow:visible"


class Picture:
    """An SVG of a given size; shown inline wherever HTML is shown, elsewhere as its words.

    - body: what stands between `<svg>` and `</svg>`; size: its width and height in CSS pixels;
    - alt: what is to be seen, in 5 to 30 words; sentences beyond move to desc, and where fewer
      than 5 words stay, ValueError; desc: a longer account, if there is one.

    The same picture has the same bytes, and no two pictures share an id.
    """

    def __init__(self, body: str, size: tuple[Real, Real], alt: str, desc: str = ""):
        short, more = _first_sentences(alt, 30)
        if len(short.split()) < 5:
            raise ValueError(
                f"alt is {alt!r}: say what is to be seen in 5 to 30 words, or in several sentences"
            )
        desc = f"{more} {desc}".strip(" ")
        self.alt, self.desc, self.size = plain(short), plain(desc) if desc else "", size
        self._body = _own_ids(body)

    @property
    def html(self) -> str:
        """The picture as it stands in a page: never wider than its column."""
        return f'<figure class="u-figure" style="margin:1rem 0">{self.svg(PAGE)}</figure>'

    def svg(self, style: str = "font-family:sans-serif") -> str:
        """The picture alone; `style` is the CSS of its outermost element."""
        wide, high = self.size
        told = f"<desc>{escape(self.desc)}</desc>" if self.desc else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" '
            f'height="{high:g}" role="img" aria-label="{escape(self.alt)}" fill="{INK}" '
            f'stroke-linejoin="round" style="{style}">{told}{self._body}</svg>'
        )

    def save(self, path: str | Path, ink: str = "#222222") -> None:
        """Write a file of its own, for slides: its colours are fixed, `ink` is that of text and axes."""
        fixed = self.svg().replace(INK, ink)
        while (plainer := re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", fixed)) != fixed:
            fixed = plainer
        Path(path).write_text(fixed, encoding="utf-8", newline="\n")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"{self.alt} {self.desc}".strip(" ")


def _first_sentences(words: str, most: int) -> tuple[str, str]:
    """As many whole sentences as `most` words allow, and the others."""
    sentences, kept = re.split(r"(?<=[.:;!?]) +", words.strip(" ")), ""
    while sentences and len(f"{kept} {sentences[0]}".split()) <= most:
        kept = f"{kept} {sentences.pop(0)}".strip(" ")
    return kept, " ".join(sentences)


def _own_ids(body: str) -> str:
    """Drop the ids that nothing refers to; begin the others with a hash of the picture."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    mark = "u" + sha256(body.encode()).hexdigest()[:8]
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{mark}{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{mark}", body)


def plain(words: object) -> str:
    """Text that any label can carry: control characters become pictures (␀, ⏎), lone surrogates become �.

    Spaces at either end are shown as ␣, because a label would lose them; nothing at all is shown as ∅.
    """
    shown = "".join(_visible(c) for c in str(words))
    inner = shown.strip(" ")
    if not inner:
        return "␣" * len(shown) or "∅"
    before = len(shown) - len(shown.lstrip(" "))
    return "␣" * before + inner + "␣" * (len(shown) - before - len(inner))


def _visible(c: str) -> str:
    if c == "\n":
        return "⏎"
    if ord(c) < 32:
        return chr(0x2400 + ord(c))  # Unicode has a picture for each control character
    broken = unicodedata.category(c) in ("Cc", "Cs") or ord(c) & 0xFFFE == 0xFFFE
    return "�" if broken else c


def number(value: object) -> str:
    """A number for people: whole ones exactly, others with 3 significant digits; text as it is."""
    if isinstance(value, str | bool) or not hasattr(value, "__float__"):
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else plain(value)
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, Integral) and abs(value) < 10**12:
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, Integral) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return _rounded(value).replace("-", "−")


def _rounded(value: Real) -> str:
    if value == 0:
        return "0"
    lead, exponent = f"{Decimal(value) if isinstance(value, Integral) else value:.2e}".split("e")
    if -4 < int(exponent) < 6:
        shown = f"{float(f'{lead}e{exponent}'):,.{max(0, 2 - int(exponent))}f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return f"{lead.rstrip('0').rstrip('.')} × {ten(int(exponent))}"


def ten(exponent: int) -> str:
    """10 to a whole power, as text: 10⁻³."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
