"""Little travel stories from our own grammar, whose every probability is known exactly.

The country at the start decides the capital at the end: "Tim was planning to visit France. ... He took the
train from London to Paris." (the lecture's example of a long-term dependency, claim V4). Because we made the
language, we know the best that any model of it can do: the floor, in bits per character or per word.

The wording is in `stories_grammar`; how the probabilities come out exact, in `grammar`.
"""

import math
import random
from functools import cache

import torch

from . import stories_grammar as wording
from .grammar import END, Belief, Grammar
from .model import SequenceModel, State, check_state, check_tokens
from .shapes import Float, Int, Tensor
from .vocab import UNKNOWN, WORD, Vocab


@cache
def grammar(lag: int = 12) -> Grammar:
    """The grammar of the travel stories: the capital comes at least `lag` words after its country."""
    forms = zip(*wording.PRONOUNS.values())  # one for each group of travellers
    people = [(name, form) for names, form in zip(wording.TRAVELLERS, forms) for name in names]
    tables = {
        "country": [{"country": here, "capital": there} for here, there in wording.CAPITALS.items()],
        "name": [{"name": n, "name's": n + "'s", **dict(zip(wording.PRONOUNS, form))} for n, form in people],
        "item": [{"item": item} for item in wording.ITEMS],
    }
    return Grammar(wording.RULES, tables, lag, clock="country")


def sample(n: int, seed: int = 0, lag: int = 12) -> list[str]:
    """n stories, one line each, without the end of the line.

    lag: at least so many words pass between a country and its capital. The same seed gives the same stories
    everywhere, and a larger n begins with the same ones.
    """
    if n < 0:
        raise ValueError(f"n is {n}: it takes a number of stories, 0 or more")
    rng = random.Random(seed)
    return [grammar(lag).write(rng) for _ in range(n)]


def text(n: int, seed: int = 0, lag: int = 12) -> str:
    """n stories as one text, each ended by a new line."""
    return "".join(story + END for story in sample(n, seed, lag))


def log2_prob(story: str, lag: int = 12) -> float:
    """The exact log-probability of one story and its end, in bits; -inf for what the grammar cannot write."""
    return grammar(lag).log2_prob(story.removesuffix(END) + END)


def next_words(prefix: str, lag: int = 12) -> dict[str, float]:
    """The exact distribution of the next symbol after the beginning of a story; empty for an impossible one.

    The symbols are those of `Vocab.words`: a word with the space before it, a mark, or the end of the line.
    Of several lines only the last one counts: a new line begins a new story.
    """
    writer = grammar(lag)
    belief = {writer.start: 1.0}
    for symbol in WORD.findall(prefix.rpartition(END)[2]):
        _, belief = writer.read(belief, symbol)
    return writer.next(belief)


def floor(text: str, lag: int = 12, unit: str = "char") -> float:
    """What the grammar itself needs for this text of whole lines, in bits per symbol: no model averages less.

    unit: "char", or "word" for the symbols of `Vocab.words`. The ends of the lines count as symbols. It is
    infinite when the grammar cannot write the text. By luck a model can beat it on one short text, but not
    on the average of fresh ones (Shannon 1948, section 7).
    """
    if unit not in ("char", "word"):
        raise ValueError(f"unit is {unit!r}: it takes 'char' or 'word'")
    if not text.endswith(END):
        raise ValueError("the text does not end with a new line: the floor is known for whole stories only")
    return -grammar(lag).log2_prob(text) / len(text if unit == "char" else WORD.findall(text))


class Oracle(SequenceModel):
    """The grammar itself as a word model under the law: the best there is, to compare others with.

    vocab: a vocabulary of words; lag: the lag of the stories. logits are log-probabilities. The state is the
    belief of each row of the batch. A row that reads what the grammar cannot write is lost: all symbols are
    equally likely, until the end of a line begins a new story.
    """

    def __init__(self, vocab: Vocab, lag: int = 12):
        super().__init__()
        if vocab.kind != "words":
            raise ValueError(f"vocab holds {vocab.kind}: the oracle reads words, made by Vocab.words(text)")
        self.symbols, self.vocab_size, self.grammar = vocab.symbols, len(vocab), grammar(lag)
        self.ids = {symbol: i for i, symbol in enumerate(vocab.symbols)}

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Score the symbol after each of x; a state is a tuple with the belief of each row."""
        check_tokens(x, self.vocab_size)
        check_state(state, tuple, len(x))
        if state and len(state) != len(x):
            raise ValueError(f"state was made for {len(state)} rows: x has {len(x)}")
        beliefs = list(state or [{self.grammar.start: 1.0}] * len(x))
        logits = torch.full((*x.shape, self.vocab_size), -math.inf)
        for b, row in enumerate(x.tolist()):
            for t, i in enumerate(row):
                beliefs[b] = self._read(beliefs[b], self.symbols[i])
                self._score(beliefs[b], logits[b, t])
        return logits.to(x.device), tuple(beliefs)

    def _read(self, belief: Belief, symbol: str) -> Belief:
        return {self.grammar.start: 1.0} if symbol == END else self.grammar.read(belief, symbol)[1]

    def _score(self, belief: Belief, row: Float[Tensor, "V"]) -> None:
        """Fill a row of logits; what the vocabulary lacks counts as `<unk>`, or is left out without one."""
        known: dict[int, float] = {}
        for symbol, p in self.grammar.next(belief).items():
            i = self.ids.get(symbol, self.ids.get(UNKNOWN, -1))
            known[i] = known.get(i, 0.0) + p
        known.pop(-1, None)
        if known:
            row[list(known)] = torch.tensor(list(known.values())).log()
        else:
            row[:] = -math.log(self.vocab_size)  # lost
