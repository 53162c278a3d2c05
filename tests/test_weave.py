"""From the book to the notebooks: quotes, stubs, plain Markdown, and the same bytes every time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import weave  # noqa: E402

CHAPTER, NOTEBOOK = "book/01_little.md", "notebooks/01_little.ipynb"


def run(verb, root, **options):
    """What a verb has to say: nothing when all is well."""
    try:
        weave.main(verb, root, **options)
    except SystemExit as stop:
        return stop.code or ""
    return ""


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def everything(root):
    """Each file of a project with its bytes."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    for name in "UNROLLED_REPOSITORY", "UNROLLED_NOTEBOOK_BRANCH":
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path):
    """A project of two chapters, woven."""
    shutil.copytree(ROOT / "tests" / "fixtures" / "weave", tmp_path, dirs_exist_ok=True)
    assert run("weave", tmp_path) == ""
    return tmp_path


@pytest.fixture(scope="module")
def woven(tmp_path_factory):
    """The notebook of the same project, for the tests that only read."""
    root = tmp_path_factory.mktemp("woven")
    shutil.copytree(ROOT / "tests" / "fixtures" / "weave", root, dirs_exist_ok=True)
    run("weave", root)
    return nbformat.read(root / NOTEBOOK, as_version=nbformat.NO_CONVERT)


@pytest.fixture(scope="module")
def prose(woven):
    return "\n\n".join(c.source for c in woven.cells if c.cell_type == "markdown")


@pytest.fixture(scope="module")
def code(woven):
    return [c.source for c in woven.cells if c.cell_type == "code"]


# ---- the book's side

def test_a_quote_holds_the_library_text_with_its_decorator_and_one_line_of_docstring(project):
    quote = '@functools.cache\ndef blend(z, old, new):\n    """Mix the old with the new."""\n    return z'
    assert ":lib: little.blend\n\n" + quote in (project / CHAPTER).read_text("utf-8")


def test_a_quoted_method_is_dedented(project):
    quote = '\ndef step(self, h, x):\n    """One step of time."""\n    return blend(HALF, h, x)\n'
    assert ":lib: little.Cell.step\n:tags: [hide-input]\n" + quote in (project / CHAPTER).read_text("utf-8")


def test_weaving_changes_nothing_in_the_book_but_the_quotes(project):
    before = (ROOT / "tests/fixtures/weave" / CHAPTER).read_text("utf-8").split("\n")
    after = (project / CHAPTER).read_text("utf-8").split("\n")
    rest = iter(after)
    assert all(line in rest for line in before)              # the old lines stand there still, in their order
    assert len(after) - len(before) == 9


def test_a_constant_and_a_class_can_be_quoted(project):
    edit(project / CHAPTER, ":lib: little.Cell.step", ":lib: little.HALF")
    edit(project / CHAPTER, ":lib: little.blend", ":lib: little.Cell")
    run("weave", project)
    text = (project / CHAPTER).read_text("utf-8")
    assert '\nHALF = 0.5\n' in text
    assert 'class Cell:\n    """A cell that blends."""\n\n    def step(self, h, x):\n        """One' in text


# ---- the notebooks' side

def test_a_notebook_is_valid_has_no_outputs_and_names_its_kernel(woven):
    nbformat.validate(woven)
    assert woven.metadata.kernelspec.name == "python3"
    assert all(c.outputs == [] and c.execution_count is None for c in woven.cells if c.cell_type == "code")


def test_the_title_comes_first_and_the_links_follow_it(woven):
    title, _, links = woven.cells[0].source.split("\n")[:3]
    assert title == "# A little chapter"
    assert "colab.research.google.com/github/OWNER/little/blob/main/notebooks/01_little.ipynb" in links
    assert "https://OWNER.github.io/little/book/01_little.html" in links


def test_the_first_code_cell_installs_the_library_and_leaves_torch_alone(code):
    assert WANTED in code[0]
    assert "--no-deps" in code[0] and "torch" not in code[0]
    assert sum("pip" in source for source in code) == 1


