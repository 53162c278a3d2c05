"""A corpus larger than memory: a text file becomes a file of token ids, which is read where it lies.

    vocab = vocabulary("big.txt")
    encode("big.txt", "big.npy", vocab)
    fit(model, batches(load("big.npy")), 1000)

The text is read a piece at a time. The ids are a numpy file of the shortest integers that hold them; `load`
maps it, so that the system fetches from disk what a batch asks for, and drops it when memory is short.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import torch

from .shapes import Int, Tensor
from .vocab import UNKNOWN, WORD, Vocab

PIECE = 1 << 20  # characters read at once
LONGEST = 4 * PIECE  # of a word: where no blank comes for so long, none is waited for


def pieces(path: str | Path, size: int = PIECE) -> Iterator[str]:
    """A text file in pieces of about `size` characters; line ends stay as they are.

    It is cut before a space or after a new line, where no word of `Vocab.words` is cut in two; only of a
    text without any blanks for millions of characters, as some alphabets write it, a piece ends anywhere.
    """
    rest = ""
    with open(path, encoding="utf-8", newline="") as file:
        for more in iter(lambda: file.read(size), ""):
            text = rest + more
            cut = max(text.rfind("\n") + 1, text.rfind(" "), 0) or (len(text) if len(text) > LONGEST else 0)
            rest = text[cut:]
            yield text[:cut]
    yield rest


def vocabulary(path: str | Path, kind: str = "chars", least: int = 1) -> Vocab:
    """The symbols of a text file that occur at least so often; `<unk>` stands for the others, if any.

    ValueError for an empty file, or where nothing occurs often enough.
    """
    if kind not in ("chars", "words"):
        raise ValueError(f"kind is {kind!r}: it takes 'chars' or 'words'")
    counts: Counter[str] = Counter()
    for text in pieces(path):
        counts.update(text if kind == "chars" else WORD.findall(text))
    kept = {symbol for symbol, times in counts.items() if times >= least}
    if not kept:
        raise ValueError(f"{path}: no symbol occurs {least} time(s) or more; the file has {len(counts)}")
    return Vocab(kept | ({UNKNOWN} if len(kept) < len(counts) else set()), kind)


def encode(text: str | Path, ids: str | Path, vocab: Vocab) -> int:
    """Write the token ids of a text file to another file (.npy), and return how many they are.

    The file appears when it is whole. What an unknown symbol does is the vocabulary's choice.
    """
    target = Path(ids)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            length = _write(file, text, vocab)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return length


def _write(file: IO[bytes], text: str | Path, vocab: Vocab) -> int:
    """Head, ids, and the head again, now that their number is known: numpy leaves room for it."""
    kind, length = shortest(len(vocab)), 0
    _head(file, kind, 0)
    for piece in pieces(text):
        numbers = vocab.encode(piece).numpy().astype(kind)
        file.write(numbers.tobytes())
        length += len(numbers)
    file.seek(0)
    _head(file, kind, length)
    return length


def shortest(vocab_size: int) -> type[np.signedinteger]:
    """The shortest signed integers that hold all ids of a vocabulary."""
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return next(kind for kind in kinds if vocab_size - 1 <= np.iinfo(kind).max)


def _head(file: IO[bytes], kind: type[np.signedinteger], length: int) -> None:
    facts = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, facts)


def load(ids: str | Path) -> Int[Tensor, "N"]:
    """The token ids (N,) that `encode` wrote, not read but mapped: a look at any place reads that place.

    Whatever is written to the tensor stays in memory and never reaches the file.
    """
    numbers = np.load(ids, mmap_mode="c")
    if numbers.ndim != 1 or numbers.dtype.kind != "i":
        raise ValueError(f"{ids} holds {numbers.dtype} of shape {numbers.shape}: expected what encode wrote")
    return torch.from_numpy(numbers)
