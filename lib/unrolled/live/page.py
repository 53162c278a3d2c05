"""How a live figure travels: one block of HTML that needs no kernel, no network and no other file.

The block holds a custom element with its data as JSON, a fallback in words for readers without JavaScript,
and the modules beside this file as one inline `<script type="module">`. Each output carries its own copy,
because each output of Colab is a page of its own.
"""

import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥"}


class Figure:
    """Something to look at: HTML with its own script, and the same in words."""

    def __init__(self, page: str, words: str):
        self.html, self.text = page, words

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def script(*names: str) -> str:
    """The named modules joined into one: imports go (all is in one place), and so does the word export."""
    style = (HERE / "live.css").read_text(encoding="utf-8")
    parts = [f"const CSS = {json.dumps(style)};"]
    for name in names:
        code = (HERE / f"{name}.mjs").read_text(encoding="utf-8")
        parts.append(re.sub(r"^(import .*\n|export )", "", code, flags=re.MULTILINE))
    return "\n".join(parts).replace("</", r"<\/")  # a script ends at the first </script, even inside a string


def data(value: object) -> str:
    """JSON that can stand inside a script element: no < > &, so nothing in it can end the element early."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    marks = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return text.translate(str.maketrans(marks))


def element(tag: str, value: object, fallback: str, modules: Iterable[str], height: str = "auto") -> str:
    """A custom element with its data, its fallback (HTML, escaped by the caller) and its code.

    `height` is the CSS length that is kept free until the script has run, so that the page does not jump.
    The attribute data-lm-suppress-shortcuts keeps keys typed in the figure from JupyterLab, which would run
    commands for them: it sees the element, and never the controls inside.
    """
    return (
        f'<{tag} data-lm-suppress-shortcuts="true" style="display:block;min-height:{height}">\n'
        f'<script type="application/json">{data(value)}</script>\n{fallback}\n</{tag}>\n'
        f'<script type="module">\n{script(*modules)}</script>'
    )


def show(symbol: str) -> str:
    """A symbol that can be seen: a space is ␣, a new line ⏎."""
    return VISIBLE.get(symbol, symbol)


def snapshot(lead: str, prompt: str, chances: list[tuple[str, float]]) -> tuple[str, str]:
    """A distribution after a prompt, for pages without JavaScript (HTML) and for plain text."""
    seen = "".join(map(show, prompt))
    rows = [(show(symbol), f"{100 * p:.1f} %") for symbol, p in chances]
    items = "".join(f"<li><code>{html.escape(s)}</code> {p}</li>" for s, p in rows)
    page = f"<p>{html.escape(lead)} After <code>{html.escape(seen)}</code> it expects:</p>\n<ol>{items}</ol>"
    return page, f"{lead} After '{seen}' it expects: " + ", ".join(f"{s} {p}" for s, p in rows) + "."
