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
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_book.sphinx import build_sphinx
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import is_myst_markdown_notebook, myst_nb_reader_plugin
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 2
CELL_LIMIT = 300  # seconds
ANSI = re.compile(r"\x1b\[[0-9;]*m")
ENDINGS = {CellTimeoutError: f"A cell ran for more than {CELL_LIMIT} s.", DeadKernelError: "The kernel died."}


class ChapterFailed(Exception):
    """A chapter does not run; the message shows the cell and why."""


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


def execute(nb: NotebookNode, name: str = "notebook", limit: int = CELL_LIMIT) -> float:
    """Run the notebook's cells in place, in an empty folder; return the seconds, or raise ChapterFailed.

    Stricter than most runners: an exception in a thread, an unknown magic and a dead kernel count too.
    """
    begun, start = [], time.monotonic()
    with TemporaryDirectory() as folder:
        here = {"metadata": {"path": folder}}
        client = NotebookClient(nb, timeout=limit, record_timing=False, resources=here)
        client.extra_arguments = ["--IPKernelApp.log_level=40"]  # it warns of TCP on every start
        client.on_cell_start = lambda cell, cell_index: begun.append(cell)
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise ChapterFailed(report(name, begun[-1], ENDINGS.get(type(error), str(error)))) from None
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr" and "Traceback (most recent call last)" in output.text:
                raise ChapterFailed(report(name, cell, output.text))
    return time.monotonic() - start


def report(name: str, cell: NotebookNode, reason: str, lines: int = 15) -> str:
    tail = "\n".join(ANSI.sub("", reason).rstrip().splitlines()[-lines:])
    return f"\n{name}: this cell fails\n{'-' * 70}\n{cell.source}\n{'-' * 70}\n{tail}\n"


def outdated(cache, nb: NotebookNode) -> bool:
    """Whether nb must run: it has no outputs, or its cells' tags have changed since (a cache keeps them)."""
    try:
        stored = cache.get_cache_bundle(cache.match_cache_notebook(nb).pk).nb
    except KeyError:
        return True
    tags = [cell.metadata for cell in nb.cells if cell.cell_type == "code"]
    return tags != [cell.metadata for cell in stored.cells if cell.cell_type == "code"]


def run_chapters(root: Path = ROOT) -> Path:
    """Run what is outdated; return the folder of outputs.  Leaves with the reports if chapters fail."""
    outputs = root / "_build" / "outputs" / key(root)
    for old in outputs.parent.glob("*"):
        if old != outputs:
            shutil.rmtree(old)
    outputs.mkdir(parents=True, exist_ok=True)
    cache, pages = get_cache(outputs), [read(path) for path in sorted(root.glob("book/*.md"))]
    chapters = [page for page in pages if page]
    todo = [page for page in chapters if outdated(cache, page[1])]
    print(f"{len(chapters)} pages with code, {len(todo)} to run, {AT_ONCE} at a time", flush=True)
    failures = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(announce, path.stem, nb): (path, nb) for path, nb in todo}
        for job in as_completed(jobs):
            path, nb = jobs[job]
            try:
                bundle = CacheBundleIn(nb, str(path), data={"execution_seconds": job.result()})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            except ChapterFailed as failure:
                failures.append(str(failure))
    if failures:
        sys.exit("\n".join(failures))
    if outputs.name != key(root):
        shutil.rmtree(outputs)
        sys.exit("The library changed while chapters ran, so their outputs were thrown away: build again.")
    return outputs


def read(path: Path) -> tuple[Path, NotebookNode] | None:
    """The page as a notebook, as Sphinx will read it; None if it is only text."""
    if is_myst_markdown_notebook(path.read_text(encoding="utf-8")):
        return path, myst_nb_reader_plugin(str(path))
    return None


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
        sys.exit("Sphinx read a page's cells differently from this tool, and ran them again: see `read`.")


def main() -> None:
    os.environ.update(UNROLLED_OFFLINE="1", UNROLLED_PROGRESS="0", PYTHONHASHSEED="0")
    # What somebody has downloaded changes nothing, unless UNROLLED_DATA says so (and then `key` knows).
    os.environ["UNROLLED_CACHE"] = str(ROOT / "_build" / "data")
    start = time.monotonic()
    render(ROOT, run_chapters(ROOT))
    page = ROOT / "_build" / "html" / "index.html"
    print(f"\nThe book is built ({time.monotonic() - start:.0f} s).\n  open   {page}\n  serve  make serve")


if __name__ == "__main__":
    main()
