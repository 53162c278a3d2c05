"""One display for verdicts, hints and tasks: the same words as plain text and as HTML, byte-stable.

Everything is escaped; nothing is told by colour alone; no black and no white is set, for both themes.
"""

import html
import re
import textwrap
from typing import NamedTuple

_BOX = "border:1px solid {tone};border-left:6px solid {tone};border-radius:4px;padding:.6em 1em;margin:.8em 0"
_CODE = "overflow-x:auto;border-left:2px solid currentColor;padding:.3em .8em;margin:.5em 0;background:none"
_PLAIN = "background:none;border:none;color:inherit"
_MARKS = "list-style:none;display:flex;flex-wrap:wrap;gap:.1em 1.4em;margin:.3em 0 .6em;padding:0"
TONES = {"✓": "#009E73", "✗": "#D55E00", "■": "#D55E00", "○": "#0072B2", "?": "#0072B2"}


class Block(NamedTuple):
    """One piece of a page.

    kind "title" (text), "say" (a paragraph), "lead" (one that begins with a bold "word:"), "marks" (lines of
    "symbol text"), "code", "rows" (a table with cells between tabs, the first line its head); and in HTML
    alone, "fold" (a first line that unfolds the rest) and "svg" (a picture made by this package).
    """

    kind: str
    text: str


class Page:
    """Blocks that show themselves in a terminal (repr) and in a notebook (HTML)."""

    def __init__(self, *blocks: Block):
        self.blocks = blocks

    def __repr__(self) -> str:
        """The page as plain text."""
        return "\n".join(as_text(b) for b in self.blocks if b.kind not in ("fold", "svg"))

    def _repr_html_(self) -> str:
        tone = TONES.get(self.blocks[0].text[:1], "#0072B2")
        inside = "".join(as_html(b) for b in self.blocks)
        return f'<div class="unrolled-page" style="{_BOX.format(tone=tone)}">{inside}</div>'


def as_text(block: Block) -> str:
    """One block as lines of at most 88 columns; code and tables keep their lines."""
    if block.kind == "marks":
        return "\n".join("  " + line for line in block.text.split("\n"))
    if block.kind == "code":
        return textwrap.indent(block.text, "    ")
    if block.kind == "rows":
        cells = [line.split("\t") for line in block.text.split("\n")]
        widths = [max(map(len, column)) for column in zip(*cells)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells)
    return textwrap.fill(block.text, 88, break_long_words=False, break_on_hyphens=False)


def as_html(block: Block) -> str:
    """One block as HTML."""
    makers = {"title": _title, "say": _say, "lead": _lead, "marks": _marks, "code": _code, "rows": _rows}
    return (makers | {"fold": _fold, "svg": str})[block.kind](block.text)


def _say(text: str) -> str:
    return f'<p style="margin:.5em 0">{_inline(text)}</p>'


def _inline(text: str) -> str:
    """Escaped text, with `code` between backticks set as code."""
    parts = re.split(r"`([^`\n]+)`", text)
    return "".join(
        f'<code style="{_PLAIN}">{html.escape(p)}</code>' if i % 2 else html.escape(p)
        for i, p in enumerate(parts)
    )


def _title(text: str) -> str:
    return f'<p style="margin:0 0 .3em;font-weight:bold">{_inline(text)}</p>'


def _lead(text: str) -> str:
    word, _, rest = text.partition(":")
    return f'<p style="margin:.5em 0"><strong>{html.escape(word)}:</strong>{_inline(rest)}</p>'


def _marks(text: str) -> str:
    items = "".join(f"<li>{_inline(line)}</li>" for line in text.split("\n"))
    return f'<ul style="{_MARKS}">{items}</ul>'


def _code(text: str) -> str:
    code = f'<code style="{_PLAIN}">{html.escape(text)}</code>'
    return f'<pre style="{_CODE}" tabindex="0">{code}</pre>'


def _rows(text: str) -> str:
    head, *body = [line.split("\t") for line in text.split("\n")]
    top = _row(head, 'th scope="col"')
    rest = "".join(_row(row, "td") for row in body)
    table = f"<table><thead>{top}</thead><tbody>{rest}</tbody></table>"
    return f'<div style="overflow-x:auto" tabindex="0">{table}</div>'


def _row(cells: list[str], tag: str) -> str:
    inside = "".join(f'<{tag} style="text-align:left">{_inline(c)}</{tag[:2]}>' for c in cells)
    return f"<tr>{inside}</tr>"


def _fold(text: str) -> str:
    summary, _, rest = text.partition("\n")
    return (
        f'<details style="margin:.3em 0"><summary style="cursor:pointer">{_inline(summary)}</summary>'
        f'<p style="margin:.3em 0 .3em 1.2em">{_inline(rest)}</p></details>'
    )
