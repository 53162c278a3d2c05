"""Directives and roles that only Sphinx understands, as Markdown that Colab and JupyterLab show well.

Exercises become a bold line, asides quotations, drop-downs <details>, labelled equations get a \\tag, and
references become words. What this file does not know is an error, never a silent guess.
"""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from myst import LABEL, Labels, Target, Unknown, parse
from pybtex.database import BibliographyData, Entry
from pybtex.richtext import Text

TOKEN = re.compile(
    r"(?:\{(?P<role>[\w:.-]+)\})?(?P<ticks>`+)(?P<body>.+?)(?<!`)(?P=ticks)(?!`)"     # code, or a role
    r"|\$[^$\n]+(?:\n[^$\n]+)*\$"                                                     # mathematics: as it is
    r"|(?P<bang>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)(?:\{[.#][^}]*\})?",
    re.S)                                                                             # a link or a picture
NAMED = re.compile(r"^(?P<text>.*?)\s*<(?P<to>[^<>]+)>$", re.S)
BOXES = "note tip hint important warning caution attention danger error seealso".split()
TITLES = {"seealso": "See also"}
WRAPS = {"sub": "<sub>{}</sub>", "sup": "<sup>{}</sup>", "kbd": "<kbd>{}</kbd>", "math": "${}$",
         "code": "`{}`", "abbr": "{}", "guilabel": "**{}**"}


class Links(NamedTuple):
    """Where the book and its files stand on the web, with a slash at the end."""

    book: str
    raw: str


class Page:
    """One chapter on its way to plain Markdown; it remembers which works it cited."""

    def __init__(self, path: Path, labels: Labels, works: BibliographyData, links: Links):
        self.path, self.labels, self.works, self.links = path, labels, works, links
        self.cited: set[str] = set()

    def plain(self, text: str) -> str:
        """The text without directives, roles and labels. Raises Unknown where it cannot."""
        parts = [self._piece(piece).strip("\n") for piece in parse(text)]
        return "\n\n".join(part for part in parts if part.strip())

    def _piece(self, piece):
        if piece.kind == "code":
            return piece.body
        if piece.kind == "text":
            lines = [t for t in piece.body.split("\n") if not LABEL.match(t) and not t.startswith("% ")]
            return self._inline(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)))
        write = DIRECTIVES.get(piece.name)
        if not write:
            raise Unknown(f"{{{piece.name}}} is a directive that notebooks cannot show: use one of"
                          f" {', '.join(sorted(DIRECTIVES))}", f"{{{piece.name}}}")
        return textwrap.indent(write(self, piece).strip("\n"), piece.indent)

    # ---- words within a line

    def _inline(self, text):
        return TOKEN.sub(self._token, text)

    def _token(self, found):
        if found["to"]:
            return self._link(found["bang"], self._inline(found["text"]), found["to"])
        if not found["role"]:
            return found[0]
        named = NAMED.match(found["body"])
        text, to = (named["text"], named["to"]) if named else ("", found["body"])
        role = found["role"]
        if role in WRAPS:
            return WRAPS[role].format(found["body"])
        if role.split(":")[0] == "cite":
            return self._cite(role, found["body"], found[0])
        if role not in ROLES:
            raise Unknown(f"{{{role}}} is a role that notebooks cannot show: use one of"
                          f" {', '.join(sorted([*ROLES, *WRAPS, 'cite', 'cite:p', 'cite:t']))}", found[0])
        return ROLES[role](self, text, to, found[0])

    def _numbered(self, piece):
        return str(self._target(piece.label, piece.label))

    def _target(self, label, clue) -> Target:
        if label not in self.labels.targets:
            raise Unknown(f"no chapter defines the label {label}", clue)
        return self.labels.targets[label]

    def _ref(self, text, to, clue):
        target = self._target(to, clue)
        text = text.replace("%s", target.number).replace("{number}", target.number) or str(target)
        if target.page == self.path.stem:
            return text
        return f"[{text}]({self.links.book}{target.page}.html#{to.lower().replace('_', '-')})"

    def _eq(self, text, to, clue):
        return self._ref(text or f"Eq. {self._target(to, clue).number}", to, clue)

    def _doc(self, text, to, clue):
        stem = to.removesuffix(".md").removeprefix("./")
        if stem not in self.labels.titles:
            raise Unknown(f"there is no chapter {to}", clue)
        return f"[{text or self.labels.titles[stem]}]({self.links.book}{stem}.html)"

    def _term(self, text, to, clue):
        if to not in self.labels.terms:
            raise Unknown(f"the glossary has no term {to}", clue)
        return text or to

    def _link(self, bang, text, to):
        clue, (file, _, anchor) = f"({to})", to.partition("#")
        if re.match(r"^[a-z]+:", to):
            return f"{bang}[{text}]({to})"
        if not file:
            return self._ref(text, anchor, clue)
        if file.endswith(".md"):
            link = self._doc(text, file, clue)
            return link[:-1] + f"#{anchor})" if anchor else link
        if not (self.path.parent / file).exists():
            raise Unknown(f"the link leads to {file}, which does not exist", clue)
        return f"{bang}[{text}]({self._file(file)})"

    def _file(self, path):
        root = self.path.parent.parent
        return self.links.raw + (self.path.parent / path).resolve().relative_to(root.resolve()).as_posix()

    def _cite(self, role, keys, clue):
        self.cited |= {key.strip() for key in keys.split(",")}
        inside = not role.endswith((":t", ":ts"))               # the book, too, puts a plain cite in brackets
        works = [self._work(key.strip(), clue) for key in keys.split(",")]
        words = [f"{who}, {year}" if inside else f"{who} ({year})" for who, year, _ in works]
        linked = "; ".join(f"[{w}]({url})" if url else w for w, (*_, url) in zip(words, works))
        return f"({linked})" if inside else linked

    def _work(self, key, clue):
        if key not in self.works.entries:
            raise Unknown(f"references.bib has no entry {key}", clue)
        entry = self.works.entries[key]
        return authors(entry), entry.fields.get("year", "no year"), address(entry)

    def bibliography(self) -> str:
        """The works cited so far, as a list."""
        rows = []
        for key in self.cited:
            who, year, url = self._work(key, key)
            title = str(Text.from_latex(self.works.entries[key].fields.get("title", key)))
            rows.append(f"- {who} ({year}). " + (f"[{title}]({url})" if url else title) + ".")
        return "\n".join(sorted(rows))