WANTED = "unrolled[digits,widgets] @ git+https://github.com/OWNER/little@main"


@pytest.fixture
def pip(monkeypatch):
    """A pip that installs nothing: it notes its arguments and ends as it is told."""
    def answer(command):
        answer.calls.append(command[1:])
        return subprocess.CompletedProcess(command, answer.returncode)
    answer.calls, answer.returncode = [], 0
    monkeypatch.setattr("subprocess.run", answer)
    return answer


def test_the_set_up_cell_does_nothing_where_the_library_is_installed(code, pip):
    exec(code[0], {})
    assert pip.calls == []


def only(*names):
    """A `find_spec` that finds these packages and, as Python's own, stumbles below a missing one."""
    def find_spec(name):
        if "." in name and name.split(".")[0] not in names:
            raise ModuleNotFoundError(name)
        return object() if name in names else None
    return find_spec


@pytest.mark.parametrize("there, options", [
    (["google", "google.colab"], ["--no-deps"]), (["google"], []), ([], [])])
def test_the_set_up_cell_brings_dependencies_only_where_colab_is_not(there, options, code, pip, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", only(*there))
    exec(code[0], {})
    assert pip.calls == [["-m", "pip", "install", "-q", *options, WANTED]]


def test_the_set_up_cell_says_that_python_is_too_old_before_it_asks_pip(code, pip, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", only())
    monkeypatch.setattr("sys.version_info", (3, 10, 12))
    monkeypatch.setattr("sys.version", "3.10.12 (main)")
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer; here is 3\.10\.12"):
        exec(code[0], {})
    assert pip.calls == []


def test_the_set_up_cell_says_what_to_do_when_the_library_cannot_be_fetched(code, pip, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", only())
    pip.returncode = 1
    with pytest.raises(SystemExit, match="Could not install unrolled.*Is the network up.*pip install -e"):
        exec(code[0], {})


def test_another_repository_can_be_named_by_the_environment(project, monkeypatch):
    monkeypatch.setenv("UNROLLED_REPOSITORY", "https://github.com/someone/fork.git")
    run("weave", project)
    text = (project / NOTEBOOK).read_text("utf-8")
    assert "colab.research.google.com/github/someone/fork/" in text and "OWNER" not in text


def test_badges_open_the_branch_of_notebooks_and_nothing_else_does(project, monkeypatch):
    monkeypatch.setenv("UNROLLED_NOTEBOOK_BRANCH", "shelf")
    run("weave", project)
    text = (project / NOTEBOOK).read_text("utf-8")
    assert "colab.research.google.com/github/OWNER/little/blob/shelf/notebooks/01_little.ipynb" in text
    assert "git+https://github.com/OWNER/little@main" in text and text.count("shelf") == 1


def test_a_solution_becomes_a_stub_at_the_same_indentation(code):
    assert "def double(x):\n    ...  # your turn\n\nprint(double(2))" in code


def test_book_cells_stay_in_the_book_and_panels_come_along(woven, code, prose):
    assert 'panel = "an interact panel"' in code
    assert "only in the book" not in "".join(code) and "Only in the book" not in prose
    tags = [c.metadata.get("tags", []) for c in woven.cells]
    assert [t for t in tags if t] == [["exercise"], ["notebook-only"]], "hide-cell means nothing here"


@pytest.mark.parametrize("plain", [
    "See [What comes next](https://OWNER.github.io/little/book/02_next.html) and [What comes next](https://OWNER."
    "github.io/little/book/02_next.html#ch-next).",
    "Time ([Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1)) began; [Bengio et al. (1994)](https://exa"
    "mple.org/bengio1994) went on",
    "([Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1); [Müller and van den Berg, 2001]"
    "(https://arxiv.org/abs/0101.00001))",
    "nobody1900 (1900). A state is kept, and states too.",
    "`{ref}` or\n`` a `tick` `` stays, and so does $x_{t}`$. Press <kbd>Tab</kbd>; H<sub>2</sub>O.",
    "$$\nh_t = z_t \\odot h_{t-1} + (1 - z_t) \\odot x_t \\tag{1.1}\n$$",
    "As Eq. 1.1 says, and The start says it again.",
    "[chapter](https://OWNER.github.io/little/book/02_next.html)",
    "[part](https://OWNER.github.io/little/book/02_next.html#counting)",
    "[file](https://raw.githubusercontent.com/OWNER/little/main/book/_static/box.svg).\n\n",
    "$$\n\\sum_t x_t \\tag{1.2}\n$$",
    "> **Note.** These words stand on the first line.\n> And Eq. 1.2 stands on the second.",
    "> **Do not *panic*.** Outer.\n>\n> > **Warning.** Inner, with\n> >\n> > ```python\n> > code ="
    ' "{ref}`kept as it is`"\n> > ```',
    "<details><summary>Hidden</summary>\n\nIn the box.\n\n</details>",
    "> **See also.** Other books.",
    "> **Aside.** A margin note with $x$.",
    "<details><summary>Look here</summary>\n\nThree lines\n\n- of\n- list\n\n</details>",
    "1. A list that holds a box\n\n   > **Tip.** Inside the item.\n\n2. and goes on.",
    "![A black box of ten by ten units](https://raw.githubusercontent.com/OWNER/little/main/book/_static/box.svg)"
    "\n\n*Figure 1.1. The box of [Elman (1990)](https://doi.org/10.1207/s15516709cog1402_1).*",
    "Figure 1.1 is black; Picture 1.1 too. Table 1.1 has rows.",
    "*Table 1.1. Some numbers*\n\n| a | b |",
    "**Left**\n\nLeft words.\n\n**Right**\n\nRight words.",
    "```bash\nmake weave\n```",
    "**Exercise 1.1. Double it**\n\nWrite `double(x)`.\n\n<details><summary>A hint</summary>\n\nUse Eq. 1.2.",
    "<details><summary>Solution of Exercise 1.1</summary>\n\nTwice.\n\n</details>",
    "**Exercise 1.2. Triple it**\n\nThree times.",
    "**Solution of Exercise 1.2**\n\nThrice.",
    "- Elman (1990). [Finding Structure in Time](https://doi.org/10.1207/s15516709cog1402_1).",
])
def test_sphinx_becomes_plain_markdown(prose, plain):
    assert plain in prose


def test_nothing_of_sphinx_is_left_in_a_notebook(prose):
    for kept in ("`{ref}`", "{ref}`kept as it is`", "x_{t}`"):          # code and mathematics, as written
        prose = prose.replace(kept, "")
    for sign in (":::", "```{", ")=\n", ":label:", "}`", "a remark for authors"):
        assert sign not in prose


def test_an_exercise_of_another_chapter_is_reached_through_the_book(project):
    text = (project / "notebooks/02_next.ipynb").read_text("utf-8")
    assert "[Exercise 1.1](https://OWNER.github.io/little/book/01_little.html#ex-double)" in text
    assert "**Exercise 2.1. Count**" in text


# ---- what must be refused

@pytest.mark.parametrize("wrong, message", [
    ("```{raw} html\nx\n```", "{raw} is a directive that notebooks cannot show"),
    ("A {strange}`role`.", "{strange} is a role that notebooks cannot show"),
    ("See {ref}`nowhere`.", "no chapter defines the label nowhere"),
    ("See {numref}`Figure %s <nowhere>`.", "no chapter defines the label nowhere"),
    ("See {doc}`99_nothing`.", "there is no chapter 99_nothing"),
    ("See [this](99_nothing.md).", "there is no chapter 99_nothing.md"),
    ("See [this](lost.pdf).", "leads to lost.pdf, which does not exist"),
    ("As {cite}`nobody2000` says.", "references.bib has no entry nobody2000"),
    ("A {term}`grue`.", "the glossary has no term grue"),
    ("```{note}\nnever ends", "is never closed"),
    ("$$\nx", "is never closed"),
    ("```{figure} _static/box.svg\nNo words.\n```", "has no :alt:"),
    ("```{exercise} Nameless\nDo.\n```", "needs a :label:"),
    ("````{note}\n```{code-cell} python\nnever_runs()\n```\n````", "never runs"),
    ("(orphan)=\n\nJust words.", "stands before no heading"),
    ("```{code-cell} python\ndef f():\n    # solution\n    return 1\n```", "go in pairs"),
    ("```{code-cell} python\n:tags: [notebook-only]\n\npanel()\n```", "needs the tags remove-cell"),
    ("```{code-cell} python\n---\nlib: little.HALF\n---\n```", "option line `:lib: module.name`"),
    ("```{code-cell} python\n:lib: little.lost\n```", ":lib: little.lost is not in"),
    ("```{code-cell} python\n:lib: lost.name\n```", ":lib: lost.name names no part"),
])
def test_what_cannot_be_woven_is_an_error_that_names_file_and_line(project, wrong, message):
    chapter = project / "book" / "02_next.md"
    text = chapter.read_text("utf-8")
    chapter.write_text(f"{text}\n{wrong}\n", encoding="utf-8")
    for verb in ("weave", "check"):
        answer = run(verb, project)
        assert answer.startswith("book/02_next.md:") and message in answer
        assert int(answer.split(":")[1]) > text.count("\n"), "the line is that of the mistake"


# ---- check

def test_a_fresh_weave_passes_the_check(project):
    assert run("check", project) == ""


@pytest.mark.parametrize("path, old, new, message", [
    ("lib/unrolled/little.py", "(1 - z)", "(1.0 - z)", "book/01_little.md quotes an older little.blend"),
    (CHAPTER, "return z * old", "return 2 * z * old", "book/01_little.md quotes an older little.blend"),
    (CHAPTER, "Three times.", "Four times.", "notebooks/01_little.ipynb differs from its chapter at cell 8"),
    (NOTEBOOK, "Three times.", "Four times.", "notebooks/01_little.ipynb differs from its chapter at cell 8"),
    ("_config.yml", "OWNER", "someone", "notebooks/01_little.ipynb differs from its chapter at cell 1"),
])
def test_what_is_out_of_date_is_named_with_its_cure(project, path, old, new, message):
    edit(project / path, old, new)
    before = everything(project)
    answer = run("check", project)
    assert message in answer and "Run `make weave`" in answer
    assert everything(project) == before, "check must change nothing"
    assert run("weave", project, force=True) == run("check", project) == ""


def test_a_notebook_without_a_chapter_and_a_chapter_without_a_notebook_are_named(project):
    (project / NOTEBOOK).rename(project / "notebooks/07_lost.ipynb")
    answer = run("check", project)
    assert "notebooks/01_little.ipynb is missing" in answer
    assert "notebooks/07_lost.ipynb has no chapter" in answer
    run("weave", project)
    assert sorted(p.name for p in (project / "notebooks").iterdir()) == ["01_little.ipynb", "02_next.ipynb"]


# ---- the same bytes on every run

def test_weaving_is_byte_identical_whatever_the_hash_seed(project):
    first = everything(project)
    for seed in "1", "2":
        shutil.rmtree(project / "notebooks")
        env = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, ROOT / "tools/weave.py", "weave", project], env=env, check=True)
        assert everything(project) == first


def test_a_change_in_one_cell_leaves_the_other_ids_alone(project):
    def ids():
        return [c["id"] for c in json.loads((project / NOTEBOOK).read_text("utf-8"))["cells"]]
    before = ids()
    edit(project / CHAPTER, "Three times.", "Four times.")
    run("weave", project)
    assert sum(a != b for a, b in zip(before, ids(), strict=True)) == 1
    assert len(set(before)) == len(before)


# ---- the book itself

def test_the_quotes_and_notebooks_of_the_book_are_up_to_date():
    assert list((ROOT / "book").glob("[0-9]*.md")), "there are no chapters"
    assert run("check", ROOT) == ""
