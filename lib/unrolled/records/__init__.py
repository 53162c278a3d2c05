"""Results that were computed once, by a named command, and are shown with what they cost.

A record is one JSON file beside this one. It names the command that made it, the device, the date, the seed
and the seconds, so that nobody has to take a number of the book on trust: run the command and compare.
"""

import json
import platform
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import torch

HERE = Path(__file__).parent
FACTS = ("title", "command", "device", "date", "seed", "seconds", "torch", "columns", "rows")


class Record(NamedTuple):
    """One table of results and how it came about."""

    title: str
    command: str
    device: str
    date: str
    seed: int
    seconds: float
    torch: str
    columns: list[str]
    rows: list[list[Any]]

    @property
    def source(self) -> str:
        """Where, when and how the numbers were computed, in one sentence."""
        return (
            f"Computed on {self.device}, {self.date}, seed {self.seed}, torch {self.torch}, "
            f"in {self.seconds:.0f} s of processor time by: {self.command}"
        )

    def __repr__(self) -> str:
        lines = [self.columns, *([_cell(value) for value in row] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, *text, self.source])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        rows = ("".join(f"<td>{escape(_cell(value))}</td>" for value in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return (
            f'<table class="u-record"><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table><p><small>{escape(self.source)}</small></p>"
        )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def names() -> list[str]:
    """The names of all records."""
    return sorted(path.stem for path in HERE.glob("*.json"))


def show(name: str) -> Record:
    """The record of this name, displayed as a table. Raises KeyError that lists the names there are."""
    if name not in names():
        raise KeyError(f"no record {name!r}; there are: {', '.join(names())}")
    facts = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return Record(**{fact: facts[fact] for fact in FACTS})


def make(
    name: str,
    title: str,
    columns: list[str],
    rows: Callable[[int], list[list[Any]]],
    command: str,
    seed: int = 0,
) -> Record:
    """Run `rows(seed)`, time it, and write the record of this name; the benchmarks call it."""
    torch.manual_seed(seed)
    start = time.process_time()
    table = rows(seed)
    record = Record(
        title, command, device(), time.strftime("%Y-%m-%d"), seed, round(time.process_time() - start, 1),
        torch.__version__.split("+")[0], columns, table,
    )
    return keep(name, record)


def keep(name: str, record: Record) -> Record:
    """Write a record under this name; for a command that fills more than one."""
    text = json.dumps(record._asdict(), indent=1, ensure_ascii=False)
    (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return record


def device() -> str:
    """What computes here, in words: the GPU's name, or the processor's kind and the threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread" + "s" * (threads > 1)
