"""From the book to the notebooks, one way only.

    weave.py weave [ROOT] [--force]    fill the quotes in book/*.md, then write notebooks/*.ipynb
    weave.py check [ROOT]              fail when a quote or a notebook is out of date; change nothing

Without --force a notebook in which somebody worked is not overwritten: see keep.py.

A *quote* is a code cell with the option `:lib: module.name` or `module.Class.method`. Its text comes from
lib/unrolled/module.py, which is read and never imported; of a docstring the first line stays, since the
chapter tells the rest.

Cells with the tag `book-only` are left out of the notebooks. Cells for notebooks only (`interact` panels)
carry three tags: `[notebook-only, remove-cell, skip-execution]`. The last two keep them out of the built
page, where a panel without a kernel would be dead and would bring its scripts from another host.

In a cell with `# solution` and `# end`, the lines between become `...  # your turn`.
"""

import ast
import json
import os
import re
import sys
import textwrap
from pathlib import Path

import jupytext
import keep
import nbformat
import yaml
from myst import Labels, Unknown, located
from plain import Links, Page
from pybtex.database import BibliographyData, parse_file

CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(?P<body>.*?)^\1[ ]*$", re.M | re.S)
OPTION = r"(?:^:[\w-]+:[^\n]*\n)*"
QUOTE = re.compile(rf"\A(?P<options>{OPTION}^:lib: *(?P<name>[\w.]+)[ ]*\n{OPTION})", re.M)
SOLUTION = re.compile(r"^( *)# solution *\n.*?^ *# end *$", re.M | re.S)
MARKER = re.compile(r"^ *# (?:solution|end) *$", re.M)
PAGE_ONLY = re.compile(r"hide-|remove-|skip-execution|full-width|margin")     # tags that only the book reads
PANEL = {"remove-cell", "skip-execution"}
INSTALL = '''\
#@title Set up (fetches the book's library where it is missing)
import importlib.util
import subprocess
import sys

def missing(name):
    return importlib.util.find_spec(name) is None

if missing("unrolled"):
    if sys.version_info < (3, 11):
        raise SystemExit(f"The book needs Python 3.11 or newer; here is {{sys.version.split()[0]}}.")
    colab = not (missing("google") or missing("google.colab"))    # it has all the rest, and keeps it as it is
    wanted = "unrolled[digits,widgets] @ git+{url}@{branch}"
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", *["--no-deps"] * colab, wanted])
    importlib.invalidate_caches()
    if done.returncode:
        raise SystemExit(f"Could not install {{wanted}}. Is the network up? "
                         "In a copy of the book: pip install -e .")
'''


# ---- quotes

def source(root: Path, name: str) -> str:
    """The text of `module.name` in the library, dedented, with docstrings cut to their first line.

    Raises Unknown when the library has no such name.
    """
    module, *path = name.split(".")
    file = root / "lib" / "unrolled" / f"{module}.py"
    if not (path and file.exists()):
        raise Unknown(f":lib: {name} names no part of a module in lib/unrolled", name)
    text = file.read_text(encoding="utf-8")
    node = ast.parse(text)
    for part in path:
        node = next((n for n in getattr(node, "body", []) if part in _names(n)), None)
    if node is None:
        raise Unknown(f":lib: {name} is not in lib/unrolled/{module}.py", name)
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    lines = _short(node, text.split("\n"))[first - 1:node.end_lineno]
    return textwrap.dedent("\n".join(line for line in lines if line is not None))


def _names(node):
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [getattr(node, "name", None), *(getattr(t, "id", None) for t in targets)]


def _short(node, lines):
    """The lines with every docstring inside the node cut down; None marks a line that goes."""
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part):
            doc = part.body[0]
            first = ast.get_docstring(part).split("\n")[0]
            cut = " " * doc.col_offset + ("r" if "\\" in first else "") + f'"""{first}"""'
            lines[doc.lineno - 1:doc.end_lineno] = [cut, *[None] * (doc.end_lineno - doc.lineno)]
    return lines


def quoted(root: Path, text: str) -> str:
    """The text of a chapter with every quote filled from the library."""
    def fill(cell):
        quote = QUOTE.match(cell["body"])
        if not quote:
            return cell[0]
        opening = cell[0].split("\n", 1)[0]
        return f"{opening}\n{quote['options']}\n{source(root, quote['name'])}\n{cell[1]}"
    return CELL.sub(fill, text)


# ---- notebooks

def config(root: Path) -> dict:
    """Where the project lives: `repository` of _config.yml, unless UNROLLED_REPOSITORY says otherwise.

    Colab opens the notebooks of UNROLLED_NOTEBOOK_BRANCH, where it is set.
    """
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url = os.environ.get("UNROLLED_REPOSITORY") or settings["repository"]["url"]
    owner, name = url.removesuffix(".git").rstrip("/").split("/")[-2:]
    branch = settings["repository"].get("branch", "main")
    shelf = os.environ.get("UNROLLED_NOTEBOOK_BRANCH") or branch
    pages = (settings.get("html") or {}).get("baseurl") or f"https://{owner}.github.io/{name}/"
    return {"url": url, "branch": branch, "book": f"{pages.rstrip('/')}/book/",
            "raw": f"https://raw.githubusercontent.com/{owner}/{name}/{branch}/",
            "colab": f"https://colab.research.google.com/github/{owner}/{name}/blob/{shelf}/notebooks/"}


