"""A text by its name, turned into ids and cut in two: what is trained on, and what is validated on."""

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
    kept beside it. Raises ValueError for unknown names and DataError where a data set cannot be had.
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
    symbols = ids.with_suffix(".vocab.json")
    if parallel.rank() == 0 and not ids.exists():
        source = name if Path(name).is_file() else data.path(name, file)
        vocab = corpus.vocabulary(source, kind)
        vocab.save(symbols)
        corpus.encode(source, ids, vocab)
    parallel.wait()
    return corpus.load(ids), Vocab.load(symbols)


def _split(x: Int[Tensor, "N"], vocab: Vocab, share: float | int) -> Text:
    cut = len(x) - min(int(len(x) * share), MOST)
    return Text(x[:cut], x[cut:].long(), vocab)
