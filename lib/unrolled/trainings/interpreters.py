"""Teach two small networks French: `python -m unrolled.trainings.interpreters` (about three minutes).

One has to keep the whole sentence in one vector, the other may look back (multiplicative attention). Both
learn from the same 40,000 pairs of our own grammar, 3 to 12 English symbols each, with the same number of
updates and about as many weights. The weights go to `live_models/`, rounded to 16 bits; the record
`translation_by_length` says how many sentences of each length come out right to the last word.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .. import checkpoint, records, runtime
from ..attention import Multiplicative
from ..lstm import LSTMCore
from ..model import SequenceModel, parameter_count
from ..pairs import Pairs, answers, pad, pairs, teacher_forcing
from ..schedule import cosine
from ..seq2seq import Encoder, Seq2Seq
from ..shapes import Float, Tensor
from ..train import fit
from ..translation import END, Pair, encode, sample, text
from ..vocab import Vocab

TRAINED = Path(__file__).parent.parent / "live_models"
KINDS = ("fixed", "attention")
EMBED = 48
WIDTHS = {"fixed": 64, "attention": 48}  # the one with a single vector gets the larger one
SEEN = (3, 12)  # English symbols of a sentence in training
LENGTHS = ((3, 5), (6, 8), (9, 12), (13, 16), (17, 20))
COMMAND = "python -m unrolled.trainings.interpreters"
COLUMNS = ["from", "to", "fixed vector", "attention"]


def build(kind: str, english: int, french: int) -> Seq2Seq:
    """An untrained network for so many symbols of each language; its sizes are those of this module."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: expected one of {', '.join(KINDS)}")
    H = WIDTHS[kind]
    cores = (LSTMCore(EMBED, H, fused=True) for _ in range(3))
    if kind == "fixed":
        return Seq2Seq(Encoder(english, next(cores), backwards=True), french, next(cores))
    return Seq2Seq(Encoder(english, next(cores), next(cores)), french, next(cores), Multiplicative(H, 2 * H))


def learn(
    kind: str, data: Sequence[Pair], steps: int, seed: int
) -> tuple[Seq2Seq, Vocab, Vocab, dict[str, Any]]:
    """A trained network, its numbers rounded to 16 bits, both vocabularies, and what it cost."""
    torch.manual_seed(seed)
    english, french = (Vocab.words(text(data, side)) for side in ("english", "french"))
    model, start = build(kind, len(english), len(french)), time.process_time()
    rate = cosine(1e-2, steps, warmup=min(100, steps // 10))
    fit(model, pairs(*encode(data, english, french), seed=seed), steps, lr=rate)
    seconds = round(time.process_time() - start)
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    cost = {"kind": kind, "steps": steps, "seed": seed, "cpu_seconds": seconds, "pairs": len(data)}
    return model.eval(), english, french, cost


def right(model: SequenceModel, english: Vocab, french: Vocab, asked: Sequence[Pair]) -> float:
    """The share of sentences that greedy writing translates as the grammar does, to the last word."""
    sources, _ = encode(asked, english, french)
    ids = answers(model, sources, french.id(END), 40)
    return sum(french.decode(row) == pair.french for row, pair in zip(ids, asked)) / len(asked)


@torch.no_grad()
def surprise(
    model: SequenceModel, english: Vocab, french: Vocab, asked: Sequence[Pair]
) -> Float[Tensor, ""]:
    """Bits per French symbol, where the network always reads the true one."""
    sources, targets = encode(asked, english, french)
    return teacher_forcing(model, Pairs(*pad(sources), *pad(targets)))


@torch.no_grad()
def looks(model: Seq2Seq, english: Vocab, french: Vocab, pair: Pair) -> Float[Tensor, "T S"]:
    """Where the network looks: a row for each French symbol of the pair, a column for each English one.

    The last row and the last column are END's, which the grammar links to nothing.
    """
    (source,), (target,) = encode([pair], english, french)
    return model.weights(target[None, :-1], model.start(source[None]))[0]


def aligned(model: Seq2Seq, english: Vocab, french: Vocab, asked: Sequence[Pair]) -> float:
    """The share of French words for which the place most looked at is one that the grammar links it to."""
    hits = []
    for pair in asked:
        best = looks(model, english, french, pair)[:-1].argmax(-1)
        hits += [(i, j) in pair.links for j, i in enumerate(best.tolist())]
    return sum(hits) / len(hits)


def trained(kind: str, folder: str | Path = TRAINED) -> tuple[Seq2Seq, Vocab, Vocab, dict[str, Any]]:
    """The network that the command saved ("fixed" or "attention"), both vocabularies, and its facts."""
    tensors, facts = checkpoint.load(Path(folder) / f"translator_{kind}.safetensors")
    english, french = Vocab.from_json(facts["english"]), facts["vocab"]
    model = build(kind, len(english), len(french))
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval(), english, french, facts


def rows(steps: int, seed: int, n: int, folder: Path) -> list[list[Any]]:
    """Train and save both; a row for each range of lengths: the shares that are right of n sentences."""
    data, new = sample(40_000, seed + 1), sample(n, seed + 3, "new")
    asked = [sample(n, seed + 2, "valid", low, high) for low, high in LENGTHS]
    found = []
    for kind in KINDS:
        *known, cost = learn(kind, data, steps, seed)
        model, english, french = known
        facts = {"command": COMMAND, "device": records.device(), **cost, "parameters": parameter_count(model)}
        facts["valid_bits"] = surprise(*known, sum(asked[:3], [])).item()
        facts["right_new"] = right(*known, new)
        if kind == "attention":
            facts["aligned"] = aligned(*known, sum(asked[:3], []))
        found.append([right(*known, some) for some in asked])
        print(kind, facts, found[-1], flush=True)
        place = folder / f"translator_{kind}.safetensors"
        checkpoint.save(place, model.half(), french, english=english.to_json(), **facts)
    return [[*ends, *shares] for ends, *shares in zip(LENGTHS, *found)]


def main(given: Sequence[str] | None = None) -> records.Record:
    """The command: train both, save them, write the record, show it."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.split("\n")[0])
    for name, default in {"steps": 4000, "seed": 0, "n": 300}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--folder", default=str(TRAINED), help="where the checkpoints go")
    a = parser.parse_args(given)
    runtime.start(a.seed)
    title = (
        f"Share of sentences translated right to the last word, by English symbols; {a.steps:,} updates on "
        f"sentences of {SEEN[0]} to {SEEN[1]}"
    )
    made = records.make("translation_by_length", title, COLUMNS,
                        lambda seed: rows(a.steps, seed, a.n, Path(a.folder)), COMMAND, a.seed)  # fmt: skip
    print(made)
    return made


if __name__ == "__main__":
    main()
