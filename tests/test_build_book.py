"""`make book` runs what must run and nothing else, says what fails, and its pages stand alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import build_book  # noqa: E402

HEAD = """---
jupytext: {text_representation: {format_name: myst}}
kernelspec: {name: python3, display_name: Python 3, language: python}
---
"""
CHAPTER = HEAD + """
# One

Some prose with $x_t$, and {cite:p}`someone1999`.

````{exercise} Double
:label: ex-double
Double it.
````

```{code-cell} python
:tags: [exercise]
def double(x):
    # solution
    return 2 * x
    # end

double(21)
```

````{exercise} Halve
:label: ex-halve
Halve it.
````
"""
BIB = "@misc{someone1999, author={One, Some}, title={A Work}, year=1999, doi={10.1000/182}}"
TOC = """
format: jb-book
root: book/index
parts:
  - caption: Chapters
    numbered: 1
    chapters: [{file: book/01_one}, {file: book/02_two}, {file: book/references}]
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def project(root):
    """The project's machinery around two tiny chapters."""
    kept = "_config.yml", "tools", "book/_ext", "book/_static", "book/_templates", "benchmarks/README.md"
    for file in kept:
        copy = shutil.copytree if (ROOT / file).is_dir() else shutil.copyfile
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / file, root / file)
    write(root / "_toc.yml", TOC)
    write(root / "requirements.lock", "torch==2.13.0\n")
    write(root / "lib/unrolled/__init__.py", "")
    write(root / "book/index.md", "# Book\n\n```none\ngit clone {{ repository }}\n```\n")
    write(root / "book/01_one.md", CHAPTER)
    write(root / "book/02_two.md", HEAD + "\n# Two\n\n```{code-cell} python\n'two'\n```\n")
    write(root / "book/references.md", "# References\n\n```{bibliography}\n```\n")
    write(root / "book/references.bib", BIB)
    write(root / "notebooks/01_one.ipynb", "{}")
    return root


def build(root, **environ):
    """Run the tool as make does; return its exit code and all that it said."""
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("UNROLLED_")}
    done = subprocess.run([sys.executable, "tools/build_book.py"], cwd=root, env=quiet | environ,
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# What runs, and when: with a stand-in for the kernel -----------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A project, and the names of the chapters that `run_chapters` runs in it, as they come."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    ran = []
    monkeypatch.setattr(build_book, "execute", lambda nb, name: ran.append(name) or 0.5)

    def run():
        ran.clear()
        build_book.run_chapters(root)
        return sorted(ran)

    root = project(tmp_path)
    assert run() == ["01_one", "02_two"]
    return root, run


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    write(path, text.replace(old, new))


def test_a_second_run_runs_nothing(small):
    _, run = small
    assert run() == []


def test_a_changed_chapter_runs_alone(small):
    root, run = small
    edit(root / "book/02_two.md", "'two'", "'deux'")
    assert run() == ["02_two"]


def test_a_changed_tag_runs_its_chapter(small):
    root, run = small
    edit(root / "book/01_one.md", "[exercise]", "[exercise, hide-output]")
    assert run() == ["01_one"]


def test_changed_prose_runs_nothing(small):
    root, run = small
    edit(root / "book/01_one.md", "Some prose", "Other prose")
    assert run() == []


@pytest.mark.parametrize("file", ["lib/unrolled/__init__.py", "lib/unrolled/new.json", "requirements.lock"])
def test_a_change_in_the_library_or_the_lock_runs_everything(small, file):
    root, run = small
    write(root / file, "# changed\n")
    assert run() == ["01_one", "02_two"]


def test_another_budget_runs_everything(small, monkeypatch):
    _, run = small
    os.environ["UNROLLED_BUDGET"] = "full"
    assert run() == ["01_one", "02_two"]


def test_bytecode_of_the_library_is_no_change(small):
    root, run = small
    write(root / "lib/unrolled/__pycache__/x.pyc", "")
    assert run() == []


def test_outputs_of_a_library_that_changed_meanwhile_are_thrown_away(small, monkeypatch):
    root, run = small
    edit(root / "book/02_two.md", "'two'", "'deux'")

    def slow(nb, name):
        write(root / "lib/unrolled/__init__.py", "changed = True")
        return 0.5

    monkeypatch.setattr(build_book, "execute", slow)
    with pytest.raises(SystemExit, match="build again"):
        run()
    assert not list((root / "_build/outputs").glob("*"))


# The whole way, once with success and once without --------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = project(tmp_path_factory.mktemp("book"))
    code, said = build(root, UNROLLED_REPOSITORY="https://github.com/someone/fork")
    assert code == 0, said
    return root, said


def page(built, name="01_one"):
    return (built[0] / f"_build/html/book/{name}.html").read_text(encoding="utf-8")


def test_the_build_says_what_runs_and_where_the_book_is(built):
    assert re.search(r"run +01_one.*done +01_one +\d+\.\d s", built[1], re.S)
    assert str(built[0] / "_build/html/index.html") in built[1]


def test_a_page_loads_nothing_from_elsewhere(built):
    for file in (built[0] / "_build/html").rglob("*.html"):
        loads = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=\"((?:https?:)?//[^\"]+)",
                           file.read_text(encoding="utf-8"))
        assert loads == [], file.name
    for file in (built[0] / "_build/html/_static").rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", file.read_text(encoding="utf-8")), file.name


