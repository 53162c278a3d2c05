"""Counting n-grams of a corpus larger than memory, on disk: the same levels as `counts.count`.

    levels = count(corpus.load("big.npy"), 3, len(vocab), "counts")
    model = NGram(3, len(vocab)).take(levels)

A window of n tokens is a row of a table, and counting is a sentence of SQL: GROUP BY, with the rows in order.
DuckDB computes it in the memory that it is given: what does not fit is sorted in runs, written to disk, and
merged. Shorter n-grams are counted from the longer ones, so the corpus is read once. It takes `pip install
duckdb` (the extra "big").
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from .counts import END, Level, tokens
from .shapes import Tensor

NOTHING, BEGIN = -1, -2  # they stand after the last token of a sequence, and before its first
CHUNK = 1 << 19  # rows in Python's hands at once


def count(
    sequences: Tensor | Iterable[Tensor], n: int, V: int, folder: str | Path, memory: str = "256MB"
) -> list[Level]:
    """Count all k-grams for k = 1 ... n of one text (N,) or of many, which are read one after the other.

    The levels are those of `counts.count`, as files in `folder`, mapped to memory. `memory` is what DuckDB
    may use; Python takes some 100 MB beside it. Raises ValueError for a corpus in which no token follows
    another, and for an id outside the vocabulary.
    """
    if n < 1 or V < 1:
        raise ValueError(f"n is {n} and V is {V}: both are at least 1")
    folder, width = Path(folder), max(n, 2)
    folder.mkdir(parents=True, exist_ok=True)
    with _engine(folder, memory) as sql:
        _read(sql, [sequences] if isinstance(sequences, Tensor) else sequences, width, V)
        levels = [_longest(sql, n, V, folder)] if n > 1 else []
        for k in range(width - 1, 0, -1):
            levels.append(_shorter(sql, k, V, folder))
    if n == 1:
        levels[0] = levels[0]._replace(left=levels[0].counts)
    return levels[::-1]


@contextmanager
def _engine(folder: Path, memory: str) -> Iterator[Any]:
    """A database that lives as long as the counting."""
    try:
        import duckdb
    except ImportError as error:
        raise ImportError("bigcounts needs DuckDB: pip install duckdb") from error
    with TemporaryDirectory(dir=folder) as place:
        settings = {"memory_limit": memory, "threads": torch.get_num_threads(), "temp_directory": place,
                    "preserve_insertion_order": False}  # fmt: skip
        sql = duckdb.connect(f"{place}/grams.duckdb", config=settings)
        try:
            yield sql
        finally:
            sql.close()


def _t(first: int, last: int) -> str:
    """The columns t_first ... t_last."""
    return ", ".join(f"t{i}" for i in range(first, last + 1))


def _read(sql: Any, sequences: Iterable[Tensor], width: int, V: int) -> None:
    """Fill the table grams{width}: all different windows of so many tokens, and how often each occurs (c)."""
    columns, rest, follows = _t(0, width - 1), np.empty(0, np.int32), False
    sql.execute(f"CREATE TABLE windows ({columns.replace(',', ' INTEGER,')} INTEGER)")
    for block in _blocks(_pieces(sequences, width, V)):
        flat = np.concatenate([rest, block])
        follows = follows or bool(((flat[:-1] >= 0) & (flat[1:] >= 0)).any())
        size = max(0, len(flat) - width + 1)
        sql.register("block", {f"t{i}": flat[i : i + size] for i in range(width)})
        sql.execute(f"INSERT INTO windows SELECT {columns} FROM block WHERE t0 <> {NOTHING}")
        rest = flat[size:]
    if not follows:
        raise ValueError("the corpus has no token that follows another: there is nothing to count")
    sql.execute(f"CREATE TABLE grams{width} AS SELECT {columns}, count(*) c FROM windows GROUP BY {columns}")
    sql.execute("DROP TABLE windows")


def _pieces(sequences: Iterable[Tensor], width: int, V: int) -> Iterator[np.ndarray]:
    """Each sequence: BEGIN, its tokens, and NOTHING until the last of them has passed the window."""
    for x in sequences:
        if x.ndim != 1:
            raise ValueError(f"a sequence has shape {tuple(x.shape)}: expected one axis, the tokens in a row")
        yield np.array([BEGIN], np.int32)
        yield from (tokens(piece, V).astype(np.int32) for piece in x.split(CHUNK))
        yield np.full(width - 1, NOTHING, np.int32)


def _blocks(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The pieces joined to larger ones: the database takes many rows at once as fast as a few."""
    parts, size = [np.empty(0, np.int32)], 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield np.concatenate(parts)
            parts, size = [], 0
    yield np.concatenate([*parts, np.empty(0, np.int32)])


