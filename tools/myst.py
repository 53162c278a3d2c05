"""The pieces of a MyST text, and what its labels point at.

`parse` cuts a text into plain text, code, mathematics and directives; `Labels` reads all chapters once and
gives every label the number that the built book shows.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml

OPEN = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|:{3,}|~{3,}) *(?:\{(?P<name>[\w:.-]+)\})?(?P<arg>.*)$")
MATH = re.compile(r"^(?P<body>.*)\$\$ *(?:\((?P<label>[\w:.-]+)\))? *$")
LABEL = re.compile(r"^\((?P<label>[\w:.-]+)\)= *$")
OPTION = re.compile(r"^:(?P<key>[\w-]+):(?P<value>.*)$")
COUNTED = {"exercise": "Exercise", "exercise-start": "Exercise", "figure": "Figure", "table": "Table"}


class Unknown(ValueError):
    """Something that cannot become plain Markdown; `clue` is the text to look for in the chapter."""

    def __init__(self, message: str, clue: str):
        super().__init__(message)
        self.clue = clue


class Piece(NamedTuple):
    """A stretch of a text. kind: "text", "code" (copied as it is), "math" or "directive"."""

    kind: str
    body: str
    name: str = ""
    arg: str = ""
    options: dict = {}
    indent: str = ""

    @property
    def label(self) -> str:
        """The name under which other places may refer to this piece."""
        return self.options.get("label") or self.options.get("name") or ""


def parse(text: str) -> list[Piece]:
    """Cut a text into pieces, in order. The body of a directive is left for another call."""
    lines, pieces, words = text.split("\n")[::-1], [], []     # reversed: the next line is the last
    while lines:
        line = lines.pop()
        special = _fence(line, lines) or _math(line, lines)
        if special:
            pieces += [Piece("text", "\n".join(words)), special]
            words = []
        else:
            words.append(line)
    pieces.append(Piece("text", "\n".join(words)))
    return [p for p in pieces if p.kind != "text" or p.body.strip()]


def _fence(line, lines):
    start = OPEN.match(line)
    if not start or (start["fence"][0] == ":" and not start["name"]):
        return None
    body = _until(rf"^ *{start['fence'][0]}{{{len(start['fence'])},}} *$", line, lines)
    close = lines.pop()
    if not start["name"]:
        return Piece("code", "\n".join([line, *body, close]))
    options, body = _options([b.removeprefix(start["indent"]) for b in body])
    body = "\n".join(body).strip("\n")
    return Piece("directive", body, start["name"], start["arg"].strip(), options, start["indent"])


def _math(line, lines):
    if not line.lstrip().startswith("$$"):
        return None
    indent, rest = line.split("$$", 1)
    body = []
    if not (end := MATH.match(rest)):
        body = [rest, *_until(MATH, line, lines)]
        end = MATH.match(lines.pop())
    body = "\n".join(b.removeprefix(indent) for b in [*body, end["body"]]).strip("\n")
    return Piece("math", body, "math", options={"label": end["label"]} if end["label"] else {}, indent=indent)


def _until(end, first, lines):
    body = []
    while lines and not re.match(end, lines[-1]):
        body.append(lines.pop())
    if not lines:
        raise Unknown(f"{first.strip()} is never closed", first)
    return body


def _options(body):
    """The options at the head of a directive's body, either as `:key: value` or between two ---."""
    options = {}
    if body and body[0].strip() == "---" and "---" in body[1:]:
        end = body.index("---", 1)
        options, body = yaml.safe_load("\n".join(body[1:end])) or {}, body[end + 1:]
    while body and (option := OPTION.match(body[0])):
        options[option["key"]], body = option["value"].strip(), body[1:]
    return options, body


class Target(NamedTuple):
    """What a label points at. A numbered thing has kind and number; a section has its title only."""

    page: str
    label: str
    title: str
    kind: str = ""
    number: str = ""

    def __str__(self):
        return f"{self.kind} {self.number}" if self.number else self.title


class Labels:
    """Every label, title and glossary term of the book."""

    def __init__(self, book: Path):
        self.targets: dict[str, Target] = {}
        self.titles: dict[str, str] = {}
        self.terms: set[str] = set()
        for path in sorted(book.glob("*.md")):
            self._read(path)

    def _read(self, path):
        text = path.read_text(encoding="utf-8")
        heading = re.search(r"^# +(.+)$", text, re.M)
        self.titles[path.stem] = heading[1].strip() if heading else path.stem
        with located(path):
            self._count(path.stem, text, Counter())

    def _count(self, page, text, seen):
        """Number what the text defines; a label on a line of its own names what comes next."""
        waiting = []
        for piece in parse(text):
            if piece.kind == "text":
                waiting = self._sections(page, piece.body)
            elif piece.kind != "code":
                self._numbered(page, piece, seen, waiting)
                waiting = []
        for label in waiting:
            raise Unknown(f"the label ({label})= stands before no heading, figure or equation", f"({label})=")

    def _sections(self, page, text):
        waiting = []
        for line in text.split("\n"):
            if label := LABEL.match(line):
                waiting.append(label["label"])
            elif line.startswith("#"):
                title = line.lstrip("#").strip()
                self.targets.update({w: Target(page, w, title) for w in waiting})
                waiting = []
        return waiting

    def _numbered(self, page, piece, seen, waiting):
        if piece.name == "glossary":
            self.terms |= {b.strip() for b in piece.body.split("\n") if b and b[0] not in " :"}
        labels = [*waiting, piece.label] if piece.label else waiting
        kind = "Equation" if piece.name == "math" and piece.label else COUNTED.get(piece.name, "")
        counts = bool(kind) and "nonumber" not in piece.options
        seen[kind] += counts
        chapter = re.match(r"0*(\d+)_", page)
        number = f"{chapter[1]}.{seen[kind]}" if chapter else f"{seen[kind]}"
        for label in labels:
            self.targets[label] = Target(page, label, piece.arg or label, kind, number if counts else "")
        if piece.kind == "directive" and piece.name not in ("math", "code-cell", "code-block", "glossary"):
            self._count(page, piece.body, seen)


class located:
    """Says in which file and line an Unknown stands."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Unknown):
            lines = self.path.read_text(encoding="utf-8").splitlines()
            clue = error.clue.strip().split("\n")[0]
            line = next((n for n, text in enumerate(lines, 1) if clue in text), 1)
            raise SystemExit(f"{self.path.parent.name}/{self.path.name}:{line}: {error}") from error
