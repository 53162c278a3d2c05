"""Reading GGUF, the file format of llama.cpp: facts about a model, and its weights in a few bits each.

A file is a header, the facts (name, type, value), a list of tensors (name, shape, kind, place), and the
tensors. Small kinds store blocks of 32 numbers: a scale of their own for each block, and a few bits for each
number. (The format's description: github.com/ggml-org/ggml, docs/gguf.md.)
"""

import math
import struct
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from .shapes import Float, Tensor

FORMATS = dict(enumerate("B b H h I i f ?".split())) | {10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9


class Kind(NamedTuple):
    """How numbers are stored: so many in a block of so many bytes."""

    name: str
    numbers: int
    bytes: int


KINDS = {
    0: Kind("F32", 1, 4),
    1: Kind("F16", 1, 2),
    2: Kind("Q4_0", 32, 18),
    3: Kind("Q4_1", 32, 20),
    8: Kind("Q8_0", 32, 34),
}


class Stored(NamedTuple):
    """One tensor as it lies in the file; `shape` is in torch's order, the fastest axis last."""

    kind: Kind
    shape: tuple[int, ...]
    place: int


def numbers(kind: str, blocks: np.ndarray) -> np.ndarray:
    """The numbers of some blocks: bytes (n, b) in, float32 (n, 32) out, or (n, 1) where nothing is packed.

    Q8_0: a scale d (float16), then 32 signed bytes q: the numbers are d q. Q4_0 and Q4_1: 16 bytes, each
    with two numbers of 4 bits, the first half of the block in the low bits; d (q - 8), or d q + m.
    """
    if kind in ("F32", "F16"):
        return blocks.view("<f4" if kind == "F32" else "<f2").astype(np.float32)
    d = blocks[:, :2].copy().view("<f2").astype(np.float32)
    if kind == "Q8_0":
        return d * blocks[:, 2:].view(np.int8)
    packed = blocks[:, -16:]
    q = np.concatenate([packed & 15, packed >> 4], 1).astype(np.float32)
    if kind == "Q4_0":
        return d * (q - 8)
    return d * q + blocks[:, 2:4].copy().view("<f2").astype(np.float32)


class GGUF:
    """An open GGUF file: `facts` by name, `tensors` as they are stored, `file[name]` as numbers.

    Raises ValueError for a file of another format, and for a kind of tensor that is not among KINDS.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with self.path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ValueError(f"{path} is no GGUF file: it does not begin with these letters")
            version, tensors, facts = _read(file, "I"), _read(file, "Q"), _read(file, "Q")
            if version not in (2, 3):
                raise ValueError(f"{path} has version {version} of GGUF: versions 2 and 3 can be read")
            self.facts = dict(_fact(file) for _ in range(facts))
            self.tensors = dict(_stored(file) for _ in range(tensors))
            step = self.facts.get("general.alignment", 32)
            self.start = math.ceil(file.tell() / step) * step

    def __getitem__(self, name: str) -> Float[Tensor, "..."]:
        """The tensor of this name, in single precision."""
        kind, shape, place = self.tensors[name]
        blocks = math.prod(shape) // kind.numbers
        raw = np.fromfile(self.path, np.uint8, blocks * kind.bytes, offset=self.start + place)
        if len(raw) < blocks * kind.bytes:
            raise ValueError(f"{self.path} ends within {name}: it was not copied whole")
        return torch.from_numpy(numbers(kind.name, raw.reshape(blocks, kind.bytes)).reshape(shape))


def _read(file: IO[bytes], form: str) -> Any:
    raw = file.read(struct.calcsize("<" + form))
    if len(raw) < struct.calcsize("<" + form):
        raise ValueError(f"{file.name} ends within its header: it was not copied whole")
    return struct.unpack("<" + form, raw)[0]


def _text(file: IO[bytes]) -> str:
    return file.read(_read(file, "Q")).decode("utf-8")


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind == LIST:
        kind, n = _read(file, "I"), _read(file, "Q")
        return [_value(file, kind) for _ in range(n)]
    return _read(file, FORMATS[kind])


def _fact(file: IO[bytes]) -> tuple[str, Any]:
    return _text(file), _value(file, _read(file, "I"))


def _stored(file: IO[bytes]) -> tuple[str, Stored]:
    name, axes = _text(file), _read(file, "I")
    shape = tuple(_read(file, "Q") for _ in range(axes))[::-1]
    kind, place = _read(file, "I"), _read(file, "Q")
    if kind not in KINDS:
        names = ", ".join(k.name for k in KINDS.values())
        raise ValueError(f"{name} is stored as kind {kind} of GGUF: {names} can be read")
    return name, Stored(KINDS[kind], shape, place)