def _longest(sql: Any, n: int, V: int, folder: Path) -> Level:
    """The level of the n-grams. `left` is not known of the longest; their counts stand there."""
    return _save(sql, _t(0, n - 1), f"""c AS counts, c AS lefts FROM grams{n}
        WHERE t0 <> {BEGIN} AND t{n - 2} <> {NOTHING}""", V, folder)


def _shorter(sql: Any, k: int, V: int, folder: Path) -> Level:
    """The level of the k-grams, from the table of all (k + 1)-grams, which is then shortened to grams{k}.

    A row of that table is a way to enter its last k tokens. BEGIN enters as often as it occurs, except before
    single tokens: the first of a sequence is given, and not counted.
    """
    begun = "c" if k > 1 else "0"
    level = _save(sql, _t(1, k), f"""
        sum(CASE t0 WHEN {BEGIN} THEN {begun} ELSE c END)::BIGINT AS counts,
        sum(CASE t0 WHEN {BEGIN} THEN {begun} ELSE 1 END)::BIGINT AS lefts
        FROM grams{k + 1} WHERE t{max(1, k - 1)} <> {NOTHING} GROUP BY {_t(1, k)}""", V, folder)
    sql.execute(f"""CREATE TABLE grams{k} AS
        SELECT {_t(0, k - 1)}, sum(c)::BIGINT AS c FROM grams{k + 1} GROUP BY {_t(0, k - 1)}""")
    sql.execute(f"DROP TABLE grams{k + 1}")
    return level


def _save(sql: Any, words: str, counts: str, V: int, folder: Path) -> Level:
    """The rows "SELECT words, counts" in order, as a level on disk. words are k columns, counts two.

    A row whose last word is NOTHING only says that its context occurs at the end of a sequence.
    """
    sql.execute(f"CREATE TABLE level AS SELECT {words}, {counts} ORDER BY {words}")
    *_, last = words.split(", ")
    question = f"SELECT count(*), count(*) FILTER ({last} <> {NOTHING}) FROM level"
    rows, size = sql.execute(question).fetchone()
    k = words.count(",") + 1
    files = [folder / f"{k}_{name}.npy" for name in Level._fields]
    if k == 1:
        _write(files, V + 1, [_singles(sql, V)])
    else:
        _write(files, size + 1, _chains(sql, rows, V))
    sql.execute("DROP TABLE level")
    return Level(*(np.load(f, mmap_mode="r") for f in files))


def _singles(sql: Any, V: int) -> np.ndarray:
    """Key, count and left (3, V) of all tokens, also of those that never occur."""
    token, c, lefts = sql.execute("SELECT * FROM level").fetchnumpy().values()
    level = np.zeros((3, V), np.int64)
    level[0], level[1, token], level[2, token] = np.arange(V), c, lefts
    return level


def _chains(sql: Any, rows: int, V: int) -> Iterator[np.ndarray]:
    """Key, count and left (3, M) of the k-grams in the table, some of them at a time."""
    before = (-1, [])
    for first in range(0, rows, CHUNK):
        rows_here = f"rowid BETWEEN {first} AND {first + CHUNK - 1}"
        part = f"SELECT * FROM level WHERE {rows_here} ORDER BY rowid"  # threads answer in any order
        *context, word, c, lefts = sql.execute(part).fetchnumpy().values()
        ids, before = _contexts(context, before)
        yield np.stack([ids * V + word, c, lefts])[:, word != NOTHING]


def _write(files: list[Path], size: int, parts: Iterable[np.ndarray]) -> None:
    """Keys, counts and left to a numpy file each, the keys closed by END."""
    with ExitStack() as stack:
        opened = [stack.enter_context(open(f, "wb")) for f in files]
        for file, length in zip(opened, (size, size - 1, size - 1)):
            facts = {"descr": np.dtype(np.int64).str, "fortran_order": False, "shape": (length,)}
            np.lib.format.write_array_header_1_0(file, facts)
        for file, row in (pair for part in parts for pair in zip(opened, part)):
            file.write(row.tobytes())
        opened[0].write(np.int64(END).tobytes())


Before = tuple[int, list[int]]  # the id of the context in the row before, and that context


def _contexts(words: list[np.ndarray], before: Before) -> tuple[np.ndarray, Before]:
    """The id of each row's context: its place among the different ones, which stand in order."""
    if len(words) == 1:
        return words[0].astype(np.int64), before
    last, row = before
    changes = [np.diff(column, prepend=old) != 0 for column, old in zip(words, row or [BEGIN] * len(words))]
    ids = last + np.cumsum(np.any(changes, axis=0))
    return ids, (int(ids[-1]), [int(column[-1]) for column in words])
