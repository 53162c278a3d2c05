"""Symbols and their numbers: a model reads ids, people read text, and a `Vocab` stands between the two.

A symbol is one character or one word. Nothing is lost on the way: decode(encode(text)) == text, for any
text of known symbols, whatever its alphabet.
"""

import json
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from .shapes import Int, Tensor

UNKNOWN = "<unk>"  # clashes with no character, and with no word that the pattern below can cut out

# A word takes the space before it along, and keeps its accents and its apostrophe; any other mark stands
# alone. Each character is a letter, a mark or a blank, so the pieces always join up to the text again.
WORD = re.compile(r" ?\w[\w\u0300-\u036f]*(?:['\u2019]\w[\w\u0300-\u036f]*)*| ?[^\w\s]|\s")


class Vocab:
    """The symbols that a model knows, in sorted order; the id of a symbol is its place in that order.

    Make one with `Vocab.chars(text)` or `Vocab.words(text)`. With `unknown=True` the symbol `<unk>` stands
    for all that the text did not have. A word symbol carries the space before it: " train".
    """

    def __init__(self, symbols: Iterable[str], kind: str = "chars"):
        if kind not in ("chars", "words"):
            raise ValueError(f"kind is {kind!r}: it takes 'chars' or 'words'")
        self.symbols = tuple(sorted(set(symbols)))  # sorted: a set's own order changes from run to run
        self.kind = kind
        if not self.symbols:
            raise ValueError("the vocabulary has no symbols: make it from a text that is not empty")
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._warned: set[str] = set()

    @classmethod
    def chars(cls, text: str, unknown: bool = False) -> "Vocab":
        """All characters of the text; with `unknown`, `<unk>` as well."""
        return cls(set(text) | ({UNKNOWN} if unknown else set()), "chars")

    @classmethod
    def words(cls, text: str, unknown: bool = False) -> "Vocab":
        """All words and marks of the text, each with the space before it; with `unknown`, `<unk>` as well."""
        return cls(set(WORD.findall(text)) | ({UNKNOWN} if unknown else set()), "words")

    def split(self, text: str) -> list[str]:
        """Cut the text into symbols, known or not; joined, they are the text again."""
        return WORD.findall(text) if self.kind == "words" else list(text)

    def encode(self, text: str) -> Int[Tensor, "T"]:
        """The ids (T,) of the text's symbols.

        An unknown symbol becomes `<unk>`, with one warning that names it; where the vocabulary has no
        `<unk>`, it is a ValueError.
        """
        pieces = self.split(text)
        unk = self._ids.get(UNKNOWN, -1)
        ids = [self._ids.get(piece, unk) for piece in pieces]
        if unk in ids:
            self._report(self._unknown(pieces))
        return torch.tensor(ids, dtype=torch.long)

    def decode(self, ids: Int[Tensor, "T"] | Sequence[int]) -> str:
        """The text of the ids (T,)."""
        numbers = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        wrong = [i for i in numbers if not 0 <= i < len(self)]
        if wrong:
            raise ValueError(f"ids contains {wrong[0]}: this vocabulary has the ids 0 to {len(self) - 1}")
        return "".join(self.symbols[i] for i in numbers)

    def id(self, symbol: str) -> int:
        """The id of one symbol; `<unk>`'s where there is one and the symbol is unknown."""
        if symbol not in self._ids:
            self._report({symbol: None})
            return self._ids[UNKNOWN]
        return self._ids[symbol]

    def show(self, i: int) -> str:
        """A name for symbol i that can be seen: a space is ␣, a new line ⏎, an invisible mark its code."""
        symbol = self.symbols[i]
        alone = "\u25cc" if unicodedata.combining(symbol[0]) else ""  # an accent needs a circle to sit on
        return alone + "".join(map(_visible, symbol))

    def to_json(self) -> str:
        """The vocabulary as one line of ASCII."""
        return json.dumps({"kind": self.kind, "symbols": self.symbols})

    @classmethod
    def from_json(cls, text: str) -> "Vocab":
        """The vocabulary that `to_json` wrote."""
        try:
            facts = json.loads(text)
            if facts["kind"] == "sub-words":
                from .bpe import BPE  # here and not above: bpe stands on this module

                return BPE(facts["symbols"], facts["merges"])
            if facts["kind"] == "sub-words of bytes":
                from .subwords import Subwords

                return Subwords(*(facts[name] for name in ("symbols", "merges", "special", "digits")))
            return cls(facts["symbols"], facts["kind"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"no saved vocabulary ({error}): expected what Vocab.to_json writes") from error

    def save(self, path: str | Path) -> None:
        """Write the vocabulary to a file."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Vocab":
        """Read the vocabulary that `save` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))

    def _unknown(self, pieces: list[str]) -> dict[str, int]:
        """The unknown pieces, each with the character position of its first appearance."""
        places: dict[str, int] = {}
        position = 0
        for piece in pieces:
            if piece not in self._ids:
                places.setdefault(piece, position)
            position += len(piece)
        return places

    def _report(self, places: Mapping[str, int | None]) -> None:
        """Say which symbols are unknown: an error without `<unk>`, else one warning for each of them."""
        if UNKNOWN not in self._ids:
            symbol, place = next(iter(places.items()))
            where = "" if place is None else f" (at position {place} of the text)"
            raise ValueError(
                f"unknown symbol {symbol!r}{where}. Leave it out, or make the vocabulary with unknown=True. "
                f"This vocabulary has {len(self)} {self.kind}: {self._some()}"
            )
        news = [symbol for symbol in places if symbol not in self._warned]
        if news:
            self._warned.update(news)
            more = f" and {len(news) - 10} more" if len(news) > 10 else ""
            names = ", ".join(map(repr, news[:10])) + more
            warnings.warn(f"{names}: unknown here, read as {UNKNOWN}", stacklevel=3)

    def _some(self) -> str:
        """The symbols, or the first hundred of them, for an error message."""
        names = " ".join(self.show(i) for i in range(min(len(self), 100)))
        return names if len(self) <= 100 else names + " ..."

    def __len__(self) -> int:
        return len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and (self.kind, self.symbols) == (other.kind, other.symbols)

    def __hash__(self) -> int:
        return hash((self.kind, self.symbols))

    def __repr__(self) -> str:
        return f"Vocab({len(self)} {self.kind})"


def _visible(char: str) -> str:
    marks = {" ": "␣", "\n": "⏎", "\t": "⇥"}
    return marks.get(char) or (char if char.isprintable() else char.encode("unicode_escape").decode("ascii"))
