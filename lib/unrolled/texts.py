"""A text by its name, turned into ids and cut in two: what is trained on, and what is validated on."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from . import corpus, data, parallel, stories
from .shapes import Int, Tensor
from .vocab import Vocab

MOST = 1_000_000  # symbols to validate on


class Text(NamedTuple):
    """A text as ids, and the vocabulary that reads both parts.

    floor is the entropy of what is validated on, in bits per symbol, where it is known.
    """

    train: Int[Tensor, "N"]
    valid: Int[Tensor, "M"]
    vocab: Vocab
    floor: float | None = None


def read(
    name: str, kind: str = "chars", share: float | int = 0.1, file: str | None = None, ids: Path | None = None
) -> Text:
    """A text file, a data set of `data` (and which file of it), or "stories", in chars or words.

    The last share of it is for validation, a million symbols at most; of the stories, new ones are. With
    `ids` (x.npy) the text is turned into ids on disk once and mapped, however long it is; its vocabulary is
    kept beside it, and what it was made from. Raises ValueError for unknown names and for ids of another text
    or kind, and DataError where a data set cannot be had.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}: expected a part of the text to validate on, between 0 and 1")
    if name == "stories":
        return _stories(kind)
    if ids is not None:
        return _split(*_mapped(name, kind, file, ids), share)
    text = _text(name, file)
    vocab = _vocab(text, kind)
    return _split(vocab.encode(text), vocab, share)


def _stories(kind: str) -> Text:
    text, new = stories.text(2000), stories.text(200, seed=1)
    vocab = _vocab(text + new, kind)
    return Text(vocab.encode(text), vocab.encode(new), vocab, stories.floor(new, unit=kind.removesuffix("s")))


def _vocab(text: str, kind: str) -> Vocab:
    return Vocab.chars(text) if kind == "chars" else Vocab.words(text)


def _text(name: str, file: str | None) -> str:
    if not Path(name).is_file():
        return data.text(name, file, required=True)
    with open(name, encoding="utf-8", newline="") as opened:
        return opened.read()


def _mapped(name: str, kind: str, file: str | None, ids: Path) -> tuple[Int[Tensor, "N"], Vocab]:
    """The ids on disk; one process makes them, the others wait."""
    if parallel.rank() == 0:
        _keep(Path(name) if Path(name).is_file() else data.path(name, file), kind, ids)
    parallel.wait()
    return corpus.load(ids), Vocab.load(ids.with_suffix(".vocab.json"))


def _keep(source: Path, kind: str, ids: Path) -> None:
    """Write the ids of a text, its vocabulary and its fingerprint, unless they are there."""
    made = ids.with_suffix(".source.json")
    with open(source, "rb") as opened:
        facts = {"kind": kind, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}
    if not ids.exists():
        vocab = corpus.vocabulary(source, kind)
        vocab.save(ids.with_suffix(".vocab.json"))
        made.write_text(json.dumps(facts), encoding="utf-8")
        corpus.encode(source, ids, vocab)
    elif not made.exists() or json.loads(made.read_text(encoding="utf-8")) != facts:
        raise ValueError(f"{ids} was not made from the {kind} of {source} as it is now: delete it, or choose "
                         "another --ids")


def _split(x: Int[Tensor, "N"], vocab: Vocab, share: float | int) -> Text:
    cut = len(x) - min(int(len(x) * share), MOST)
    if min(cut, len(x) - cut) < 2:
        raise ValueError(f"a text of {len(x)} symbols gives {cut} to train on and {len(x) - cut} to validate "
                         "on: both take 2 or more")
    return Text(x[:cut], x[cut:].long(), vocab)