def head(stem: str, place: dict) -> str:
    """The line under the title: open on Colab, read in the book."""
    badge = "https://colab.research.google.com/assets/colab-badge.svg"
    return (f"[![Open this chapter in Colab]({badge})]({place['colab']}{stem}.ipynb)"
            f" · [Read it in the book, with live figures]({place['book']}{stem}.html)")


def blank(code: str) -> str:
    """The code with solutions taken out."""
    stub = SOLUTION.sub(r"\1...  # your turn", code)
    if left := MARKER.search(stub):
        raise Unknown(f"'{left[0].strip()}' stands alone: # solution and # end go in pairs", code)
    return stub


def cells(text: str, page: Page, place: dict) -> list[nbformat.NotebookNode]:
    """The cells of a chapter's notebook, as readers see them."""
    out = []
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        tags = cell.metadata.get("tags", [])
        if "notebook-only" in tags and not PANEL <= set(tags):
            needed = " and ".join(sorted(PANEL))
            raise Unknown(f"a notebook-only cell also needs the tags {needed}", "notebook-only")
        if "lib" in cell.metadata and not cell.source:
            raise Unknown("a quote is written with the option line `:lib: module.name`", cell.metadata["lib"])
        if "book-only" in tags:
            continue
        cell.source = blank(cell.source) if cell.cell_type == "code" else page.plain(cell.source)
        kept = [t for t in tags if not PAGE_ONLY.match(t)]
        cell.metadata = nbformat.from_dict({"tags": kept} if kept else {})
        out += [cell] if cell.source else []
    return out


def framed(out: list[nbformat.NotebookNode], stem: str, place: dict) -> list[nbformat.NotebookNode]:
    """The same cells with the links under the title, and the set-up cell before the first code."""
    title, _, rest = out[0].source.partition("\n")
    out[0].source = f"{title}\n\n{head(stem, place)}\n\n{rest.strip()}".strip()
    first = next((i for i, cell in enumerate(out) if cell.cell_type == "code"), len(out))
    install = nbformat.v4.new_code_cell(INSTALL.format(**place).rstrip(), metadata={"cellView": "form"})
    return [*out[:first], install, *out[first:]]


def notebook(text: str, page: Page, place: dict) -> str:
    """The notebook of a chapter as text: no outputs, the same bytes on every run."""
    seen, nb = {}, nbformat.v4.new_notebook(cells=framed(cells(text, page, place), page.path.stem, place))
    for cell in nb.cells:
        digest = keep.digest(cell.cell_type, cell.source)
        seen[digest] = seen.get(digest, 0) + 1
        # The same text keeps the same id, so that a change in one cell is a change of one cell.
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    nb.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                   "language_info": {"name": "python"}}
    nbformat.validate(nb)
    return nbformat.writes(nb) + "\n"


# ---- the two verbs

def wanted(root: Path) -> dict[Path, str]:
    """What the chapters (with their quotes) and the notebooks should hold."""
    book, place, files = root / "book", config(root), {}
    bib = book / "references.bib"
    works = parse_file(bib, bib_format="bibtex", encoding="utf-8") if bib.exists() else BibliographyData()
    labels = Labels(book)
    for chapter in sorted(book.glob("[0-9]*.md")):
        with located(chapter):
            text = files[chapter] = quoted(root, chapter.read_text(encoding="utf-8"))
            page = Page(chapter, labels, works, Links(place["book"], place["raw"]))
            files[root / "notebooks" / f"{chapter.stem}.ipynb"] = notebook(text, page, place)
    return files


def difference(path: Path, text: str) -> str:
    """Which cell of a file is out of date, in words; empty when none is."""
    if not path.exists():
        return "is missing"
    now = path.read_text(encoding="utf-8")
    if now == text:
        return ""
    if path.suffix == ".md":
        pairs = [(a, b) for a, b in zip(CELL.finditer(now), CELL.finditer(text)) if a[0] != b[0]]
        return "quotes an older " + ", ".join(QUOTE.match(a["body"])["name"] for a, _ in pairs)
    old, new = (["".join(c["source"]) for c in json.loads(t).get("cells", [])] for t in (now, text))
    at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    return f"differs from its chapter at cell {at + 1}"


def main(verb: str, root: str = ".", force: bool = False) -> None:
    """Run `weave` or `check` on the project at root."""
    root = Path(root).resolve()
    files = wanted(root)
    loose = set((root / "notebooks").glob("*.ipynb")) - set(files)
    orphans = keep.ours(root, loose)
    if verb == "check":
        stale = {path: difference(path, text) for path, text in files.items()}
        stale |= {path: "has no chapter" for path in orphans}
        words = [f"{path.relative_to(root)} {why}" for path, why in stale.items() if why]
        sys.exit("\n".join([*words, "Run `make weave`."]) if words else 0)
    notebooks = {path for path in files if path.suffix == ".ipynb"}
    if not force and (risks := keep.at_risk(root, notebooks | set(orphans))):
        sys.exit("\n".join(f"{path.relative_to(root)}: {why}" for path, why in risks.items()) + keep.REFUSAL)
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for path in orphans:
        path.unlink()
    for path in sorted(loose - set(orphans)):
        print(f"{path.relative_to(root)} belongs to no chapter: left as it is.")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--force"]
    if arguments[:1] not in (["weave"], ["check"]):
        sys.exit(__doc__)
    main(*arguments[:2], force="--force" in sys.argv)
