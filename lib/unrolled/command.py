"""Train any model of the book on any text, from the shell: `python -m unrolled.train --help`.

    python -m unrolled.train rnn stories --set hidden=64 --steps 500
    python -m unrolled.train lstm tinyshakespeare --set hidden=512 fused=True --carry --mixed \\
        --schedule cosine --path shakespeare.safetensors --jsonl shakespeare.jsonl
    torchrun --nproc-per-node 2 -m unrolled.train gru book.txt --set hidden=256 --ids book.npy

The file at --path holds the best weights, the vocabulary, and what made them; beside it lies the training
itself (.training.safetensors), which the same command takes up again where it stopped.
"""

import argparse
import ast
import inspect
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from . import checkpoint, data, runtime
from .batches import Around, batches, gathered, moved, streams
from .console import say
from .evaluate import evaluate
from .fetch import DataError
from .generate import write
from .log import LoggedRun
from .model import SequenceModel, device_of, parameter_count
from .muon import Muon, maps_and_rest
from .parallel import group, rank, share
from .precision import compiled, helps, mixed
from .runs import Rate
from .schedule import cosine, linear
from .texts import Text, read
from .train import History, NonFinite, follow

MODELS = {
    "ngram": "NGram", "bag": "Bag", "rnn": "RNN", "lstm": "LSTM", "gru": "GRU", "ssm": "SSM",
    "transformer": "Transformer", "wavenet": "WaveNet",
}  # fmt: skip

OPTIONS = (
    ("--set", {"nargs": "+", "default": [], "metavar": "NAME=VALUE", "help": "the model's: hidden=256"}),
    ("--kind", {"choices": ["chars", "words"], "default": "chars", "help": "what a symbol is"}),
    ("--file", {"help": "which file, where the data set has several"}),
    ("--ids", {"type": Path, "metavar": "FILE.npy",
               "help": "keep the text's ids in this file and map it: for a text larger than memory"}),
    ("--valid", {"type": float, "default": 0.1, "help": "the last share of the text, to validate on"}),
    ("--steps", {"type": int, "default": 1000}),
    ("--batch", {"type": int, "default": 32, "help": "rows of a batch"}),
    ("--length", {"type": int, "default": 64, "help": "predictions in a row"}),
    ("--carry", {"action": "store_true", "help": "carry the state from batch to batch"}),
    ("--gather", {"type": int, "default": 1, "metavar": "K", "help": "make one step of K batches"}),
    ("--optimiser", {"choices": ["adam", "muon"], "default": "adam"}),
    ("--lr", {"type": float, "help": "learning rate; for muon a factor (default: 3e-3, for muon 1)"}),
    ("--schedule", {"choices": ["constant", "linear", "cosine"], "default": "constant"}),
    ("--warmup", {"type": int, "default": 0, "help": "steps in which a schedule rises"}),
    ("--mixed", {"action": "store_true", "help": "bfloat16 in the products, where the machine has it"}),
    ("--compile", {"action": "store_true", "help": "compile the model, on a GPU"}),
    ("--seed", {"type": int, "default": 0}),
    ("--threads", {"type": int, "help": "threads on a CPU (default: OMP_NUM_THREADS, else 1)"}),
    ("--path", {"type": Path, "metavar": "MODEL.safetensors", "help": "save there, and go on from there"}),
    ("--jsonl", {"type": Path, "metavar": "LOG", "help": "a line of JSON for each step and validation"}),
    ("--sample", {"type": int, "default": 300, "help": "symbols to write at the end"}),
    ("--prompt", {"help": "what the sample begins with (default: a symbol of the text)"}),
)  # fmt: skip


