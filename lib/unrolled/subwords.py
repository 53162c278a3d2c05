"""Sub-words of bytes, as GPT-2 and those after it read text: any text can be written in them.

    vocab = Subwords.gpt2("vocab.json", "merges.txt")        # the files that came with GPT-2

It takes `pip install tokenizers` (the extra "subwords").
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from .shapes import Int, Tensor
from .vocab import Vocab


class Subwords(Vocab):
    """A vocabulary of sub-words of bytes, as GPT-2 has it; ids are in the order of its tokens.

    `merges` are the pairs to join ("t h"), in order; `special` are symbols that no text is cut through. With
    `digits=True` each digit stands alone, as in SmolLM2; GPT-2 joins them. Cutting is done by the package
    `tokenizers`: ImportError where it is missing. In the symbols, a space is "Ġ" and a new line "Ċ".
    """

    def __init__(
        self, symbols: Sequence[str], merges: Iterable[str], special: Iterable[str] = (), digits: bool = False
    ):
        try:
            from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
        except ImportError as error:
            raise ImportError("sub-words of bytes need tokenizers: pip install tokenizers") from error

        self.symbols, self.kind = tuple(symbols), "sub-words of bytes"
        self.merges, self.special, self.digits = tuple(merges), tuple(special), digits
        self._ids, self._warned = {symbol: i for i, symbol in enumerate(self.symbols)}, set()
        self._tokenizer = Tokenizer(models.BPE(self._ids, [tuple(pair.split(" ")) for pair in self.merges]))
        cuts = [pre_tokenizers.Digits(True)] if digits else []
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer.add_special_tokens([AddedToken(s, normalized=False) for s in self.special])

    @classmethod
    def from_facts(cls, facts: Mapping) -> "Subwords":
        """The vocabulary that the facts of a GGUF file describe; ValueError where it is of another kind."""
        kind = facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"]
        if kind != ("gpt2", "smollm"):
            raise ValueError(f"the file's tokenizer is {kind}: expected ('gpt2', 'smollm')")
        tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
        special = [s for s, t in zip(tokens, types) if t == 3]
        return cls(tokens, facts["tokenizer.ggml.merges"], special, digits=True)

    @classmethod
    def gpt2(cls, vocab_json: str | Path, merges_txt: str | Path) -> "Subwords":
        """GPT-2's vocabulary from its two files: the ids of the symbols, and the pairs to join, in order.

        ValueError where the ids are not 0, 1, 2, ...
        """
        ids = json.loads(Path(vocab_json).read_text(encoding="utf-8"))
        symbols = sorted(ids, key=ids.__getitem__)
        if [ids[symbol] for symbol in symbols] != list(range(len(symbols))):
            raise ValueError(f"{vocab_json}: its ids are not 0 to {len(symbols) - 1}, each of them once")
        lines = Path(merges_txt).read_text(encoding="utf-8").split("\n")
        merges = [line for line in lines if line and not line.startswith("#version")]
        return cls(symbols, merges, [s for s in symbols if s == "<|endoftext|>"])

    def split(self, text: str) -> list[str]:
        """Cut the text into symbols."""
        return self._tokenizer.encode(text).tokens

    def encode(self, text: str) -> Int[Tensor, "T"]:
        """The ids (T,) of the text's symbols; each byte has one, so none is unknown."""
        return torch.tensor(self._tokenizer.encode(text).ids, dtype=torch.long)

    def decode(self, ids: Int[Tensor, "T"] | Sequence[int]) -> str:
        """The text of the ids (T,). Bytes that end within a character become a question mark in a diamond."""
        numbers = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        if wrong := [i for i in numbers if not 0 <= i < len(self)]:
            raise ValueError(f"ids contains {wrong[0]}: this vocabulary has the ids 0 to {len(self) - 1}")
        return self._tokenizer.decode(numbers, skip_special_tokens=False)

    def to_json(self) -> str:
        """The vocabulary as one line of ASCII."""
        return json.dumps({"kind": self.kind, "symbols": self.symbols, "merges": self.merges,
                           "special": self.special, "digits": self.digits})  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subwords) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.symbols, self.merges))
