"""What answers are made of: telling their kinds apart, copying, comparing and describing them.

Numbers are compared in float64 with a relative tolerance of 1e-6. One loose absolute tolerance for all sizes
is how wrong answers pass elsewhere: a mean over n - 1 differs from a mean over n by less than 1e-2.
"""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

RTOL, ATOL = 1e-6, 1e-8
SINGLE = 1e-4  # for float32 and shorter: about a hundred roundings
SEVERAL = ("list", "tuple")
_KINDS = (
    (str, "text"), (list, "list"), (tuple, "tuple"), (dict, "dict"), (set, "set"), (frozenset, "set"),
    (np.ndarray, "array"), (Iterator, "generator"),
)  # fmt: skip


def kind(value: Any) -> str:
    """What a value counts as: "tensor", "number", "bool", "text", "list", "tuple", "dict", "generator" ..."""
    if isinstance(value, torch.Tensor):
        near = value.device.type == "cpu" and value.layout == torch.strided
        return "tensor" if near else "tensor from elsewhere"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | float | np.number):
        return "number"
    for cls, name in _KINDS:
        if isinstance(value, cls):
            return name
    return "nothing" if value is None else "function" if callable(value) else "other"


class Leaf(NamedTuple):
    """One part of an answer: its place ("" if it is the only part, else "first", "second" ...) and value."""

    place: str
    value: Any


def row(value: Any) -> bool:
    """Whether this is a list or a tuple of nothing but numbers, bools and texts, such as ids or symbols."""
    plain = ("bool", "number", "text")
    return kind(value) in SEVERAL and all(
        kind(v) in plain or (kind(v) == "tensor" and v.ndim == 0) for v in value
    )


def opened(value: Any) -> bool:
    """Whether a value has parts that are looked at one by one: a tuple has, and a list that is no row."""
    return kind(value) == "tuple" or (kind(value) == "list" and not row(value))


def places(value: Any, place: str = "") -> list[str]:
    """What the parts of a list or tuple are called: first, second ..., after the name of the whole."""
    ordinals = ("first", "second", "third", "fourth")
    named = [ordinals[i] if i < 4 else f"number {i + 1}" for i in range(len(value))]
    return [f"{place} {name}".strip() for name in named]


def leaves(value: Any, place: str = "") -> list[Leaf]:
    """The parts of an answer, left to right; nested tuples are opened, dicts and rows of scalars are not."""
    if not opened(value):
        return [Leaf(place, value)]
    return [leaf for name, v in zip(places(value, place), value) for leaf in leaves(v, name)]


def beside(want: Any, have: Any, place: str = "") -> list[tuple[Leaf, Leaf]] | None:
    """The parts of two answers side by side, (expected, got); None where they are nested in different ways.

    A list and a tuple of the same length count as the same, so what is expected decides what is opened.
    """
    if not opened(want):
        alike = row(have) if kind(want) == "list" else not opened(have)
        return [(Leaf(place, want), Leaf(place, have))] if alike else None
    if kind(have) not in SEVERAL or len(want) != len(have):
        return None
    inside = [beside(*both) for both in zip(want, have, places(want, place))]
    return None if None in inside else [pair for pairs in inside for pair in pairs]


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors of a value, left to right; those in lists and tuples too."""
    if kind(value) in SEVERAL:
        return [tensor for v in value for tensor in tensors(v)]
    return [value] if isinstance(value, torch.Tensor) else []


def clone(value: Any) -> Any:
    """A copy that shares no memory with the value; `requires_grad` is kept, the graph is not."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(clone(v) for v in value)
    return copy.deepcopy(value)


def numeric(value: Any) -> torch.Tensor | None:
    """Numbers and tensors as float64 on the CPU; None for everything else."""
    if kind(value) == "tensor":
        dtype = torch.complex128 if value.is_complex() else torch.float64
        return value.detach().cpu().to(dtype)
    return torch.tensor(real(value), dtype=torch.float64) if kind(value) in ("number", "bool") else None


