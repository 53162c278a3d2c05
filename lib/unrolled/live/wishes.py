"""The figure of the wish list: three models read the same words; change one, and see who notices."""

import base64
import html
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from .. import stories
from ..bag import Bag
from ..checkpoint import load
from ..model import SequenceModel
from ..ngram import NGram
from ..rnn import RNN
from ..shapes import Int, Tensor
from ..vocab import Vocab
from ..wishlist import distance, predict
from .page import Figure, element

TRAINED = Path(__file__).parent.parent / "live_models" / "wishes_stories.safetensors"
SEED, LAG = 1, 0  # of the stories that they have read
COUNTED = 1500  # stories that the trigram counts: as many as fit into the page
CHOICES = 11  # words that the list offers in place of another
NAMES = {"ngram": "trigram", "bag": "bag", "rnn": "network"}
WEIGHTS = {"bag": ("W_x", "W_y", "b_y"), "rnn": ("W_x", "W_h", "b_h", "W_y", "b_y")}  # as in wishes.mjs
FIRST = 0x100  # word 0 is this character in the page, word 1 the next one: far from all that HTML minds
HEIGHT = "clamp(825px, 65000px - 10000vw, 1870px)"  # kept free until the script has run: beside or below
CONTEXTS = {
    "country": "Tim was planning to visit France with one golden spoon. The train waited behind the station "
    "for a nun. He took the train from London to",
    "traveller": "Ada packed a clock and left for Norway. The hotel had two drums and one bed. The wind was "
    "cold. So was",
    "far country": "Kim was planning to visit Italy. In the museum they saw their dentist who counted one "
    "famous ladder. In the end the large plumber sold them six blue carpets. One pigeon kissed their "
    "umbrella. They took the train from Bath to",
}


class Trio(NamedTuple):
    """The words, the three models ("ngram", "bag" and "rnn"), and what is recorded of their training."""

    vocab: Vocab
    models: dict[str, SequenceModel]
    facts: dict


def wishes(contexts: Mapping[str, str] = CONTEXTS, path: str | Path | None = None) -> Figure:
    """Change one word of a context and see which of three models notices (the lecture's D3, D4 and D6).

    A trigram, a bag of words and a small recurrent network run side by side in the page. `contexts` are
    beginnings of stories by name, the first one being shown first; the models guess the word that comes after
    them. `path` is a checkpoint of `python -m unrolled.live.train_wishes`; None is the book's own.
    Raises ValueError for a word that the models do not know, and for a context of fewer than two words.
    """
    trio = trained(path or TRAINED)
    rows = {name: begun(trio.vocab, name, text) for name, text in contexts.items()}
    marks = {name: loudest(trio, x) for name, x in rows.items()}
    first = next(iter(rows))  # the one that is shown first
    words = f"{story(trio.facts)} {example(trio, rows[first], marks[first])}"
    counted = row(trio.vocab, told(COUNTED))
    value = {
        "symbols": trio.vocab.symbols,
        "contexts": {name: x[1:].tolist() for name, x in rows.items()},
        "marks": marks,
        "choices": CHOICES,
        "text": "".join(chr(FIRST + i) for i in counted.tolist()),
        "models": {name: packed(trio.models[name], names) for name, names in WEIGHTS.items()},
        "looks": looks(),
        "note": story(trio.facts),
    }
    page = f"<p>A live figure. {html.escape(words)}</p>"
    modules = ("tensor", "counts", "ui", "wishes")
    return Figure(element("u-wishes", value, page, modules, HEIGHT), f"A live figure. {words}")


def trained(path: str | Path) -> Trio:
    """The models as the page has them: weights rounded to 16 bits, a trigram that counts 64-bit numbers."""
    tensors, facts = load(path)
    vocab = facts["vocab"]
    models = {"ngram": NGram(3, len(vocab)).fit(row(vocab, told(COUNTED))).double()}
    for name, make in (("bag", Bag), ("rnn", RNN)):
        own = {k.removeprefix(f"{name}."): t.float() for k, t in tensors.items() if k.startswith(f"{name}.")}
        models[name] = make(len(vocab), len(own["W_x"]))
        models[name].load_state_dict(own)
    return Trio(vocab, models, facts)


