"""What a check says: a status, the demands met and unmet, one diagnosis, the smallest failing case.

`verdict.use` is the learner's function where it is right and the course's own where it is not, so that a
chapter runs from top to bottom whatever was solved.
"""

import sys
from typing import Any

from .page import Block, Page

SYMBOLS = {"correct": "✓", "not yet": "✗", "not attempted": "○", "stopped": "■"}


class Verdict(Page):
    """The result of a check. `status` is "correct", "not yet", "not attempted" or "stopped".

    - ok: whether the status is "correct";
    - use: the learner's function (or number) if it is right, else the course's own;
    - failed: the name of the first demand that was not met, or "";
    - looks_like: the name of the known wrong answer that it matches, or "".
    """

    def __init__(self, exercise: str, status: str, use: Any, blocks: list[Block], **found: str):
        super().__init__(Block("title", f"{SYMBOLS[status]} {exercise}: {status}"), *blocks)
        self.exercise, self.status, self.use = exercise, status, use
        self.failed, self.looks_like = found.get("failed", ""), found.get("looks_like", "")
        self._shown_in: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the answer is right."""
        return self.status == "correct"

    def show(self) -> "Verdict":
        """Display the verdict: as HTML in a notebook, as text elsewhere. Returns the verdict."""
        self._ipython_display_()
        return self

    def _ipython_display_(self) -> None:
        """Show once a cell: `check.x(f)` on the last line is both shown by the call and the cell's result."""
        shell = _shell()
        if shell is None:
            print(repr(self))
        elif shell.execution_count != self._shown_in:
            shell.display_pub.publish({"text/plain": repr(self), "text/html": self._repr_html_()})
            self._shown_in = shell.execution_count


def _shell() -> Any:
    """The running IPython shell, or None; IPython itself is never imported for this."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
