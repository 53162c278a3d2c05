"""Saved models: safetensors and a sha256, written whole or not at all. Nothing is ever unpickled.

A file holds tensors and facts (JSON: architecture, date, seed, cost ...). Its sha256 covers both, because
safetensors alone does not notice a flipped bit. A save goes to a temporary file first and replaces the old
one in a single move: whoever pulls the plug finds the old file or the new one.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from .shapes import Tensor
from .vocab import Vocab

FORMAT = 1  # a reader refuses files of a higher number


class BadCheckpoint(ValueError):
    """A file that is damaged, of a newer format, or of another model; says which file, why, and the cure."""

    def __init__(self, path: str | Path, reason: str, cure: str):
        super().__init__(f"{path}: {reason}. {cure}")


DAMAGED = "The file is damaged: delete it, then train again or fetch it again."


def save(path: str | Path, model: nn.Module, vocab: Vocab | None = None, **facts: Any) -> None:
    """Save a model, what it reads with, and facts such as seed=0, device="cpu", cost="25 s on one core".

    The architecture, the date and the version of torch are recorded too. Facts are JSON values.
    """
    known = {"kind": "model", "architecture": type(model).__name__, "torch": torch.__version__}
    known["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    if vocab is not None:
        known["vocab"] = vocab.to_json()
    write(path, model.state_dict(), known | facts)


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a saved model by name, and its facts; facts["vocab"] is a Vocab where one was saved.

    Raises BadCheckpoint, and FileNotFoundError where there is no file.
    """
    tensors, facts = read(path)
    if "vocab" in facts:
        facts["vocab"] = Vocab.from_json(facts["vocab"])
    return tensors, facts


def restore(path: str | Path, model: nn.Module) -> dict[str, Any]:
    """Fill the model with the weights saved at path; return the facts. BadCheckpoint if they do not fit.

    From the file of a training (`train.fit` with a path) it takes the best weights so far.
    """
    tensors, facts = load(path)
    if facts.get("kind") == "training":
        tensors = {k.removeprefix("best/"): t for k, t in tensors.items() if k.startswith("best/")}
    fill(model, tensors, path, facts.get("architecture", "of unknown make"))
    return facts


def fill(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path, architecture: str) -> None:
    """Copy the tensors into the model if all names and shapes agree; else BadCheckpoint names the first."""
    ours, theirs = _shapes(model.state_dict()), _shapes(tensors)
    wrong = [k for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)]
    name = type(model).__name__
    if wrong or name != architecture:
        k = next(iter(wrong), None)
        shapes = f"{k} is {theirs.get(k, 'missing')} in the file, {ours.get(k, 'missing')} in the model"
        detail = f" ({shapes})" if wrong else ""
        cure = "Build the model as it was saved, or choose another path."
        raise BadCheckpoint(path, f"it holds a model {architecture}, not this {name}{detail}", cure)
    model.load_state_dict(dict(tensors))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple | str]:
    """The shape of each tensor; a table of counts (NGram's extra state) is as long as its text was rich."""
    return {k: "a table" if k.endswith("_extra_state") else tuple(t.shape) for k, t in tensors.items()}


def write(path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts to path, atomically; whatever fails, the old file stays as it was."""
    path, text = Path(path), json.dumps(facts, sort_keys=True)
    tensors = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
    header = {"unrolled": str(FORMAT), "facts": text, "sha256": _digest(tensors, text)}
    data = safetensors.torch.save(tensors, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else the move below may reach the disk before the bytes do
        if facts.get("kind") == "training" and path.exists():
            shutil.copy2(path, spare := temporary.with_suffix(".old"))
            os.replace(spare, previous(path))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def previous(path: str | Path) -> Path:
    """Where the save before the last one of a training stays, should the last one be damaged."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts that `write` wrote, if every bit is as it was; else BadCheckpoint."""
    data = Path(path).read_bytes()
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadCheckpoint(path, f"not readable ({error})", _cure(path)) from error
    if "unrolled" not in header:
        cure = "Choose another path, or read it with safetensors.torch.load_file."
        raise BadCheckpoint(path, "it was not written by this library", cure)
    number, text = header["unrolled"], header.get("facts", "")
    if number.isdigit() and int(number) > FORMAT:
        cure = "Update the library: pip install --upgrade unrolled."
        raise BadCheckpoint(path, f"its format is {number}, and this library reads up to {FORMAT}", cure)
    if header.get("sha256") != _digest(tensors, text):
        raise BadCheckpoint(path, "its contents do not match its sha256", _cure(path))
    return tensors, json.loads(text)


def _cure(path: str | Path) -> str:
    """What to do about a damaged file: the last good one is offered where there is one."""
    last = previous(path)
    offer = f" The save before it is {last}: rename it to go on from there." if last.exists() else ""
    return DAMAGED + offer


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    """sha256 of the facts and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        t = tensors[name]
        digest.update(json.dumps([name, str(t.dtype), list(t.shape)]).encode())
        digest.update(t.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _sweep(path: Path) -> None:
    """Remove what killed saves left behind more than an hour ago."""
    for old in [*path.parent.glob(f".{path.name}.*.tmp"), *path.parent.glob(f".{path.name}.*.old")]:
        if time.time() - old.stat().st_mtime > 3600:
            old.unlink(missing_ok=True)
