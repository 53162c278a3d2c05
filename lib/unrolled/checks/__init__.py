"""Checks for the book's exercises: `check.rnn_forward(my_function)` says what is right, and what to look at.

    from unrolled.checks import check

    verdict = check.make_windows(make_windows)   # shows the verdict; never raises
    verdict.use                                  # your function if it is right, else the course's own
    check.make_windows.task()                    # the task; also .hint(), .hint(2), .solution()
    check.list()                                 # all exercises, or those of one chapter

A check is found by this call and by nothing else: it works in any notebook, on Colab, in a copied cell.
"""

import difflib
import importlib
from functools import cache
from typing import Any

from .page import Block, Page
from .sheet import Sheet

__all__ = ["check"]


@cache
def _exercises() -> dict[str, Sheet]:
    """All exercises by id; loaded at the first use, because they bring in the models of the book."""
    return importlib.import_module(".exercises", __name__).EXERCISES


class _Check:
    """The object behind `check`: one attribute an exercise."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return _exercises()[name]
        except KeyError:
            pass
        close = difflib.get_close_matches(name, _exercises(), 1, 0.5)
        mean = f"Did you mean check.{close[0]}?" if close else "check.list() names them all."
        raise AttributeError(f"there is no exercise {name!r}. {mean}")

    def __dir__(self) -> list[str]:
        return ["list", *_exercises()]

    def __repr__(self) -> str:
        return f"check: {len(_exercises())} exercises; check.list() names them"

    def list(self, chapter: str | int = "") -> Page:
        """All exercises, or those of a chapter: by its number (4 or "04"), or a part of its name ("rnn")."""
        head = ["exercise\tchapter\tlevel\tminutes"]
        part = f"{int(chapter):02}_" if str(chapter).isdecimal() else str(chapter)
        chosen = [e for e in _exercises().values() if part in e.chapter]
        rows = [f"check.{e.id}\t{e.chapter}\t{e.tier}\t{e.minutes}" for e in chosen]
        return Page(Block("title", f"? {len(rows)} exercises"), Block("rows", "\n".join(head + rows)))


check = _Check()
