"""Write book/lecture_map.md: each claim of the lecture, where the book makes it, and with what number.

`make book` calls this when all chapters have run: the numbers are those of that run. The page is made, never
edited, and not kept in git. A test that defends a claim says so with `@pytest.mark.claim("R1")`.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode
from unrolled.claims import CLAIMS, Claim

ROOT = Path(__file__).resolve().parents[1]
SHOWN = re.compile(r"^[✓❝] (\w+) (holds|is cited): .*\n  (?:Measured|Source): (.*)", re.M)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#$|~^])")
HEAD = (
    "# Lecture map\n\nEvery claim of the lecture {{cite:p}}`garnelo2020`, in its order. The number was "
    "measured when this book was built: the chapter that makes a claim fails to build when it does not hold. "
    "History is cited with its source. {count}\n"
)


class Made(NamedTuple):
    """A claim as one chapter made it."""

    chapter: str
    kind: str
    evidence: str


def made(name: str, nb: NotebookNode) -> list[tuple[str, Made]]:
    """The claims in the outputs of a chapter: (id, what was shown)."""
    texts = (o.get("data", {}).get("text/plain", "") for c in nb.cells for o in c.get("outputs", []))
    found = [match for text in texts for match in SHOWN.findall(text)]
    return [(id, Made(name, "measured" if kind == "holds" else "cited", told)) for id, kind, told in found]


def tests(root: Path) -> dict[str, list[str]]:
    """Claim to the tests that are marked with it, as file::name."""
    marked: dict[str, list[str]] = {}
    files = [(path.name, path.read_text(encoding="utf-8")) for path in sorted(root.glob("tests/test_*.py"))]
    for name, node in ((name, node) for name, text in files for node in ast.parse(text).body):
        for id in marks(node):
            marked.setdefault(id, []).append(f"{name}::{node.name}")
    return marked


def marks(node: ast.stmt) -> list[str]:
    """The claims that stand in the marks of one test function."""
    calls = [d for d in getattr(node, "decorator_list", []) if isinstance(d, ast.Call)]
    claims = [call for call in calls if ast.unparse(call.func) == "pytest.mark.claim"]
    return [ast.literal_eval(argument) for call in claims for argument in call.args]


def entry(claim: Claim, shown: list[Made], held: list[str]) -> str:
    """One claim in Markdown: its sentence, then where it is made and what holds it."""
    lines = [f"**{claim.id}** {escaped(claim.sentence)}"]
    if claim.note:
        lines.append(f"*A correction:* {escaped(claim.note)}")
    for it in shown:
        anchor = f"claim-{claim.id}" + ("" if it.kind == "measured" else "-source")
        link = f'<a href="{it.chapter}.html#{anchor}">chapter {int(it.chapter[:2])}</a>'
        lines.append(f"{it.kind.capitalize()} in {link}: {escaped(it.evidence)}")
    names = [f"`{name}`" for name in held] + [f"`notebooks/{it.chapter}.ipynb`" for it in shown[:1]]
    lines.append(f"Tested by {', '.join(names)}" if shown else "Not yet in the book.")
    return "- " + "\\\n  ".join(lines)


def escaped(text: str) -> str:
    """A text in which nothing is Markdown."""
    return SPECIAL.sub(r"\\\1", text)


def page(chapters: dict[str, NotebookNode], root: Path = ROOT) -> str:
    """The whole page."""
    pairs = [pair for name, nb in sorted(chapters.items()) for pair in made(name, nb)]
    shown = {id: [it for key, it in pairs if key == id] for id in CLAIMS}
    missing = sum(not its for its in shown.values())
    count = f"{len(CLAIMS) - missing} of {len(CLAIMS)} are made."
    text, section, held = HEAD.format(count=count), "", tests(root)
    for id, claim in CLAIMS.items():
        if claim.section != section:
            section = claim.section
            text += f"\n## {section}\n\n"
        text += entry(claim, shown[id], held.get(id, [])) + "\n"
    return text
