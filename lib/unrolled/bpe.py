"""Sub-words by byte-pair encoding (Sennrich et al., 2016, arXiv 1508.07909; Gage, 1994, for compression).

Begin with characters; join the two neighbours that stand side by side most often; do it again. Frequent words
end up whole, rare ones in parts, and no word is unknown. Nothing is joined across words, and a word takes the
space before it along, as in `vocab`: so decoding is joining the symbols, and nothing is lost.
"""

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

from .vocab import UNKNOWN, WORD, Vocab

Pair = tuple[str, str]


def neighbours(parts: Sequence[str]) -> Iterable[Pair]:
    """All pairs of symbols that stand side by side in a word."""
    return zip(parts, parts[1:])


def merge(parts: Sequence[str], pair: Pair) -> list[str]:
    """The word with each occurrence of the pair joined, from left to right: a a a becomes aa a."""
    joined: list[str] = []
    i = 0
    while i < len(parts):
        here = tuple(parts[i : i + 2]) == pair
        joined.append("".join(pair) if here else parts[i])
        i += 2 if here else 1
    return joined


def learn(words: Counter[str], merges: int) -> list[Pair]:
    """The first `merges` pairs to join, in order, of a text whose words stand there so many times.

    At each step it is the most frequent pair (a a a has the pair twice); of equally frequent ones that with
    the oldest symbols: characters are as old as they stand early in the alphabet. It ends sooner where no
    pair stands there twice. Only words with the pair are counted again, and old counts stay in the queue
    until they come up: so it takes seconds, not hours.
    """
    parts = {word: list(word) for word in words}
    age = {symbol: i for i, symbol in enumerate(sorted(set(chain(*words))))}
    counts, homes = Counter[Pair](), defaultdict[Pair, set[str]](set)
    for word in words:
        _count(word, parts[word], words[word], counts, homes)
    queue = [(-n, age[a], age[b], (a, b)) for (a, b), n in counts.items()]
    heapq.heapify(queue)
    order: list[Pair] = []
    while queue and len(order) < merges and queue[0][0] < -1:
        n, _, _, pair = heapq.heappop(queue)
        if -n != counts[pair]:
            continue  # an old count
        order.append(pair)
        age.setdefault("".join(pair), len(age))
        for a, b in _join(pair, words, parts, counts, homes):
            heapq.heappush(queue, (-counts[a, b], age[a], age[b], (a, b)))
    return order


def _count(word: str, parts: list[str], n: int, counts: Counter[Pair], homes: dict[Pair, set[str]]) -> None:
    """Add (or for a negative n, take away) the pairs of one word."""
    for pair in neighbours(parts):
        counts[pair] += n
        homes[pair].add(word)


def _join(
    pair: Pair,
    words: Counter[str],
    parts: dict[str, list[str]],
    counts: Counter[Pair],
    homes: dict[Pair, set[str]],
) -> set[Pair]:
    """Join the pair in all words that have it, put the counts right, and return the pairs that changed."""
    changed: set[Pair] = set()
    for word in homes.pop(pair):
        changed.update(neighbours(parts[word]))
        _count(word, parts[word], -words[word], counts, homes)
        parts[word] = merge(parts[word], pair)
        _count(word, parts[word], words[word], counts, homes)
        changed.update(neighbours(parts[word]))
    homes.pop(pair, None)
    return changed


def learn_fast(words: Counter[str], merges: int) -> list[Pair]:
    """The same as `learn`, by the package `tokenizers`, which is faster. Without it, an ImportError."""
    try:
        from tokenizers import Tokenizer, models, trainers
    except ImportError as error:
        raise ImportError("fast=True needs the package tokenizers: pip install tokenizers") from error
    tokenizer = Tokenizer(models.BPE())
    size = len(set(chain.from_iterable(words))) + merges
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator(chain.from_iterable(repeat(w, n) for w, n in words.items()), trainer)
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


class BPE(Vocab):
    """A vocabulary of characters, parts of words and whole words: `BPE.learn(text, merges=4000)`.

    It is a `Vocab` in all it does: encode, decode, symbols, show, save, load. `merges` are the pairs to join,
    in order. With `unknown=True` the symbol `<unk>` stands for characters that the text did not have.
    """

    def __init__(self, symbols: Iterable[str], merges: Iterable[Sequence[str]]):
        self.merges = tuple((left, right) for left, right in merges)
        super().__init__(chain(symbols, map("".join, self.merges)), "words")
        self.kind = "sub-words"
        self._ranks = {pair: i for i, pair in reversed(list(enumerate(self.merges)))}
        self._known: dict[str, list[str]] = {}  # words that were split before: a text has most of them often

    @classmethod
    def learn(cls, text: str, merges: int = 4000, unknown: bool = False, fast: bool = False) -> "BPE":
        """Learn from a text; `fast` takes the package `tokenizers`, see `learn_fast`."""
        if merges < 0:
            raise ValueError(f"merges is {merges}: it takes a number of pairs to join, 0 or more")
        words, learned = Counter(WORD.findall(text)), learn_fast if fast else learn
        return cls(set(text) | ({UNKNOWN} if unknown else set()), learned(words, merges))

    def split(self, text: str) -> list[str]:
        """Cut the text into symbols, known or not; joined, they are the text again."""
        return list(chain.from_iterable(map(self._parts, WORD.findall(text))))

    def _parts(self, word: str) -> list[str]:
        """The symbols of a word: of its pairs, the one that was learned first is joined, again and again."""
        if word in self._known:
            return self._known[word]
        parts, last = list(word), len(self.merges)
        while (best := min((self._ranks.get(p, last) for p in neighbours(parts)), default=last)) < last:
            parts = merge(parts, self.merges[best])
        if len(self._known) < 100_000:
            self._known[word] = parts
        return parts

    def to_json(self) -> str:
        """The vocabulary as one line of ASCII."""
        return json.dumps({"kind": self.kind, "symbols": self.symbols, "merges": self.merges})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BPE) and (self.symbols, self.merges) == (other.symbols, other.merges)

    def __hash__(self) -> int:
        return hash((self.symbols, self.merges))
