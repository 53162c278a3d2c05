"""Which notebooks hold somebody's work, so that `make weave` neither overwrites nor deletes them.

Weave makes the id of each cell from its text. So a notebook says by itself what people did in it since it was
woven: an id no longer fits its cell, or there is an output. What git has committed is not lost either.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

REFUSAL = """
This work is nowhere else, so nothing was written.
Cure: move the file to my_notebooks/ (`make lab` opens that folder).
Or give the work up: make weave FORCE=1"""


def digest(kind: str, source: str) -> str:
    """The id of a cell: its kind and its text, hashed."""
    return hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()[:8]


def work(path: Path) -> str:
    """What somebody did in a notebook since it was woven, in words; empty where it is as woven."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        done = [f"cell {n} {why}" for n, cell in enumerate(cells, 1) if (why := _work(cell))]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "cannot be read as a notebook"
    return done[0] if done else "" if cells else "has no cells"


def _work(cell):
    fits = cell.get("id", "").split("-")[0] == digest(cell["cell_type"], "".join(cell["source"]))
    return "holds outputs" if cell.get("outputs") else "" if fits else "was written or changed by hand"


def listed(root: Path, *command: str) -> set[Path] | None:
    """The notebooks that a git command lists; None where the folder is no git checkout."""
    try:
        done = subprocess.run(["git", *command, "-z", "--", "notebooks"], cwd=root, capture_output=True)
    except OSError:
        return None
    here = (root / ".git").exists() and not done.returncode
    return {root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name} if here else None


def ours(root: Path, orphans: set[Path]) -> list[Path]:
    """Those of the notebooks without a chapter that came from one: git tracks them, or they are as woven."""
    known = listed(root, "ls-files")
    return sorted(path for path in orphans if (not work(path) if known is None else path in known))


def at_risk(root: Path, paths: set[Path]) -> dict[Path, str]:
    """Those of the notebooks that hold work which git has not committed, each with where it is."""
    known, changed = listed(root, "ls-files"), listed(root, "diff", "--name-only", "HEAD")
    safe = set() if known is None or changed is None else known - changed
    found = {path: work(path) for path in sorted(paths - safe) if path.exists()}
    return {path: why for path, why in found.items() if why}
