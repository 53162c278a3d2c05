"""Weaving overwrites and deletes nothing that people wrote and that stands nowhere else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import keep  # noqa: E402
import weave  # noqa: E402

CHAPTER, NOTEBOOK = "book/01_little.md", "notebooks/01_little.ipynb"


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    ours = ["UNROLLED_REPOSITORY", "UNROLLED_NOTEBOOK_BRANCH"]
    for name in [*ours, "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"]:    # git sets its own inside a hook
        monkeypatch.delenv(name, raising=False)


def git(root, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(params=["in git", "outside git"])
def project(request, tmp_path):
    """A project of two chapters, woven; once committed to git, once a mere folder."""
    shutil.copytree(ROOT / "tests" / "fixtures" / "weave", tmp_path, dirs_exist_ok=True)
    weave.main("weave", tmp_path)
    if request.param == "in git":
        git(tmp_path, "init", "--quiet")
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", "woven")
    return tmp_path


def versioned(project):
    return (project / ".git").exists()


def said(verb, root, **options):
    """What stops a verb: nothing when all is well."""
    try:
        weave.main(verb, root, **options)
    except SystemExit as stop:
        return stop.code or ""
    return ""


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def solve(nb):
    cell = next(cell for cell in nb.cells if "# your turn" in cell.source)
    cell.source = cell.source.replace("...  # your turn", "return 2 * x")


def execute(nb):
    cell = next(cell for cell in nb.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", text="4\n")]


def add(nb):
    nb.cells.append(nbformat.v4.new_markdown_cell("What I think."))


def work(path, deed):
    """Do a deed in a notebook, and save it as JupyterLab does."""
    nb = nbformat.read(path, as_version=4)
    deed(nb)
    nb.metadata.language_info.version = "3.12.1"
    nbformat.write(nb, path)
    return path.read_bytes()


# ---- a chapter's notebook

@pytest.mark.parametrize("deed, where", [
    (solve, "cell 7 was written or changed by hand"), (execute, "cell 2 holds outputs"),
    (add, "was written or changed by hand")])
def test_weaving_stops_at_a_notebook_that_holds_work_and_writes_nothing(project, deed, where):
    before = work(project / NOTEBOOK, deed)
    edit(project / CHAPTER, "Three times.", "Four times.")
    edit(project / "lib/unrolled/little.py", "(1 - z)", "(1.0 - z)")
    chapter = (project / CHAPTER).read_bytes()
    message = said("weave", project)
    assert message.startswith(f"{NOTEBOOK}: cell ") and where in message
    assert "make weave FORCE=1" in message and "my_notebooks/" in message
    assert (project / NOTEBOOK).read_bytes() == before and (project / CHAPTER).read_bytes() == chapter
    assert said("weave", project, force=True) == said("check", project) == ""


def test_the_cure_works(project):
    work(project / NOTEBOOK, solve)
    (project / "my_notebooks").mkdir()
    (project / NOTEBOOK).rename(project / "my_notebooks/01_little.ipynb")
    assert said("weave", project) == said("check", project) == ""


def test_a_notebook_that_was_only_opened_and_saved_is_woven_again(project):
    work(project / NOTEBOOK, lambda nb: None)
    assert said("weave", project) == said("check", project) == ""


def test_who_edits_chapters_weaves_as_often_as_he_likes(project):
    for new in "Four times.", "Five times.":
        text = (project / CHAPTER).read_text("utf-8")
        (project / CHAPTER).write_text(text.replace("Three times.", new), encoding="utf-8")
        assert said("weave", project) == said("check", project) == ""


def test_work_that_git_holds_may_be_woven_over(project):
    work(project / NOTEBOOK, solve)
    if versioned(project):
        git(project, "commit", "--quiet", "--all", "--message", "solved")
    assert (said("weave", project) == "") == versioned(project)


def test_a_notebook_that_cannot_be_read_is_left_alone(project):
    edit(project / NOTEBOOK, '{\n "cells"', '<<<<<<< mine\n{\n "cells"')
    assert f"{NOTEBOOK}: cannot be read as a notebook" in said("weave", project)


# ---- a notebook without a chapter

def test_a_notebook_of_somebodys_own_stays_and_is_no_fault(project, capsys):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("my = 'answer'")])
    nbformat.write(nb, project / "notebooks/my_answers.ipynb")
    assert said("weave", project) == said("check", project) == ""
    assert (project / "notebooks/my_answers.ipynb").exists()
    assert "notebooks/my_answers.ipynb belongs to no chapter: left as it is." in capsys.readouterr().out


def test_a_copy_that_git_does_not_know_stays(project):
    shutil.copyfile(project / NOTEBOOK, project / "notebooks/copy.ipynb")
    assert said("weave", project) == ""
    assert (project / "notebooks/copy.ipynb").exists() == versioned(project)


@pytest.mark.parametrize("deed, goes", [(None, True), (solve, False)])
def test_the_notebook_of_a_chapter_that_went_goes_too_unless_it_holds_work(project, deed, goes):
    if deed:
        work(project / "notebooks/01_little.ipynb", deed)
    for path in project.glob("book/*.md"):
        if path.name != "01_little.md":
            edit_links(path)
    (project / CHAPTER).unlink()
    message = said("weave", project)
    assert (project / NOTEBOOK).exists() != goes
    assert ("01_little.ipynb" in message) == (not goes and versioned(project))


def edit_links(path):
    """Take everything out of a chapter that may point at another one."""
    path.write_text("# Alone\n\nWords.\n", encoding="utf-8")


# ---- what a notebook says of itself

def test_ids_of_cells_with_the_same_text_count_as_woven(tmp_path):
    same = {"cell_type": "markdown", "source": ["a\n", "b"], "metadata": {}}
    name = keep.digest("markdown", "a\nb")
    path = tmp_path / "x.ipynb"
    cells = [same | {"id": name}, same | {"id": f"{name}-2"}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert keep.work(path) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": []}', '{"cells": [1]}', '{"cells": [{}]}'])
def test_what_is_no_notebook_is_never_taken_for_ours(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text, encoding="utf-8")
    assert keep.work(path)


def test_the_notebooks_of_the_book_are_as_woven():
    assert {path.name: keep.work(path) for path in sorted(ROOT.glob("notebooks/*.ipynb"))
            if keep.work(path)} == {}
