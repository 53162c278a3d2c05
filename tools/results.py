"""Write book/results.md: every recorded result of the book, beside what others published.

    python tools/results.py [PAGE]                  what `make book` calls

The page is made from the records and the trained models of the library, from `published.json`, and from those
tables of benchmarks/README.md that train something others have trained too. It is never edited, and not kept
in git.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from unrolled import checkpoint, records

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TRAINED = Path(records.__file__).parents[1] / "live_models"
HEAD = """# Results

Every number that was computed once, by a named command, and is shown in a chapter. Run the command, and
compare: seeds are given, seconds are those of one processor. A published figure stands beside ours only where
the data allow it, with its protocol. Results on the embedded stories, sounds and tasks have none: they
are measured against their exact floor, or against guessing.
"""
CONTESTS = ("Character models", "Memory tasks", "Chorales", "T-maze")  # of benchmarks/README.md
COST = ("cpu_seconds", "seconds")  # what a checkpoint calls its cost
FOUND = {"bits": "bits per symbol", "floor": "floor", "accuracy": "right", "right_new": "right on new ones",
         "likeness": "likeness", "valid_bits": "bits per symbol"}  # fmt: skip


def cell(value: Any) -> str:
    """A value inside a Markdown table, in which nothing is markup."""
    text = records._cell(value).replace("\n", " ")
    for sign in "\\`*_{}[]<>#$|~^":
        text = text.replace(sign, "\\" + sign)
    return text


def table(columns: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(map(cell, columns)) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)])


def section(name: str, beside: list[dict[str, str]]) -> str:
    """One record: its table, where it comes from, and the published figures beside it."""
    record = records.show(name)
    published = ["Published beside it:", "\n".join(map(other, beside))] if beside else []
    return "\n\n".join([f"## {cell(record.title)}", table(record.columns, record.rows),
                        source(record), *published])  # fmt: skip


def source(record: records.Record) -> str:
    """Where a record comes from; the command as code, or two hyphens would become a dash."""
    return f"{cell(record.source.removesuffix(record.command))}`{record.command}`."


def other(published: dict[str, str]) -> str:
    """One published figure, with how it was measured and where it stands."""
    who, figure, protocol = (cell(published[key]) for key in ("who", "figure", "protocol"))
    return f"- {who}: {figure} ({protocol}) {{cite:p}}`{published['cite']}`."


def model(path: Path) -> list[Any]:
    """One trained model that the library carries: its file, its command, its cost, and how good it is."""
    facts = checkpoint.read(path)[1]
    cost = next((facts[key] for key in COST if key in facts), "–")
    found = [f"{told} {records._cell(_round(facts[key]))}" for key, told in FOUND.items() if key in facts]
    return [path.stem, facts["command"], facts["device"], facts["date"][:10], facts["seed"], cost,
            ", ".join(found) or "see its chapter"]  # fmt: skip


def _round(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def contest(title: str) -> str:
    """One section of benchmarks/README.md as it stands there: printed by a command, peers beside ours."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}: `(.+?)`\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise ValueError(f"benchmarks/README.md has no section {title!r}: results.py shows it")
    return f"## {title}\n\n{found[2].strip()}\n\nMade by: `{found[1]}`."


def page() -> str:
    """The whole page."""
    beside = json.loads((HERE / "published.json").read_text(encoding="utf-8"))
    parts = [section(name, beside.get(name, [])) for name in records.names()]
    columns = ["model", "command", "device", "date", "seed", "seconds", "found"]
    models = table(columns, [model(path) for path in sorted(TRAINED.glob("*.safetensors"))])
    parts += map(contest, CONTESTS)
    return "\n\n".join([HEAD, *parts, "## The trained models that the book carries", models]) + "\n"


if __name__ == "__main__":
    written = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "book" / "results.md"
    written.write_text(page(), encoding="utf-8")