def test_every_local_file_that_a_page_loads_is_there(built):
    folder = built[0] / "_build/html/book"
    loads = re.findall(r"<(?:script|link|img)\b[^>]*(?:src|href)=\"([^\":?#]+)", page(built))
    assert any("mathjax" in load for load in loads)
    assert [load for load in loads if not (folder / load).exists()] == []


def test_no_script_is_loaded_that_the_pages_do_not_need(built):
    assert not re.search(r"fontawesome\.js|thebe|require(\.min)?\.js|searchindex\.js", page(built))


def test_an_exercise_shows_its_stub_and_folds_its_solution_away(built):
    before, _, fold = page(built).partition("Show one solution")
    plain = re.sub(r"<[^>]*>", "", before)
    assert "# your turn" in plain and "2 * x" not in plain
    inside = re.sub(r"<[^>]*>", "", fold.partition("</details>")[0])
    assert "return 2 * x" in inside and "42" in inside
    assert "# solution" not in plain + inside and "# end" not in plain + inside


def test_an_id_stands_on_a_page_once(built):
    ids = re.findall(r"\bid=\"([^\"]+)\"", page(built))
    assert sorted(ids) == sorted(set(ids))


def test_buttons_and_text_name_the_repository_that_publishes(built):
    colab = "https://colab.research.google.com/github/someone/fork/blob/main/notebooks/01_one.ipynb"
    assert f'href="{colab}"' in page(built)
    assert 'href="https://github.com/someone/fork/blob/main/book/01_one.md"' in page(built)
    assert "git clone https://github.com/someone/fork" in page(built, "index")
    assert (built[0] / "_build/html/notebooks/01_one.ipynb").exists()


def test_a_list_of_references_holds_list_items(built):
    references = page(built, "references")
    assert 'role="listitem"' in references and "doc-biblioentry" not in references


def test_pages_are_in_english(built):
    assert '<html lang="en"' in page(built)


def test_plain_jupyter_book_runs_the_chapters_in_the_same_way(built):
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "."]
    edit(built[0] / "book/02_two.md", "'two'", "'due'")
    done = subprocess.run(command, cwd=built[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "done  02_two" in done.stdout and "run   01_one" not in done.stdout
    assert "due" in page(built, "02_two")


@pytest.mark.parametrize("source, reason", [
    ("x = 1\nx / 0", "raises ZeroDivisionError: division by zero"),
    ("%nosuchmagic", "raises UsageError"),
    ("import os\nos._exit(1)", "killed its kernel"),
    ("import warnings\nwarnings.warn('hot')", "warns, and a warning is an error here"),
])  # fmt: skip
def test_a_failing_cell_is_shown_with_its_chapter_and_the_reason(source, reason):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in ("'fine'", source)])
    with pytest.raises(build_book.ChapterFailed) as failure:
        build_book.execute(nb, "07_lstm")
    said = str(failure.value)
    assert f"07_lstm: this cell {reason}" in said and f"\n{source}\n" in said and "'fine'" not in said


def test_a_chapter_that_runs_keeps_its_outputs_and_says_how_long_it_took():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('fine')")])
    assert build_book.execute(nb, "07_lstm") > 0
    assert nb.cells[0].outputs[0].text == "fine\n" and nb.cells[0].metadata == {}


def test_a_warning_of_the_build_stops_it_and_is_shown(tmp_path):
    root = project(tmp_path)
    edit(root / "book/index.md", "# Book", "# Book\n\n[to](nowhere.md)")
    code, said = build(root)
    assert code != 0 and "nowhere.md" in said and "The pages were not built" in said
