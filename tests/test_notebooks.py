"""Every notebook runs from top to bottom without a network; every exercise can be solved.

`make test-slow` runs each of them twice in one kernel besides.

One chapter alone: `pytest tests/test_notebooks.py -k 04`.
"""

import contextlib
import io
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run_notebooks  # noqa: E402
import weave  # noqa: E402

WOVEN = {path.stem for path in (ROOT / "book").glob("*.md")}
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem in WOVEN)
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.md"))
OFFLINE = Path(__file__).parent / "offline"
NBVAL = ["--nbval-lax", "--nbval-cell-timeout=120", "--nbval-sanitize-with=tests/nbval_sanitize.cfg"]


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """The environment that kernels start in: no network, and a log of every attempt to reach one."""
    log = tmp_path / "sockets.log"
    settings = {"UNROLLED_OFFLINE": "1", "UNROLLED_PROGRESS": "0", "UNROLLED_SOCKET_LOG": str(log),
                "PYTHONPATH": str(OFFLINE), "UNROLLED_CACHE": str(tmp_path / "cache")}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    return log


def attempts(log):
    return log.read_text(encoding="utf-8") if log.exists() else ""


# ---- the guard itself

@pytest.mark.parametrize("source", [
    "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)",
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; "
    "socket.gethostbyname(\"example.org\")'], check=True)",
])
def test_the_guard_refuses_the_network_and_writes_it_down(kernels, source):
    answer = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, encoding="utf-8")
    assert answer.returncode != 0 and "tests run without network" in answer.stderr
    assert attempts(kernels).startswith("socket.")


def test_the_guard_leaves_the_machine_itself_alone(kernels):
    source = ("import socket; s = socket.create_server(('127.0.0.1', 0)); "
              "socket.create_connection(s.getsockname()); socket.getaddrinfo('localhost', 80)")
    assert subprocess.run([sys.executable, "-c", source]).returncode == 0
    assert attempts(kernels) == ""


# ---- the notebooks

def test_there_is_a_notebook_for_every_chapter():
    assert NOTEBOOKS and [n.stem for n in NOTEBOOKS] == [c.stem for c in CHAPTERS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_nbval_passes_without_a_network(path, kernels):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *NBVAL, path]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert answer.returncode == 0, answer.stdout[-5000:]
    assert attempts(kernels) == ""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_strict_runner_passes_twice_in_one_kernel(path, kernels):
    assert run_notebooks.examine(nbformat.read(path, as_version=4), twice=True) == []
    assert attempts(kernels) == ""


# ---- the exercises

@cache
def code(chapter):
    """The code cells of a chapter, solutions included."""
    cells = jupytext.read(chapter, fmt="md:myst").cells
    return [cell for cell in cells if cell.cell_type == "code"]


def exercises(chapter):
    return [cell.source for cell in code(chapter) if "exercise" in cell.metadata.get("tags", [])]


EXERCISES = [pytest.param(chapter, source, id=f"{chapter.stem}-{n}")
             for chapter in CHAPTERS for n, source in enumerate(exercises(chapter), 1)]


def verdict(chapter, source):
    """What the check says when a reader runs the chapter's imports and then this cell alone."""
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code(chapter)[0].source, chapter.name, "exec"), names)
        exec(compile(source, chapter.name, "exec"), names)
    return names["verdict"]


@pytest.mark.parametrize("chapter, source", EXERCISES)
def test_the_solution_of_an_exercise_passes_its_check(chapter, source):
    answer = verdict(chapter, source)
    assert answer.status == "correct", repr(answer)


@pytest.mark.parametrize("chapter, source", EXERCISES)
def test_the_stub_of_an_exercise_is_not_attempted_yet_and_stops_nobody(chapter, source):
    stub = weave.blank(source)
    assert "# your turn" in stub
    answer = verdict(chapter, stub)
    assert answer.status == "not attempted" and answer.use is not None


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_has_four_to_six_exercises(chapter):
    assert 4 <= len(exercises(chapter)) <= 6


def test_only_the_environment_decides_what_a_kernel_may_reach():
    assert "UNROLLED_SOCKET_LOG" not in os.environ, "the guard belongs to kernels, not to this process"
