"""The scoreboard of the book: five wishes, one row for each model, and where the lecture's ticks are others.

`wishlist` offers all of it; this module knows nothing of models, only what was measured on them.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

from .picture import number, plain

WISHES = {
    "order": "order matters",
    "length": "any length",
    "gradient": "has a gradient",
    "pairwise": "pairwise",
    "memory": "long memory",
}
SIGNS = {"yes": "yes ✓", "half": "half ½", "no": "no ✗", "": "…"}
TINTS = {
    "yes": "rgba(0,158,115,0.18)",
    "half": "rgba(195,134,0,0.18)",
    "no": "transparent",
    "": "transparent",
}

CELL = "padding:0.35rem 0.6rem;text-align:center;border-bottom:1px solid currentColor"


def _row(ticks: str) -> dict[str, str]:
    return dict(zip(WISHES, ticks.split()))


# The lecture's table as it fills it in (claims D3, D4 and D6). Its WaveNet row says "half" for a memory that
# is long but fixed.
LECTURE = {
    "n-gram": _row("yes no no no no"),
    "bag": _row("no yes yes no yes"),
    "RNN": _row("yes yes yes no no"),
    "LSTM": _row("yes yes yes no yes"),
    "GRU": _row("yes yes yes no yes"),
    "WaveNet": _row("yes yes yes no half"),
    "transformer": _row("yes yes yes yes yes"),
}


def lecture_row(name: str) -> dict[str, str]:
    """The lecture's ticks for the model that a name speaks of ("RNN, 64 units", "5-gram"), or none."""
    words = re.findall(r"\w+-gram|\w+", name.lower())
    words = ["n-gram" if re.fullmatch(r"(\w+-|bi|tri)gram", w) else w for w in words]
    return next((ticks for model, ticks in LECTURE.items() if model.lower() in words), {})


def evidence(measured: Any) -> dict[str, str]:
    """What was measured for each wish, in a few words."""
    m = measured
    return {
        "order": f"moves by {number(m.order if m.order > m.noise else 0)}",
        "length": f"uses {m.length} of {m.lengths[-1]}",
        "gradient": f"reaches {m.gradient:.0%}",
        "pairwise": f"{number(100 * m.pairwise)}% left at {m.longest}",
        "memory": f"{m.memory} of {m.longest} steps",
    }


class Board(NamedTuple):
    """A table of ticks: name -> what was measured, or None for a row still to be filled."""

    rows: dict[str, Any]

    def cells(self, name: str) -> list[tuple[str, str, str]]:
        """For each wish the tick, the number under it, and the lecture's tick where that is another one."""
        measured, theirs = self.rows[name], lecture_row(name)
        if measured is None:
            return [("", "", "")] * len(WISHES)
        ticks, told = measured.ticks, evidence(measured)
        return [(ticks[w], told[w], theirs[w] if theirs and theirs[w] != ticks[w] else "") for w in WISHES]

    @property
    def remarks(self) -> list[str]:
        """Where a measured tick is not the lecture's, in words."""
        return [
            f"{plain(name)}, {title}: measured {tick}, the lecture says {theirs}."
            for name in self.rows
            for title, (tick, _, theirs) in zip(WISHES.values(), self.cells(name))
            if theirs
        ]

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="{CELL}">{t}</th>' for t in ("model", *WISHES.values()))
        body = "".join(
            f'<tr><th scope="row" style="{CELL};text-align:left">{escape(plain(name))}</th>'
            + "".join(_cell(*cell) for cell in self.cells(name))
            + "</tr>"
            for name in self.rows
        )
        names = escape(plain(", ".join(self.rows)))  # two boards on a page are two landmarks
        found = "".join(f"<li>{escape(remark)}</li>" for remark in self.remarks)
        listed = f'<p style="margin:0.5rem 0 0">Not as in the lecture:</p><ul>{found}</ul>' if found else ""
        return (
            '<div class="u-scoreboard" style="margin:1rem 0"><div role="region" tabindex="0" '
            f'aria-label="Wish list of {names}" style="overflow-x:auto">'
            f'<table style="border-collapse:collapse;margin:0"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>{listed}</div>"
        )

    def __repr__(self) -> str:
        table = [["model", *WISHES.values()]]
        for name in self.rows:
            cells = self.cells(name)
            table.append(
                [plain(name), *(SIGNS[tick] + (" *" if theirs else "") for tick, _, theirs in cells)]
            )
            table.append(["", *(told for _, told, _ in cells)])
        widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in table]
        return "\n".join([line for line in lines if line] + [f"* {remark}" for remark in self.remarks])


def _cell(tick: str, told: str, theirs: str) -> str:
    small = f'<br><span style="font-size:0.8em;white-space:nowrap">{escape(told)}</span>' if told else ""
    aside = f'<br><em style="font-size:0.8em">lecture: {SIGNS[theirs]}</em>' if theirs else ""
    look = f"background:{TINTS[tick]};border-radius:4px;padding:0.1em 0.4em;white-space:nowrap"
    return f'<td style="{CELL}"><strong style="{look}">{SIGNS[tick]}</strong>{small}{aside}</td>'


def scoreboard(rows: Mapping[str, Any] | None = None) -> Board:
    """The wish list as a table: each tick in a word, with its number, and the lecture's if it differs.

    rows: name -> the `Wishes` of that model, or None for "not yet"; without rows, the lecture's models.
    """
    return Board(dict(rows) if rows is not None else dict.fromkeys(LECTURE))