# What decides the curve: a training that was begun with other values is not taken up.
DECIDES = ("data", "file", "set", "kind", "valid", "batch", "length", "carry", "gather", "optimiser", "lr",
           "schedule", "warmup", "mixed", "seed")  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    about, _, more = (__doc__ or "").partition("\n\n")
    made = argparse.ArgumentParser(
        prog="python -m unrolled.train", description=about, epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("model", choices=MODELS)
    made.add_argument("data", help='a text file, "stories", or a data set: ' + ", ".join(data.names()))
    for name, settings in OPTIONS:
        made.add_argument(name, **settings)
    return made


def main(argv: list[str] | None = None) -> None:
    """Train as the command line asks. A bad value ends with one line that says what is expected."""
    made = parser()
    asked = made.parse_args(argv)
    try:
        with group():
            _main(asked)
    except (ValueError, OSError, DataError, NonFinite, torch.OutOfMemoryError) as error:
        raise SystemExit(f"{made.prog}: {error}") from None


def _main(asked: argparse.Namespace) -> None:
    if asked.threads is not None and asked.threads < 1:
        raise ValueError(f"--threads is {asked.threads}: it takes at least 1")
    runtime.repeatable(asked.seed, asked.threads)
    device, text = runtime.device(), read(asked.data, asked.kind, asked.valid, asked.file, asked.ids)
    model = build(asked.model, len(text.vocab), settings(asked.set)).to(device)
    room(model, text, asked)  # what is wrong with a prompt is told now, not after the training
    torch.manual_seed(asked.seed + rank())  # the processes' dropout differs, their weights do not
    where = f"{device}, {torch.get_num_threads()} thread(s)" if device.type == "cpu" else device
    say(f"{type(model).__name__} with {parameter_count(model):,} parameters, on {where}; {asked.kind}: "
        f"{len(text.train):,} to train on, {len(text.valid):,} to validate on, {len(text.vocab)} different")
    start = time.process_time()
    if hasattr(model, "fit"):
        model.fit(text.train)  # counted, not learned
    else:
        say(str(learn(model, text, asked)))
    if rank() == 0:
        report(model, text, asked, time.process_time() - start)


def settings(pairs: list[str]) -> dict[str, Any]:
    """["hidden=256", "positions=rotary"] as {"hidden": 256, "positions": "rotary"}."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"--set {pair}: expected NAME=VALUE, such as hidden=256")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def build(name: str, vocab_size: int, given: dict[str, Any]) -> SequenceModel:
    """A model by its name; ValueError says which arguments it takes, where one is unknown or missing."""
    kind = getattr(import_module(f".{name}", __package__), MODELS[name])
    known = inspect.signature(kind)
    try:
        known.bind(vocab_size=vocab_size, **given)
        return kind(vocab_size=vocab_size, **given)
    except TypeError as error:
        names = ", ".join(str(p) for p in known.parameters.values() if p.name != "vocab_size")
        raise ValueError(f"--set: {error}; {name} takes {names}") from None


def learn(model: SequenceModel, text: Text, asked: argparse.Namespace) -> History:
    """Train by gradient descent; with --path also save, and go on from what was saved."""
    if asked.compile:
        compiled(model)
    device, size = device_of(model), min(asked.length, len(text.valid) - 1)
    rows = text.valid.unfold(0, size + 1, size)[: max(1, 16384 // size)].to(device)
    run = LoggedRun(model, feed(text, asked, device), rows, rate(asked), asked.jsonl)
    if asked.optimiser == "muon":
        half = asked.mixed and helps(device)
        run.optimiser = Muon(*maps_and_rest(model), dtype=torch.bfloat16 if half else None)
    decides = DECIDES if asked.schedule == "constant" else (*DECIDES, "steps")
    run.facts = {"vocab": text.vocab.to_json()} | {f"--{name}": getattr(asked, name) for name in decides}
    return follow(run, asked.steps, asked.path and asked.path.with_suffix(".training.safetensors"))


def feed(text: Text, asked: argparse.Namespace, device: torch.device) -> Around:
    """The batches that are asked for."""
    if asked.carry:
        source = streams(text.train, asked.length, asked.batch)
    else:
        source = batches(text.train, asked.length, asked.batch, asked.seed)
    shared = share(moved(source, device))
    return gathered(mixed(shared) if asked.mixed else shared, asked.gather)


def rate(asked: argparse.Namespace) -> Rate:
    """The learning rate of each step; for Muon, what its own two rates are multiplied by."""
    peak = (1.0 if asked.optimiser == "muon" else 3e-3) if asked.lr is None else asked.lr
    if not peak > 0:
        raise ValueError(f"--lr is {peak}: expected more than 0")
    if asked.schedule == "cosine":
        return cosine(peak, asked.steps, asked.warmup)
    return linear(peak, asked.steps, asked.warmup, end=peak if asked.schedule == "constant" else 0.0)


def prompt(text: Text, asked: argparse.Namespace) -> str:
    """What the sample begins with."""
    return text.vocab.symbols[text.valid[0]] if asked.prompt is None else asked.prompt


def room(model: SequenceModel, text: Text, asked: argparse.Namespace) -> int:
    """How many symbols the sample may have; ValueError for a prompt that the model cannot read."""
    context = getattr(getattr(model, "core", None), "context", None)  # what a transformer can read at most
    n = len(text.vocab.encode(prompt(text, asked)))
    if n < 1 or context is not None and n > context:
        most = "at least 1" if context is None else f"1 to {context}, which is what the model can read"
        raise ValueError(f"--prompt has {n} symbols: expected {most}")
    return asked.sample if context is None else min(asked.sample, context - n + 1)


def report(model: SequenceModel, text: Text, asked: argparse.Namespace, seconds: float) -> None:
    """Save, measure and show what came out."""
    device = device_of(model)
    facts = {name: getattr(asked, name) for name in ("data", "steps", "seed")}
    facts |= {"room": asked.model, "settings": settings(asked.set)}
    facts |= {"device": str(device), "cost": f"{seconds:.0f} CPU-s"}
    if asked.path is not None:  # first of all: whatever happens while it is measured, it is there
        checkpoint.save(asked.path, model, text.vocab, **facts)
    window = None if asked.carry or hasattr(model, "fit") else asked.length
    score = evaluate(model, text.valid.to(device), text.floor, window)
    print(score)
    if asked.path is not None:
        checkpoint.save(asked.path, model, text.vocab, **facts, bits=score.bits)
        print(f"saved as {asked.path}")
    if asked.sample:
        print(write(model, text.vocab, prompt(text, asked), room(model, text, asked), asked.seed))