def real(value: Any) -> float:
    """The number as a float; whole numbers beyond the range of floats are infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def close(a: torch.Tensor, b: torch.Tensor, rtol: float = RTOL, atol: float = ATOL) -> bool:
    """Equal shapes and equal numbers within the tolerance; NaN equals NaN."""
    fits = a.shape == b.shape and a.dtype == b.dtype
    return fits and torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def tolerance(*values: Any) -> tuple[float, float]:
    """(rtol, atol): those of float64, unless one of the values is a tensor of a shorter float."""
    short = any(
        isinstance(v, torch.Tensor) and v.is_floating_point() and v.dtype != torch.float64 for v in values
    )
    return (SINGLE, SINGLE / 100) if short else (RTOL, ATOL)


def same(a: Any, b: Any, strict: bool = True) -> bool:
    """Whether two answers are the same; `strict` also tells apart real, whole and boolean tensors."""
    x, y = numeric(a), numeric(b)
    if x is not None and y is not None:
        return (not strict or _sort(a) == _sort(b)) and close(x, y, *tolerance(a, b))
    if kind(a) in SEVERAL and kind(b) in SEVERAL:
        return len(a) == len(b) and all(same(i, j, strict) for i, j in zip(a, b))
    if kind(a) != kind(b):
        return False
    if kind(a) == "dict":
        return a.keys() == b.keys() and all(same(a[k], b[k], strict) for k in a)
    if isinstance(a, torch.nn.Module) and isinstance(b, torch.nn.Module):
        return same(dict(a.state_dict()), dict(b.state_dict()), strict)
    return bool(a is b or (kind(a) in ("text", "set", "nothing") and a == b))


def _sort(value: Any) -> tuple[str, bool, bool]:
    """What sort of numbers these are."""
    tensor = isinstance(value, torch.Tensor)
    return kind(value), tensor and value.is_floating_point(), tensor and value.dtype == torch.bool


def digits(*values: int | float, least: int = 2) -> list[str]:
    """The numbers with two significant digits, or with as many as it takes (up to 9) to tell them apart."""
    for n in range(least, 10):
        texts = [_digits(v, n) for v in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def _digits(value: int | float, n: int) -> str:
    number = real(value)
    if number.is_integer() and abs(number) < (1e15 if isinstance(value, int) else 1e6):
        return str(int(value))
    return f"{number:.{n}g}"


def size(shape: Any) -> str:
    """A shape as people write it: (2, 3)."""
    return str(tuple(shape))


def describe(value: Any) -> str:
    """One line about a value: a small one in full, with two significant digits; a large one by its shape."""
    known: dict[str, Callable[[Any], str]] = {
        "tensor": _tensor,
        "number": lambda v: digits(v if isinstance(v, int) else real(v))[0],
        "bool": lambda v: str(bool(v)),
        "text": lambda v: _short(repr(str(v))),
        "list": lambda v: _short("[" + ", ".join(describe(i) for i in v) + "]"),
        "tuple": lambda v: _short("(" + ", ".join(describe(i) for i in v) + ")"),
        "dict": lambda v: f"a dict of {len(v)}",
        "set": lambda v: _short("{" + ", ".join(sorted(describe(i) for i in v)) + "}"),
        "nothing": lambda v: "None",
        "generator": lambda v: f"a {type(v).__name__}",
        "array": lambda v: f"a NumPy array {size(v.shape)}",
        "function": lambda v: str(getattr(v, "label", "a function")),
        "tensor from elsewhere": lambda v: f"{size(v.shape)} on {v.device}, {v.layout}",
    }
    return known.get(kind(value), lambda v: f"an object of type {type(v).__name__}")(value)


def _tensor(value: torch.Tensor) -> str:
    if value.ndim > 2 or value.numel() > 12 or not value.numel() or value.is_complex():
        return f"{size(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    return _nested(value.tolist())


def _nested(value: Any) -> str:
    return "[" + ", ".join(map(_nested, value)) + "]" if isinstance(value, list) else describe(value)


def _short(text: str, most: int = 72) -> str:
    return text if len(text) <= most else text[: most - 4] + " ..."
