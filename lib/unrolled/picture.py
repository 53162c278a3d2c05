"""What every figure of the book is when it is shown: one inline SVG that says in words what it shows.

An `<img>` cannot follow the page from light to dark, and notebooks give it a file name as its words. So a
`Picture` puts its SVG into the page: text and axes take the page's own colour, role colours are CSS
variables (with a fallback, so that Colab and JupyterLab need no style sheet), and `alt` is compulsory.
"""

import re
import unicodedata
from hashlib import sha256
from html import escape
from numbers import Real
from pathlib import Path

INK = "currentColor"  # what the page writes with: black by day, white by night
PAGE = "display:block;max-width:100%;height:auto;margin:auto;font-family:inherit;overflow:visible"


class Picture:
    """An SVG of a given size; shown inline wherever HTML is shown, elsewhere as its words.

    - body: what stands between `<svg>` and `</svg>`; size: its width and height in CSS pixels;
    - alt: 5 to 30 words that say what is to be seen, or ValueError; desc: a longer account, if there is one.

    The same picture has the same bytes, and no two pictures share an id.
    """

    def __init__(self, body: str, size: tuple[Real, Real], alt: str, desc: str = ""):
        if not 5 <= len(alt.split()) <= 30:
            raise ValueError(f"alt has {len(alt.split())} words: say in 5 to 30 what is to be seen ({alt!r})")
        self.alt, self.desc, self.size = plain(alt), plain(desc) if desc else "", size
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
        fixed = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", self.svg()).replace(INK, ink)
        Path(path).write_text(fixed, encoding="utf-8", newline="\n")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


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
