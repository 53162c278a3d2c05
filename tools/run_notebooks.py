"""Run notebooks as strictly as a careful reader would, and say what is wrong with them.

    run_notebooks.py [--twice] [--timeout 120] [NOTEBOOK ...]      (default: notebooks/*.ipynb)

nbval asks whether stored outputs came out again. This asks the rest: unknown magics, exceptions in threads,
dead kernels, endless cells, floods of output, markers that are misspelt or have nothing to compare with,
shell lines that work on one machine only. `--twice` runs all cells a second time in the same kernel, and
every cell must say what it said before.
"""

import argparse
import ast
import asyncio
import copy
import difflib
import itertools
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

OUTPUT_CAP = 1_000_000          # characters that one cell may say
ALLOWED = ("%matplotlib",)      # lines beside Python that every Jupyter and Colab understands
MARKERS = ["NBVAL_CHECK_OUTPUT", "NBVAL_IGNORE_OUTPUT", "NBVAL_RAISES_EXCEPTION", "NBVAL_SKIP"]
TAGS = [m.lower().replace("_", "-") for m in MARKERS] + ["raises-exception"]
VARIES = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)? ?(?:s|ms|µs|it/s|seconds|minutes)\b")    # addresses and times
# A thread may fail after its cell has ended, when nobody listens any more: failures are kept, and read last.
START = """
import threading
threading.faults = []
def _keep(args, hook=threading.excepthook):
    threading.faults.append(f"{args.exc_type.__name__}: {args.exc_value}")
    hook(args)
threading.excepthook = _keep
del threading, _keep
"""
END = """
import threading
for thread in threading.enumerate():
    if not thread.daemon and thread is not threading.current_thread():
        thread.join(2)
print("\\n".join(threading.faults), end="")
"""


# ---- what can be seen without running

def lint(cell: nbformat.NotebookNode) -> list[str]:
    """The faults of one code cell that stand in its text."""
    comments = [line.strip() for line in cell.source.split("\n") if line.strip().startswith("#")]
    words = [word for line in comments for word in re.findall(r"[A-Z_]{4,}", line)]
    marks = [word for word in words if difflib.get_close_matches(word, MARKERS, cutoff=0.75)]
    marks += re.findall(r"\bNBVAL\w*", cell.source)
    tags = [t for t in cell.metadata.get("tags", []) if difflib.get_close_matches(t, TAGS, cutoff=0.75)]
    faults = [f"{m} is no marker of nbval" for m in sorted(set(marks)) if m not in MARKERS]
    faults += [f"{t} is no tag of nbval" for t in tags if t not in TAGS]
    faults += [f"{m} must stand in a comment of its own" for m in MARKERS if m in marks and m not in words]
    checked = MARKERS[0] in words or TAGS[0] in tags
    if checked and (cell.execution_count is None or not cell.outputs):
        faults.append("is marked for comparison and has no stored output to compare with")
    return faults + _beside_python(cell.source)


