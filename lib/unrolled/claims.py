"""The lecture, claim by claim: a chapter makes one in a visible line, and running it tests the lecture.

`claims.json` holds all 70, in our own words: where the lecture is loose, the sentence is the corrected one
and a note says what was said. `at` is the share of the lecture's words (0 to 1) that come before the passage.

    claim("P3", {"largest error": 1.1e-16}, holds=True)
"""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .picture import number, plain


class Claim(NamedTuple):
    """One thing that the lecture says. kind: "measured" by the book, or "cited" where it is history."""

    id: str
    section: str
    at: float
    kind: str
    sentence: str
    note: str = ""


CLAIMS = {
    row["id"]: Claim(**row)
    for row in json.loads(Path(__file__).with_name("claims.json").read_text(encoding="utf-8"))
}
_made: dict[tuple[str, str], "Shown"] = {}


class ClaimFailed(AssertionError):
    """A claim of the lecture that did not hold when it was measured: `.id`, `.sentence` and `.measured`."""

    def __init__(self, id: str, sentence: str, measured: str):
        super().__init__(f"{id} does not hold: {sentence}\nMeasured: {measured}")
        self.id, self.sentence, self.measured = id, sentence, measured


class Shown(NamedTuple):
    """A claim as it stands on the page, with what was measured, or with its source."""

    claim: Claim
    kind: str
    evidence: str

    @property
    def _parts(self) -> tuple[str, str, str]:
        """The sign, the verdict in a word, and what the evidence is called."""
        return ("✓", "holds", "Measured") if self.kind == "measured" else ("❝", "is cited", "Source")

    @property
    def where(self) -> str:
        """Where to listen: the captions have no times, so this is a share of the way."""
        return f"{self.claim.at:.0%} of the way through"

    @property
    def anchor(self) -> str:
        """Where it stands on the page: the lecture map leads there."""
        return f"claim-{self.claim.id}" + ("" if self.kind == "measured" else "-source")

    def _repr_html_(self) -> str:
        sign, verdict, named = self._parts
        c, small = self.claim, '<p style="margin:0.2rem 0 0;font-size:0.875em">'
        note = f"{small}<em>A correction, kindly meant:</em> {escape(c.note)}</p>" if c.note else ""
        edge = "var(--u-i, #009E73)" if self.kind == "measured" else "var(--u-x, #767676)"
        return (
            f'<div class="u-claim" id="{self.anchor}" style="border-left:4px solid {edge};margin:1rem 0;'
            'padding:0.3rem 0 0.3rem 0.9rem;overflow-wrap:anywhere">'
            f'<p style="margin:0"><span aria-hidden="true">{sign}</span> <strong>{c.id} {verdict}</strong> '
            f'<span style="font-size:0.875em">({self.where})</span>: {escape(c.sentence)}</p>'
            f"{small}<strong>{named}:</strong> {escape(self.evidence)}</p>{note}</div>"
        )

    def __repr__(self) -> str:
        sign, verdict, named = self._parts
        note = f"\n  Note: {self.claim.note}" if self.claim.note else ""
        return f"{sign} {self.claim.id} {verdict}: {self.claim.sentence}\n  {named}: {self.evidence}{note}"


def claim(id: str, measured: Any, holds: Any) -> Shown:
    """Show that a claim of the lecture holds, with the numbers that were measured.

    - id: such as "P3"; measured: a text, a number, or name -> number (3 significant digits are shown);
    - holds: True or False (a bool; anything else is a TypeError, since `holds=tensor` often means a mistake).

    Raises ClaimFailed, an AssertionError, where it does not hold.
    """
    known, evidence = _known(id), _evidence(measured)
    if not isinstance(holds, bool | np.bool_):
        raise TypeError(
            f"holds is {type(holds).__name__} {holds!r}: give True or False, as error < 1e-6 does"
        )
    if not holds:
        raise ClaimFailed(id, known.sentence, evidence)
    return _keep(Shown(known, "measured", evidence))


def cite(id: str, source: str) -> Shown:
    """Show a claim that is history, with its source: who counted, published or decided, and when."""
    if not source.strip():
        raise ValueError(f"the source of {id} is empty: name who said it, where and when")
    return _keep(Shown(_known(id), "cited", plain(source)))


def made() -> tuple[Shown, ...]:
    """The claims made in this process, in the order of the lecture; a repeated one counts once."""
    order = list(CLAIMS)
    return tuple(sorted(_made.values(), key=lambda shown: (order.index(shown.claim.id), shown.kind)))


def _known(id: str) -> Claim:
    if id not in CLAIMS:
        near = [k for k in CLAIMS if k[0] == id[:1].upper()]
        listed = (
            f"section {near[0][0]} has {near[0]} to {near[-1]}"
            if near
            else f"they run from S1 to {[*CLAIMS][-1]}"
        )
        raise ValueError(f"the lecture has no claim {id!r}: {listed}")
    return CLAIMS[id]


def _evidence(measured: Any) -> str:
    """What was measured, in a line."""
    pairs = measured.items() if isinstance(measured, Mapping) else [("", measured)]
    told = [f"{plain(name)}: {number(v)}" if name else number(v) for name, v in pairs]
    if not told or measured in ("", None):
        raise ValueError("measured is empty: a claim takes at least one number or a text")
    return " · ".join(told)


def _keep(shown: Shown) -> Shown:
    _made[shown.claim.id, shown.kind] = shown
    return shown