def authors(entry: Entry) -> str:
    """The names as a sentence has them: A, or A and B, or A et al."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in people] or [entry.key]
    return " and ".join(names) if len(names) < 3 else f"{names[0]} et al."


def address(entry: Entry) -> str:
    """Where a work can be read; empty when its entry does not say."""
    fields = entry.fields
    if "doi" in fields:
        return "https://doi.org/" + fields["doi"]
    return fields.get("url") or ("https://arxiv.org/abs/" + fields["eprint"] if "eprint" in fields else "")


# ---- directives: each takes the page and the piece, and returns Markdown

def _quote(text):
    return textwrap.indent(text, "> ", lambda line: True).replace("> \n", ">\n")


def _details(title, text):
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _box(page, piece):
    named = piece.name == "admonition"            # the others keep their first words on the opening line
    title = page._inline(piece.arg) if named else TITLES.get(piece.name, piece.name.capitalize())
    text = page.plain(piece.body if named else f"{piece.arg}\n{piece.body}".strip("\n"))
    if "dropdown" in piece.options.get("class", ""):
        return _details(title, text)
    return _quote(f"**{title}{'' if title[-1:] in '.?!' else '.'}** {text}")


def _aside(page, piece):
    return _quote((f"**{page._inline(piece.arg)}.** " if piece.arg else "") + page.plain(piece.body))


def _exercise(page, piece):
    if not piece.label:
        raise Unknown("an exercise needs a :label:, which also numbers it", f"{{{piece.name}}} {piece.arg}")
    title = f"**{page._numbered(piece)}. {page._inline(piece.arg)}**"
    return f"{title}\n\n{page.plain(piece.body)}"


def _solution(page, piece):
    title = f"Solution of {page._target(piece.arg, piece.arg)}"
    return f"**{title}**" if piece.name == "solution-start" else _details(title, page.plain(piece.body))


def _figure(page, piece):
    if not piece.options.get("alt"):
        raise Unknown(f"the figure {piece.arg} has no :alt: that says in words what it shows", piece.arg)
    picture = page._link("!", piece.options["alt"], piece.arg)
    number = f"{page._numbered(piece)}. " if piece.label else ""
    return picture + (f"\n\n*{number}{page.plain(piece.body)}*" if piece.body else "")


def _math(page, piece):
    tag = f" \\tag{{{page._target(piece.label, piece.label).number}}}" if piece.label else ""
    return f"$$\n{piece.body}{tag}\n$$"


def _code(page, piece):
    ticks = "`" * (3 if "```" not in piece.body else 6)
    return f"{ticks}{piece.arg}\n{piece.body}\n{ticks}"


def _table(page, piece):
    number = f"{page._numbered(piece)}. " if piece.label else ""
    return f"*{number}{page._inline(piece.arg)}*\n\n{page.plain(piece.body)}"


def _tab(page, piece):
    return f"**{page._inline(piece.arg)}**\n\n{page.plain(piece.body)}"


def _cell(page, piece):
    raise Unknown("a code-cell inside another directive never runs: put it outside", piece.body)


DIRECTIVES = {
    **dict.fromkeys([*BOXES, "admonition"], _box),
    **dict.fromkeys(["margin", "sidebar", "epigraph", "pull-quote"], _aside),
    **dict.fromkeys(["exercise", "exercise-start"], _exercise),
    **dict.fromkeys(["solution", "solution-start"], _solution),
    **dict.fromkeys(["exercise-end", "solution-end", "contents", "tableofcontents", "index"], lambda *_: ""),
    **dict.fromkeys(["figure", "image"], _figure),
    **dict.fromkeys(["code-block", "code", "sourcecode"], _code),
    **dict.fromkeys(["tab-set", "div", "container"], lambda page, piece: page.plain(piece.body)),
    "tab-item": _tab,
    "table": _table,
    "dropdown": lambda page, piece: _details(page._inline(piece.arg), page.plain(piece.body)),
    "math": _math,
    "bibliography": lambda page, piece: page.bibliography(),
    "code-cell": _cell,
}
ROLES = {"ref": Page._ref, "numref": Page._ref, "eq": Page._eq, "doc": Page._doc, "term": Page._term}

