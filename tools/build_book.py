"""Build the book: run the chapters that have no outputs yet, two at a time, then render the pages.

    python tools/build_book.py            what `make book` calls

A chapter's outputs are kept under a key made of its code cells (jupyter-cache sees to that) and of
everything else that they depend on: the library, the lock, Python, the settings (`key`).  So a change
anywhere runs what depends on it again, and nothing else.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lecture_map
import run_notebooks
from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import is_myst_markdown_notebook, myst_nb_reader_plugin
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
AT_ONCE = 2
CELL_LIMIT = 300  # seconds
ANSI = re.compile(r"\x1b\[[0-9;]*m")
run_notebooks.StrictClient.extra_arguments = ["--IPKernelApp.log_level=40"]  # else each warns of TCP


class ChapterFailed(Exception):
    """A chapter does not run; the message shows the cell and the end of its traceback."""


def key(root: Path) -> str:
    """A hash of everything that outputs depend on besides the chapter itself."""
    files = [p for p in sorted(root.glob("lib/**/*")) if p.is_file() and "__pycache__" not in p.parts]
    seen = hashlib.sha256(sys.version.encode())
    for path in [root / "requirements.lock", *files]:
        if ".egg-info" not in str(path):
            seen.update(str(path.relative_to(root)).encode() + path.read_bytes())
    for name in "UNROLLED_BUDGET", "UNROLLED_DATA":
        seen.update(f"{name}={os.environ.get(name, '')}".encode())
    return seen.hexdigest()[:16]


def execute(nb: NotebookNode, name: str) -> float:
    """Run a chapter's cells in place, as strictly as notebooks are tested; return the seconds.

    Nothing may be left on stderr either: a reader would see it in red.
    """
    code, start = [cell for cell in nb.cells if cell.cell_type == "code"], time.monotonic()
    stop, threads = run_notebooks.execute(code, CELL_LIMIT)
    if stop:
        raise ChapterFailed(report(name, code[stop[0]], stop[1]))
    for cell in code:
        cell.metadata.pop("execution", None)  # times; the cache would take the cell for another one
        if told := "".join(o.text for o in cell.outputs if o.get("name") == "stderr"):
            raise ChapterFailed(report(name, cell, f"warns, and a warning is an error here:\n{told}"))
    if threads:
        raise ChapterFailed(f"\n{name}: a thread failed with {'; '.join(threads)}\n")
    return time.monotonic() - start


def report(name: str, cell: NotebookNode, reason: str, lines: int = 15) -> str:
    """What a cell says, why it failed, and the end of its traceback."""
    traceback = "\n".join(line for o in cell.get("outputs", []) for line in o.get("traceback", []))
    what, _, more = reason.partition("\n")
    tail = "\n".join(ANSI.sub("", traceback or more).rstrip().splitlines()[-lines:])
    return f"\n{name}: this cell {what}\n{'-' * 70}\n{cell.source}\n{'-' * 70}\n{tail}\n"


def run_chapters(root: Path = ROOT) -> Path:
    """Run the chapters that have no outputs; return the folder of outputs, or leave with what failed."""
    os.environ.update(UNROLLED_OFFLINE="1", UNROLLED_PROGRESS="0", PYTHONHASHSEED="0")
    # What somebody has downloaded changes nothing, unless UNROLLED_DATA says so (and then `key` knows).
    os.environ["UNROLLED_CACHE"] = str(root / "_build" / "data")
    outputs = root / "_build" / "outputs" / key(root)
    for old in outputs.parent.glob("*"):
        if old != outputs:
            shutil.rmtree(old)
    outputs.mkdir(parents=True, exist_ok=True)
    chapters, cache = sorted(root.glob("book/*.md")), get_cache(outputs)
    if failures := fill(cache, chapters):
        sys.exit("\n".join(failures))
    if outputs.name != key(root):
        shutil.rmtree(outputs)
        sys.exit("The library changed while chapters ran, so their outputs were thrown away: build again.")
    done = {path.stem: cache.merge_match_into_notebook(page)[1] for path, page in read(chapters).items()}
    (root / "book" / "lecture_map.md").write_text(lecture_map.page(done, root), encoding="utf-8")
    # In a process of its own: Sphinx looks at every object there is, and torch has some that warn of it.
    subprocess.run([sys.executable, HERE / "results.py", root / "book" / "results.md"], check=True)
    return outputs


def read(paths: list[Path]) -> dict[Path, NotebookNode]:
    """The pages that have code, as notebooks."""
    coded = [path for path in paths if is_myst_markdown_notebook(path.read_text(encoding="utf-8"))]
    return {path: myst_nb_reader_plugin(str(path)) for path in coded}


def fill(cache: JupyterCacheAbstract, paths: list[Path]) -> list[str]:
    """Put the outputs of all pages with code into the cache; return the reports of those that fail."""
    pages = read(paths)
    known = {record.hashkey for record in cache.list_cache_records()}
    todo = {p: nb for p, nb in pages.items() if cache.create_hashed_notebook(nb)[1] not in known}
    print(f"{len(pages)} pages with code, {len(todo)} to run, {AT_ONCE} at a time", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = pool.map(attempt, [path.stem for path in todo], todo.values())
        reports = [store(cache, path, nb, *outcome) for (path, nb), outcome in zip(todo.items(), outcomes)]
    return [report for report in reports if report]


def store(cache: JupyterCacheAbstract, path: Path, nb: NotebookNode, seconds: float, report: str) -> str:
    """Keep a page's outputs as soon as it has run, unless it failed; hand the report on."""
    if not report:
        bundle = CacheBundleIn(nb, str(path), data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return report


def attempt(name: str, nb: NotebookNode) -> tuple[float, str]:
    """Run one page; its seconds, and the report where it failed."""
    try:
        return announce(name, nb), ""
    except ChapterFailed as failure:
        return 0.0, str(failure)


def announce(name: str, nb: NotebookNode) -> float:
    """Run one chapter, and say so at both ends."""
    print(f"  run   {name}", flush=True)
    try:
        seconds = execute(nb, name)
    except Exception:
        print(f"  FAIL  {name}", flush=True)
        raise
    print(f"  done  {name}  {seconds:.1f} s", flush=True)
    return seconds


def render(root: Path, outputs: Path) -> None:
    """Turn chapters and outputs into pages, as `jupyter-book build -W -n --keep-going --all` does."""
    shutil.rmtree(root / "_build" / "html", ignore_errors=True)
    known = len(get_cache(outputs).list_cache_records())
    os.environ["UNROLLED_OUTPUTS"] = str(outputs)
    settings = {"external_toc_path": str(root / "_toc.yml"), "latex_individualpages": False, "nitpicky": True}
    strict = {"warningiserror": True, "keep_going": True, "freshenv": True, "quiet": True}
    if build_sphinx(root, root / "_build/html", path_config=root / "_config.yml", noconfig=True,
                    confoverrides=settings, **strict):
        sys.exit("The pages were not built: see the warnings above.")
    if len(get_cache(outputs).list_cache_records()) != known:
        sys.exit("Sphinx read a page's cells differently from this tool, and ran them again: see `fill`.")


def main() -> None:
    start = time.monotonic()
    render(ROOT, run_chapters(ROOT))
    page = ROOT / "_build" / "html" / "index.html"
    print(f"\nThe book is built ({time.monotonic() - start:.0f} s).\n  open   {page}\n  serve  make serve")


if __name__ == "__main__":
    main()
