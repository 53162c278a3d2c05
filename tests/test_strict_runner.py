"""The strict runner catches what nbval lets pass, and leaves good notebooks alone."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run_notebooks  # noqa: E402


def notebook(*sources, tags=(), **first):
    """A notebook of code cells; tags and stored outputs belong to the first of them."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nb.cells[0].update(first)
    nb.cells[0].metadata["tags"] = list(tags)
    return nb


def examine(nb, **options):
    return "\n".join(run_notebooks.examine(nb, **options))


# ---- faults that show when it runs, in one kernel each

@pytest.mark.parametrize("sources, fault", [
    (["1 / 0"], "cell 1 raises ZeroDivisionError: division by zero"),
    (["x = 1", "%nosuchmagic\nraise ValueError"], "cell 2 raises UsageError"),
    (["%%nosuchcellmagic\nx"], "cell 1 raises UsageError"),
    (["import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()"],
     "a thread failed with ZeroDivisionError"),
    (["import threading\nthreading.Timer(0.3, lambda: [][0]).start()", "done = True"],
     "a thread failed with IndexError"),
    (["import sys, traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()"],
     "cell 1 writes a traceback to stderr"),
    (["x = 1", "raise SystemExit(1)"], "cell 2 raises SystemExit"),
    (["input('name? ')"], "cell 1 raises StdinNotImplementedError"),
    (["print('x' * 2_000_000)"], "cell 1 says more than 1,000,000 characters"),
    (["while True:\n    print('x' * 1000)"], "cell 1 says more than 1,000,000 characters"),
])
def test_a_fault_at_run_time_is_caught_and_named(sources, fault):
    assert fault in examine(notebook(*sources), timeout=60)


@pytest.mark.parametrize("source", ["import os; os._exit(1)", "import os; os.kill(os.getpid(), 9)"])
def test_a_dead_kernel_is_noticed_long_before_the_timeout(source):
    assert examine(notebook("x = 1", source), timeout=3600) == "cell 2 killed its kernel"


def test_an_endless_cell_is_stopped():
    assert "cell 1 still runs after 2 s" in examine(notebook("while True:\n    pass"), timeout=2)


def test_a_cell_that_says_something_else_the_second_time_is_caught():
    nb = notebook("try:\n    n += 1\nexcept NameError:\n    n = 1", "print(n)")
    assert examine(nb) == ""
    assert examine(nb, twice=True) == "cell 2 says something else the second time: '1', then '2'"


def test_a_cell_that_cannot_be_run_again_is_caught():
    nb = notebook("import builtins\nassert not hasattr(builtins, 'once')\nbuiltins.once = True")
    assert "cell 1 raises AssertionError" in examine(nb, twice=True)


# ---- faults that stand in the text

@pytest.mark.parametrize("nb, fault", [
    (notebook("# NBVAL_CHECK_OUTPUTS\nprint(1)"), "NBVAL_CHECK_OUTPUTS is no marker"),
    (notebook("# NVBAL_SKIP\nprint(1)"), "NVBAL_SKIP is no marker"),
    (notebook("print(1)  # NBVAL_IGNORE_OUTPUT"), "NBVAL_IGNORE_OUTPUT must stand in a comment of its own"),
    (notebook("print(1)", tags=["nbval-ignore-outputs"]), "nbval-ignore-outputs is no tag"),
    (notebook("print(1)", tags=["raise-exception"]), "raise-exception is no tag"),
    (notebook("# NBVAL_CHECK_OUTPUT\nprint(1)"), "no stored output to compare with"),
    (notebook("print(1)", tags=["nbval-check-output"]), "no stored output to compare with"),
    (notebook("# NBVAL_CHECK_OUTPUT\nprint(1)", execution_count=1), "no stored output to compare with"),
    (notebook("!false"), "is not plain Python: !false"),
    (notebook("files = !ls"), "is not plain Python: files = !ls"),
    (notebook("%time x = 1"), "is not plain Python: %time x = 1"),
    (notebook("print?"), "is not plain Python: print?"),
    (notebook("def f(:"), "is not Python: "),
])
def test_a_fault_in_the_text_is_caught_without_running(nb, fault):
    assert fault in "\n".join(run_notebooks.lint(nb.cells[0]))


def test_a_notebook_without_code_is_a_fault():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Words.")])
    assert examine(nb) == "it has no code at all"


# ---- good ones

GOOD = [
    "%matplotlib inline\nimport sys, threading, warnings\nprint('100 % !not a shell line', sys.argv and 1)",
    "warnings.warn('a warning is no fault', FutureWarning)\nprint('Traceback is a word', file=sys.stderr)",
    "t = threading.Thread(target=print, args=('fine',))\nt.start(); t.join()\nprint(object(), 'in 3.2 s')",
    "s = '''\n%text\n!more text\n'''\nprint(len(s)); print('x' * 900_000)",
    "import asyncio\nawait asyncio.sleep(0)\ns",
    "import time\nfor n in range(6):\n    print(n, flush=True)\n    time.sleep(0.01 * n)",
]


def test_a_good_notebook_passes_once_and_twice():
    assert examine(notebook(*GOOD), twice=True) == ""


def test_an_announced_error_and_a_stored_output_are_no_faults():
    stored = [nbformat.v4.new_output("stream", text="1\n")]
    sources = ["# NBVAL_CHECK_OUTPUT\nprint(1)", "1 / 0", "print('goes on')"]
    nb = notebook(*sources, execution_count=1, outputs=stored)
    nb.cells[1].metadata["tags"] = ["raises-exception"]
    assert examine(nb) == ""


# ---- the command

def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["run_notebooks.py", *map(str, arguments)])
    return run_notebooks.main(), capsys.readouterr().out


def test_the_command_prints_one_line_per_notebook_and_counts_the_failures(tmp_path, monkeypatch, capsys):
    for name, source in ("good", "x = 1"), ("bad", "raise OSError('gone')"):
        nbformat.write(notebook(source), tmp_path / f"{name}.ipynb")
    failed, out = command(monkeypatch, capsys, tmp_path / "bad.ipynb", tmp_path / "good.ipynb")
    assert failed == 1
    bad, fault, good = out.splitlines()
    assert bad.endswith(" s  FAILED") and good.endswith(" s  ok")
    assert fault == "    cell 1 raises OSError: gone"


def test_finding_no_notebooks_is_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, capsys) == (1, "no notebooks found\n")
