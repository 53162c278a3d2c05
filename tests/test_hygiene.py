"""What the book's source and its notebooks look like, seen without running them."""

import ast
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run_notebooks  # noqa: E402

WOVEN = {path.stem for path in (ROOT / "book").glob("*.md")}
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem in WOVEN)
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.md"))
ON_COLAB = {"unrolled", "torch", "numpy", "matplotlib", "sklearn", "IPython", "ipywidgets"}
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def code(path):
    nb = jupytext.read(path, fmt="md:myst") if path.suffix == ".md" else nbformat.read(path, as_version=4)
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def test_the_book_has_chapters_and_notebooks():
    assert CHAPTERS and NOTEBOOKS


@notebooks
def test_a_notebook_carries_no_outputs_and_no_machine(path):
    nb = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(nb)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert nb.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    assert all(c.outputs == [] and c.execution_count is None for c in code(path))


@notebooks
def test_a_notebook_has_no_misspelt_marker_no_magic_and_no_shell_line(path):
    assert [fault for cell in code(path) for fault in run_notebooks.lint(cell)] == []


@notebooks
def test_a_notebook_installs_one_thing_in_one_cell(path):
    installs = [c.source for c in code(path) if re.search(r"\bpip\b", c.source)]
    assert installs == [code(path)[0].source] and "--no-deps" in installs[0]


@notebooks
def test_a_notebook_imports_only_what_colab_has(path):
    nodes = [node for c in code(path) for node in ast.walk(ast.parse(c.source))]
    names = [n.name for node in nodes if isinstance(node, ast.Import) for n in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= ON_COLAB | sys.stdlib_module_names


@notebooks
def test_a_notebook_shows_no_word_of_sphinx(path):
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    outside = re.sub(r"(`+).+?\1|\$\$.+?\$\$|\$.+?\$", "", prose, flags=re.S)    # code and mathematics may
    assert not re.search(r"^ *:::|\{[a-z:-]+\}|^\([\w-]+\)=|^:[a-z]+:", outside, re.M)


@chapters
def test_a_chapter_starts_with_the_same_line(path):
    assert code(path)[0].source.startswith("from unrolled import runtime\nruntime.start(")


@chapters
def test_a_code_cell_fits_on_a_screen(path):
    own = [cell.source for cell in code(path) if "lib" not in cell.metadata]
    assert [source for source in own if source.count("\n") >= 25] == [], "25 lines are the most"


@chapters
def test_an_exercise_cell_holds_one_solution_and_ends_with_its_check(path):
    for cell in code(path):
        if "exercise" in cell.metadata.get("tags", []):
            marks = re.findall(r"^ *# (solution|end)$", cell.source, re.M)
            assert marks == ["solution", "end"], cell.source
            assert re.search(r"^verdict = check\.\w+\(.*\)$", cell.source, re.M), cell.source


@chapters
def test_widgets_stay_out_of_the_built_page(path):
    for cell in code(path):
        if "ipywidgets" in cell.source or "interact(" in cell.source:
            assert {"notebook-only", "remove-cell", "skip-execution"} <= set(cell.metadata.get("tags", []))


@chapters
def test_a_chapter_loads_nothing_from_another_host(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<(?:script|link|iframe|img)\b[^>]*\b(?:src|href)=|!\[[^\]]*\]\(http", text)


def test_every_page_of_the_book_is_in_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    yaml.safe_load(toc)
    missing = [p.stem for p in (ROOT / "book").glob("*.md") if not re.search(rf"\b(?:book/)?{p.stem}\b", toc)]
    assert missing == []
