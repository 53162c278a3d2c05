"""Teach a model to translate English into French: `python -m unrolled.trainings.translate --help`.

    python -m unrolled.trainings.translate --model attention --save a.safetensors --out results.json
    python -m unrolled.trainings.translate --model transformer --save t.safetensors --out results.json

The data are Tatoeba's sentences in sub-words (BLEU against all translations that the test set has for a
sentence), or with `--data ours` those of our own grammar in words: there also the share that is right to the
last word, and that of sentences with words never seen together. A run that was stopped goes on where it was,
if it has the same --save. It runs where `runtime.device` says. --out collects a row for each model.
"""

import argparse
import json
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from .. import checkpoint, records, runtime
from ..attention import Additive, Multiplicative
from ..bleu import translation_scores
from ..bpe import BPE
from ..encoder_decoder import EncoderDecoder
from ..lstm import LSTMCore
from ..model import SequenceModel, parameter_count
from ..pairs import Pairs, answers, pad, pairs
from ..precision import mixed
from ..schedule import cosine
from ..seq2seq import Encoder, Seq2Seq
from ..train import fit
from ..translation import END, Pair, encode, references, sample, tatoeba, text
from ..vocab import Vocab

Row = TypeVar("Row")
MODELS = ("fixed", "multiplicative", "attention", "transformer")


class Data(NamedTuple):
    """Pairs to train on, to choose the weights by, and to test on, by name; and both vocabularies."""

    train: list[Pair]
    valid: list[Pair]
    tests: dict[str, list[Pair]]
    english: Vocab
    french: Vocab


def load(name: str, merges: int) -> Data:
    """The pairs and their vocabularies: sub-words of Tatoeba, or the words of our own language."""
    if name == "tatoeba":
        train, valid, test = (tatoeba(split, required=True) for split in ("train", "valid", "test"))
        fast = find_spec("tokenizers") is not None  # it learns the same merges
        vocabs = [BPE.learn(text(train, s), merges, True, fast) for s in ("english", "french")]
        return Data(train, valid, {"test": test}, *vocabs)
    train, valid = sample(50_000, seed=1), sample(2000, seed=2, split="valid")
    tests = {split: sample(1000, seed=3, split=split) for split in ("valid", "new")}
    every = train + valid + sum(tests.values(), [])
    return Data(train, valid, tests, *(Vocab.words(text(every, s)) for s in ("english", "french")))


def build(a: argparse.Namespace, english: int, french: int) -> SequenceModel:
    """The model that is asked for; `hidden` is the width of all its parts. The transformer has no dropout."""
    H = a.hidden
    if a.model == "transformer":
        return EncoderDecoder(english, french, H, a.layers, max(1, H // 64))
    cores = (LSTMCore(H, H, a.layers, a.dropout, fused=True) for _ in range(3))
    if a.model == "fixed":
        encoder = Encoder(english, next(cores), backwards=True)
        return Seq2Seq(encoder, french, next(cores), None, a.dropout)
    encoder = Encoder(english, next(cores), next(cores))
    attention = Additive(H, 2 * H, H) if a.model == "attention" else Multiplicative(H, 2 * H)
    return Seq2Seq(encoder, french, next(cores), attention, a.dropout)


def learn(model: SequenceModel, data: Data, a: argparse.Namespace) -> dict[str, float]:
    """Train; returns the best validation and what it cost."""
    batches = pairs(*encode(data.train, data.english, data.french), a.batch, a.seed)
    sources, targets = encode(spread(data.valid, 256), data.english, data.french)
    valid, lr = Pairs(*pad(sources), *pad(targets)), cosine(a.lr, a.steps, min(1000, a.steps // 10))
    start, wall = time.process_time(), time.perf_counter()
    history = fit(model, mixed(batches) if a.mixed else batches, a.steps, valid=valid, path=a.save, lr=lr)
    cost = {"cpu_seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - wall}
    best = {"valid_bits": history.valid[:, 1].min().item(), "steps_done": len(history.losses)}
    return best | {name: round(seconds, 1) for name, seconds in cost.items()}


def spread(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many, evenly from the first to the last: Tatoeba's file goes from short to long."""
    return [rows[i * len(rows) // most] for i in range(most)] if len(rows) > most else list(rows)


def measure(model: SequenceModel, data: Data, a: argparse.Namespace) -> dict[str, Any]:
    """BLEU, chrF and the share of whole sentences right, greedy and by beam, on each test."""
    found: dict[str, Any] = {}
    for name, test in data.tests.items():
        known = dict(spread(list(references(test).items()), a.test))
        asked = [data.english.encode(sentence + END) for sentence in known]
        for how, width in {"greedy": 1, "beam": a.beam}.items():
            ids = answers(model, asked, data.french.id(END), 60, width)
            french = [data.french.decode(row) for row in ids]
            scores = translation_scores(french, list(known.values()))
            right = sum(f in refs for f, refs in zip(french, known.values())) / len(known)
            found[f"{name}_{how}"] = {"bleu": scores.bleu, "chrf": scores.chrf, "right": right, "n": scores.n}
            found["signature"] = scores.signatures[0]
            found[f"{name}_samples"] = spread(list(zip(known, french)), 5)
    return found


def train(a: argparse.Namespace) -> dict[str, Any]:
    """One training; returns what it was and what came out."""
    runtime.start(a.seed)
    data = load(a.data, a.merges)
    model = build(a, len(data.english), len(data.french)).to(runtime.device())
    cost = learn(model, data, a)
    if a.keep:
        checkpoint.save(a.keep, model, data.french, english=data.english.to_json(), asked=vars(a), **cost)
    return {
        "command": "python -m unrolled.trainings.translate", **vars(a), "parameters": parameter_count(model),
        "device": records.device(), "date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, **cost,
        "symbols": [len(data.english), len(data.french)], **measure(model, data, a),
    }  # fmt: skip


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m unrolled.trainings.translate", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", choices=MODELS, default="attention")
    parser.add_argument("--data", choices=("tatoeba", "ours"), default="tatoeba")
    numbers = {"hidden": 512, "layers": 2, "merges": 8000, "steps": 30_000, "batch": 128, "seed": 0}
    for name, default in (numbers | {"test": 3000, "beam": 5}).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--lr", type=float, default=1e-3, help="peak of the learning rate; default: 0.001")
    parser.add_argument("--dropout", type=float, default=0.2, help="default: 0.2")
    parser.add_argument("--mixed", action="store_true", help="bfloat16 products where the machine has them")
    parser.add_argument("--save", help="x.safetensors: where the training is kept, and taken up again")
    parser.add_argument("--keep", help="x.safetensors: where the model alone is saved, with its vocabularies")
    parser.add_argument("--out", help="x.json: a list of results; this one is added to it")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> dict[str, Any]:
    """Train as the command line says, print the result, and add it to the file that --out names."""
    a = arguments(given)
    result = train(a)
    if a.out:
        out = Path(a.out)
        rows = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
        out.write_text(json.dumps([*rows, result], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1, ensure_ascii=False))
    return result


if __name__ == "__main__":
    main()