def told(n: int, seed: int = SEED) -> str:
    """The first n of the stories that the models have read, each ended by a new line."""
    return stories.text(n, seed, LAG)


def row(vocab: Vocab, text: str) -> Int[Tensor, "T"]:
    """The ids of a new line and the text."""
    return vocab.encode("\n" + text)


def begun(vocab: Vocab, name: str, text: str) -> Int[Tensor, "T"]:
    """The row of a context, which must have two words at least, so that some can change places."""
    x = row(vocab, text)
    if len(x) < 3:
        raise ValueError(f"context {name!r} has {len(x) - 1} word(s): give at least two words of a story")
    return x


def options(trio: Trio, x: Int[Tensor, "T"], i: int) -> Int[Tensor, "N"]:
    """The words that the list offers in place of x[i]: those that the trigram finds likeliest there."""
    scores = trio.models["ngram"](x[None, :i])[0][0, -1]
    order = scores.argsort(descending=True, stable=True)
    return order[(order != x[i]) & (order != x[0])][:CHOICES]  # x[0] is the new line


@torch.no_grad()
def effect(model: SequenceModel, x: Int[Tensor, "T"], i: int, others: Int[Tensor, "N"]) -> float:
    """How far the guess moves, on average, when x[i] becomes one of the others (total variation, 0 to 1)."""
    rows = x.repeat(len(others), 1)
    rows[:, i] = others
    return float(distance(predict(model, rows), predict(model, x[None]).expand(len(others), -1)).mean())


def loudest(trio: Trio, x: Int[Tensor, "T"]) -> int:
    """The place of the word that the network minds most, of all that stand more than five back."""
    places = range(1, max(2, len(x) - 5))
    return max(places, key=lambda i: effect(trio.models["rnn"], x, i, options(trio, x, i)))


def example(trio: Trio, x: Int[Tensor, "T"], i: int) -> str:
    """What a change of the word at place i does to each model's guess, in words."""
    moved = [f"{NAMES[k]} {effect(m, x, i, options(trio, x, i)):.2f}" for k, m in trio.models.items()]
    word, text = trio.vocab.symbols[int(x[i])].strip(), trio.vocab.decode(x[1:])
    return (
        f"After “{text} ...”: change “{word}”, {len(x) - i} words back, and the guess of the next word "
        f"moves, from 0 (not at all) to 1 (to other words altogether), by: {', '.join(moved)}."
    )


def story(facts: dict) -> str:
    """What the models have read, and how good they are."""
    bits = [f"{facts[f'{name}_bits']:.2f}" for name in NAMES]
    return (
        f"The trigram has counted {COUNTED:,} short stories, as many as fit into this page. The bag and the "
        f"network have read these and {facts['stories'] - COUNTED:,} more, each from its beginning. On new "
        f"stories they need {bits[0]}, {bits[1]} and {bits[2]} bits a word; the best possible is "
        f"{facts['floor']:.2f}."
    )


def looks() -> dict[str, list[str]]:
    """Each model's name, colour, dashes and marker, as on every plot of the book."""
    from ..looks import LOOKS  # brings matplotlib, which the other live figures do without

    dashes = {name: "" if isinstance(LOOKS[name].dash, str) else LOOKS[name].dash[1] for name in NAMES}
    return {k: [NAMES[k], LOOKS[k].colour, " ".join(map(str, dashes[k])), LOOKS[k].marker] for k in NAMES}


def packed(model: Bag | RNN, names: tuple[str, ...]) -> dict[str, int | str]:
    """The size of the state and the named weights: base64 of 16-bit floats, little-endian."""
    parts = [getattr(model, name).detach().half().flatten() for name in names]
    numbers = torch.cat(parts).numpy().astype("<f2")
    return {"hidden": model.hidden, "weights": base64.b64encode(numbers.tobytes()).decode("ascii")}