def _beside_python(source):
    lines = [line for line in source.split("\n") if not line.lstrip().startswith(ALLOWED)]
    try:
        compile("\n".join(lines), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        odd = [line for line in lines if re.match(r"\s*(?:[%!?]|\w+ *= *[%!])|.*\?\s*$", line)]
        return [f"is not plain Python: {line.strip()}" for line in odd] or [f"is not Python: {error.msg}"]
    return []


# ---- what shows when it runs

class StrictClient(NotebookClient):
    """A client that remembers which cell is running and stops cells that talk too much."""

    extra_arguments = ["--IPKernelApp.log_level=40"]     # else each kernel warns that it talks over TCP

    def __init__(self, nb: nbformat.NotebookNode, **settings):
        super().__init__(nb, on_cell_execute=self._note, shutdown_kernel="immediate", **settings)
        self.current, self.said = 0, {}

    def _note(self, cell, cell_index):
        self.current = cell_index

    def process_message(self, msg: dict, cell: nbformat.NotebookNode, cell_index: int) -> object:
        """Count what a cell says; past the cap, drop it and interrupt the cell."""
        content = msg["content"]
        words = [content.get("text", ""), *map(str, content.get("data", {}).values())]
        before = self.said.get(cell_index, 0)
        self.said[cell_index] = before + sum(map(len, words))
        if self.said[cell_index] <= OUTPUT_CAP or msg["msg_type"] in ("status", "execute_input", "error"):
            return super().process_message(msg, cell, cell_index)
        if before <= OUTPUT_CAP:
            asyncio.ensure_future(ensure_async(self.km.interrupt_kernel()))
        return None

    def fault(self) -> str:
        """Run all cells; return what stopped them, or nothing."""
        stop = ""
        try:
            self.execute()
        except CellTimeoutError:
            stop = f"still runs after {self.timeout} s"
        except DeadKernelError:
            stop = "killed its kernel"
        except CellExecutionError as error:
            stop = f"raises {error.ename}: {error.evalue}"
        if loud := [index for index, said in self.said.items() if said > OUTPUT_CAP]:
            self.current, stop = loud[0], f"says more than {OUTPUT_CAP:,} characters"
        return stop


def outputs(cell: nbformat.NotebookNode) -> str:
    """What a cell said in words, with addresses and times taken out.

    Warnings are left out, since Python gives each of them once. Printed text comes in arbitrary pieces.
    """
    said = [o for o in cell.outputs if o.get("name") != "stderr"]
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") + "\n" for o in said]
    return VARIES.sub("~", "".join(texts))


def changed(first: nbformat.NotebookNode, second: nbformat.NotebookNode) -> str:
    """The first line that two runs of a cell do not share."""
    one, two = outputs(first).split("\n"), outputs(second).split("\n")
    return next((f"{a!r}, then {b!r}" for a, b in itertools.zip_longest(one, two) if a != b), "")


def examine(nb: nbformat.NotebookNode, timeout: int = 120, twice: bool = False) -> list[str]:
    """All faults of a notebook, each with the number of its cell; an empty list means that it is good."""
    code = [(n, cell) for n, cell in enumerate(nb.cells, 1) if cell.cell_type == "code"]
    faults = [f"cell {n} {fault}" for n, cell in code for fault in lint(cell)]
    if not code:
        return ["it has no code at all"]
    passes = [copy.deepcopy(code) for _ in range(1 + twice)]
    ran = [(n, cell) for one in passes for n, cell in one]
    stop, threads = execute([cell for _, cell in ran], timeout)
    if stop:
        faults.append(f"cell {ran[stop[0]][0]} {stop[1]}")
    faults += [f"a thread failed with {fault}" for fault in threads]
    faults += [f"cell {n} writes a traceback to stderr" for n, cell in ran if _traceback(cell)]
    if twice and not stop:
        faults += [f"cell {n} says something else the second time: {change}"
                   for (n, first), (_, second) in zip(*passes) if (change := changed(first, second))]
    return faults


def execute(cells: list[nbformat.NotebookNode], timeout: int) -> tuple[tuple[int, str] | None, list[str]]:
    """Run cells in a fresh kernel and folder: which one stopped it and why, and how its threads failed."""
    start, end = nbformat.v4.new_code_cell(START), nbformat.v4.new_code_cell(END)
    whole = nbformat.v4.new_notebook()
    whole.cells = [start, *cells, end]
    for n, cell in enumerate(whole.cells):
        cell.id = f"cell-{n}"                       # a second pass must not repeat the ids of the first
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        client = StrictClient(whole, timeout=timeout, kernel_name="python3", resources=place)
        stop = client.fault()
    threads = [line for line in outputs(end).split("\n") if line] if end.get("outputs") else []
    return (client.current - 1, stop) if stop else None, threads


def _traceback(cell):
    spoken = [o for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == "stderr"]
    return any("Traceback (most recent call last)" in o.text for o in spoken)


def main() -> int:
    """Examine the notebooks named on the command line; return the number that failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--twice", action="store_true", help="run all cells again in the same kernel")
    parser.add_argument("--timeout", type=int, default=120, help="seconds that one cell may take")
    options = parser.parse_args()
    paths = options.notebooks or sorted(Path("notebooks").glob("*.ipynb"))
    os.environ.setdefault("UNROLLED_OFFLINE", "1")
    os.environ.setdefault("UNROLLED_PROGRESS", "0")
    failed = 0 if paths else 1
    print("" if paths else "no notebooks found", end="" if paths else "\n")
    for path in paths:
        start = time.monotonic()
        faults = examine(nbformat.read(path, as_version=4), options.timeout, options.twice)
        print(f"{path}  {time.monotonic() - start:.1f} s  {'FAILED' if faults else 'ok'}", flush=True)
        print("".join(f"    {fault}\n" for fault in faults), end="")
        failed += bool(faults)
    return failed


if __name__ == "__main__":
    sys.exit(main())
