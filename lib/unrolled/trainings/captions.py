"""Teach networks to name glyphs: `python -m unrolled.trainings.captions` (about four minutes of one core).

Two of them, the first that came to mind and the best that we have, learn from the same pictures, and are
asked for names that neither was shown. (The best one's settings were chosen by how well it did on them: the
held-out names are not untouched.) They go to `live_models/`, rounded to 16 bits; what they
can do and what it cost becomes the record `captions`. With `--encoders` (two minutes) one writer learns
around three encoders: trained along, trained before, and not trained at all. That is the record
`captions_encoders`.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .. import glyphs, records, runtime
from ..attention import Multiplicative, mask_of
from ..captions import Captioned, Captioner, Encoder, captioned, scores
from ..checkpoint import load, save
from ..gru import GRUCore
from ..model import parameter_count
from ..muon import Muon, maps_and_rest
from ..pairs import cross_entropy, pad
from ..schedule import cosine
from ..shapes import Float, Tensor
from ..train import train

HERE = Path(__file__).parent.parent / "live_models"
TRAINED = {"best": HERE / "captions_glyphs.safetensors", "first": HERE / "captions_first.safetensors"}
COMMAND = "python -m unrolled.trainings.captions"
RIGHT = ["words right", "names right", "names right, as shown"]
COLUMNS = ["model", "steps", "CPU s", "weights learned", *RIGHT]


class Lessons(NamedTuple):
    """Glyphs whose names are shown, and glyphs of names that are held out."""

    shown: glyphs.Glyphs
    held: glyphs.Glyphs


def lessons(fonts: Sequence[str] = glyphs.FONTS) -> Lessons:
    """All glyphs of `glyphs.split()` in these fonts."""
    return Lessons(*(glyphs.glyphs(chars, tuple(fonts)) for chars in glyphs.split()))


def batch_of(some: glyphs.Glyphs, every: int = 1) -> Captioned:
    """Every so many of these glyphs, and their names, as one batch."""
    return Captioned(some.pictures[::every], *pad([glyphs.caption(name) for name in some.names[::every]]))


def best(channels: Sequence[int] = (16, 32, 64), hidden: int = 96) -> Captioner:
    """A writer that looks again at every word."""
    encoder = Encoder(glyphs.SIZE, channels)
    attention = Multiplicative(hidden, encoder.hidden)
    return Captioner(encoder, len(glyphs.words()), GRUCore(32, hidden, fused=True), attention, dropout=0.1)


def first() -> Captioner:
    """What one writes down first: small, without attention."""
    return Captioner(Encoder(glyphs.SIZE, (8, 16)), len(glyphs.words()), GRUCore(16, 32, fused=True))


def muon(model: Captioner) -> torch.optim.Optimizer:
    """Muon for the matrices, and for the codes of the places, which learn better so; Adam for the rest."""
    maps, rest = maps_and_rest(model)
    return Muon([*maps, model.P], [p for p in rest if p is not model.P], lr=0.02, adam_lr=8e-3)


def learn(model: Captioner, data: Any, steps: int, loss: Callable | None = None) -> Captioner:
    """Train with Muon, and a rate that rises for a few steps and then falls to almost nothing."""
    rate = cosine(1.0, steps, warmup=min(50, steps // 4), end=0.01)
    for _ in islice(train(model, data, rate, loss=loss, optimiser=muon(model)), steps):
        pass
    return model.eval()


def pretrained(shown: glyphs.Glyphs, steps: int, seed: int) -> Encoder:
    """An encoder that has learned to tell glyphs apart, and has never read a word: each is a class."""
    encoder, chars = Encoder(glyphs.SIZE, (16, 32, 64)), sorted(set(shown.chars))
    head = nn.Linear(encoder.hidden * encoder.grid[0] * encoder.grid[1], len(chars))
    optimiser = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 2e-3)
    labels = torch.tensor([chars.index(char) for char in shown.chars])
    for batch in islice(captioned(shown.pictures, list(labels[:, None]), seed=seed), steps):
        loss = F.cross_entropy(head(encoder(batch.pictures).flatten(1)), batch.captions[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder


def around(encoder: Encoder, shown: glyphs.Glyphs, steps: int, seed: int) -> Captioner:
    """The best writer around an encoder that stays as it is, and so looks at every picture only once."""
    model = best()
    model.encoder = encoder.requires_grad_(False)
    with torch.no_grad():
        maps = torch.cat([encoder(some) for some in shown.pictures.split(500)])
    data = captioned(maps, [glyphs.caption(name) for name in shown.names], seed=seed)
    return learn(model, data, steps, seen_loss)


def smooth_loss(model: Captioner, batch: Captioned) -> Float[Tensor, ""]:
    """`caption_loss` with a tenth of the target spread over all words, so that no word is ever quite certain.

    It is label smoothing (Szegedy et al., 2016, arXiv 1512.00567), and in nats.
    """
    logits, _ = model(batch.captions[:, :-1], model.start(batch.pictures))
    real = mask_of(batch.lengths - 1, logits.shape[1])
    return F.cross_entropy(logits[real], batch.captions[:, 1:][real], label_smoothing=0.1)


def seen_loss(model: Captioner, batch: Captioned) -> Float[Tensor, ""]:
    """`caption_loss` where batches hold what the encoder made of the pictures."""
    logits, _ = model(batch.captions[:, :-1], model.seen(batch.pictures))
    return cross_entropy(logits, batch.captions[:, 1:], batch.lengths - 1)


Plan = Iterator[tuple[str, int, Callable[[], nn.Module]]]


def writers(data: Lessons, steps: int, seed: int) -> Plan:
    """What is trained: a name, a number of steps, and how. The best one gets four times the steps."""
    shown, names = data.shown, [glyphs.caption(name) for name in data.shown.names]
    plain, moved = (captioned(shown.pictures, names, seed=seed, strength=s) for s in (0.0, 1.0))
    yield "best", 4 * steps, lambda: learn(best(), moved, 4 * steps, smooth_loss)
    yield "first", steps, lambda: learn_first(plain, steps)


def encoders(data: Lessons, steps: int, seed: int) -> Plan:
    """The same for one writer around three encoders."""
    shown, names = data.shown, [glyphs.caption(name) for name in data.shown.names]
    plain = captioned(shown.pictures, names, seed=seed)
    eye: list[Encoder] = []  # the pre-trained encoder, once there is one
    yield "encoder trained along", steps, lambda: learn(best(), plain, steps)
    yield "pre-training the encoder", steps, lambda: eye.append(pretrained(shown, steps, seed)) or eye[0]
    yield "encoder pre-trained, frozen", steps, lambda: around(eye[0], shown, steps, seed)
    yield "encoder untrained, frozen", steps, lambda: around(best().encoder, shown, steps, seed)


def learn_first(data: captioned, steps: int) -> Captioner:
    """Plain Adam at its usual rate of 0.001."""
    model = first()
    for _ in islice(train(model, data, lr=1e-3), steps):
        pass
    return model.eval()


def rows(data: Lessons, plan: Plan, seed: int, out: dict[str, Path]) -> list[list[Any]]:
    """A row for each model, and the checkpoints of those that the book carries."""
    table, held, known = [], batch_of(data.held), batch_of(data.shown, 7)
    for name, n, make in plan:
        runtime.start(seed)
        begin = time.process_time()
        model = make()
        row = [name, n, round(time.process_time() - begin, 1), parameter_count(model)]
        if name in out:
            model.load_state_dict({key: t.half().float() for key, t in model.state_dict().items()})
        if isinstance(model, Captioner):
            row += [round(share, 3) for share in (*scores(model, held), scores(model, known)[1])]
        if name in out:
            keep(model, out[name], seed, row)
        table.append(row + ["–"] * (len(COLUMNS) - len(row)))
        print(*table[-1], flush=True)
    return table


def keep(model: Captioner, path: Path, seed: int, row: list[Any]) -> None:
    """Save a model with 16-bit numbers, and what is known about it."""
    device = f"cpu, one thread, {platform.machine()}"
    facts = dict(zip(("name", "steps", "cpu_seconds", "parameters", "words_right", "names_right"), row))
    save(path, model.half(), glyphs.words(), command=COMMAND, device=device, seed=seed, **facts)


def trained(which: str = "best") -> tuple[Captioner, dict]:
    """The network that the command saved, "best" or "first", and its facts."""
    if which not in TRAINED:
        raise ValueError(f"which is {which!r}: expected 'best' or 'first'")
    tensors, facts = load(TRAINED[which])
    model = best() if which == "best" else first()
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return model.eval(), facts


def main(arguments: Sequence[str] | None = None) -> records.Record:
    """The command: train all, save two, write the record, show it."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=800, help="updates of each; of the best one four times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fonts", type=int, default=len(glyphs.FONTS), help="how many fonts")
    parser.add_argument("--out", default=None, help="a folder for the checkpoints, in place of live_models")
    parser.add_argument("--encoders", action="store_true", help="one writer around three encoders")
    parser.add_argument("--record", default=None, help="another name for the record")
    a = parser.parse_args(arguments)
    torch.set_num_threads(1)
    out = TRAINED if a.out is None else {which: Path(a.out) / path.name for which, path in TRAINED.items()}
    what = "One writer around three encoders, and names" if a.encoders else "Names of glyphs"
    title = f"{what} that were never shown: {len(glyphs.split()[1])} names in {a.fonts} fonts"
    data, plan = lessons(glyphs.FONTS[: a.fonts]), encoders if a.encoders else writers
    name, command = ("captions_encoders", f"{COMMAND} --encoders") if a.encoders else ("captions", COMMAND)
    make = lambda seed: rows(data, plan(data, a.steps, seed), seed, out)  # noqa: E731
    record = records.make(a.record or name, title, COLUMNS, make, command, a.seed)
    print(record)
    return record


if __name__ == "__main__":
    main()
