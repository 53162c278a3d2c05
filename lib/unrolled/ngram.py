"""The n-gram model: the next token from the last n - 1, by counting (the lecture's claims P4 to P6).

All four kinds of smoothing are one sentence:

    P(w | context) = seen(context, w) + rest(context) * P_lower(w)

What was counted keeps a part of the probability, `seen`; the `rest` goes to all tokens as a simpler model
shares it out. For "none" and "add_alpha" that is the uniform distribution, for Kneser-Ney the model whose
context is one token shorter (and below the last one, the uniform distribution again).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .counts import (
    END,
    Level,
    Split,
    add_alpha,
    continuations,
    count,
    discount,
    find,
    join,
    one_discount,
    three_discounts,
    tokens,
)
from .model import SequenceModel, check_state, check_tokens
from .shapes import Float, Int, Tensor

SMOOTHINGS = ("none", "add_alpha", "kneser_ney", "modified_kneser_ney")


class Table(NamedTuple):
    """What the model knows of the k-grams of one length: keys and ids as in `counts`, and both parts of P."""

    keys: np.ndarray  # (M + 1,)
    counts: np.ndarray  # (M,)
    seen: np.ndarray  # (M + 1,) one for each k-gram; the last, 0, is for all that never occurred
    rest: np.ndarray  # (M' + 1,) one for each context of k - 1 tokens; 1 for all that never occurred


def lengthen(p: np.ndarray, table: Table, context: np.ndarray, V: int) -> None:
    """From the rows of a shorter context to those of a longer one, in place: p = seen + rest * p.

    p (B, T, V) holds the lower rows; context (B, T) the ids of the longer contexts.
    """
    p *= table.rest[context][..., None]
    row, gram = continuations(table.keys, context.ravel(), V)
    b, t = np.divmod(row, context.shape[1])
    p[b, t, table.keys[gram] % V] += table.seen[gram]


class NGram(SequenceModel):
    """The next token from the last n - 1: counted, not learned.

    n is the length of the n-gram: n = 1 is the model of independent words, n = 3 looks two tokens back.
    smoothing: "none" (maximum likelihood; a context never seen gives the uniform distribution), "add_alpha",
    "kneser_ney" (interpolated), "modified_kneser_ney" (three discounts, KenLM's estimator).
    alpha is what add_alpha adds. discount fixes Kneser-Ney's D (one number, or n of them from 1-grams up)
    instead of estimating it.

    Near the beginning, where fewer than n - 1 tokens were read, the model of that shorter context answers.
    The logits are natural logarithms of probabilities, -inf for zero. The state is the last n - 1 tokens.
    The counts live on the CPU; the logits come out on the device and in the precision that `.to(...)` sets.
    """

    def __init__(self, n: int, vocab_size: int, smoothing: str = "kneser_ney", alpha: float = 1.0,
                 discount: float | Sequence[float] | None = None):
        super().__init__()
        if n < 1 or vocab_size < 1:
            raise ValueError(f"got n = {n} and vocab_size = {vocab_size}; both are at least 1")
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing is {smoothing!r}; expected one of {', '.join(SMOOTHINGS)}")
        if not 0 <= alpha < float("inf"):
            raise ValueError(f"alpha is {alpha}; expected a number from 0 up: it is added to each count")
        self.n, self.vocab_size, self.smoothing = n, vocab_size, smoothing
        self.alpha = alpha if smoothing == "add_alpha" else 0.0
        self.interpolated = smoothing.endswith("kneser_ney")
        self.discount = self._given(discount)
        self.tables: list[Table] = []
        self.register_buffer("like", torch.zeros(0), persistent=False)  # dtype and device of the logits

    def _given(self, discount: float | Sequence[float] | None) -> np.ndarray | None:
        if discount is None:
            return None
        if self.smoothing != "kneser_ney":
            raise ValueError(f"smoothing {self.smoothing!r} takes no discount; only 'kneser_ney' does")
        D = np.asarray(discount, dtype=float)
        if D.shape not in ((), (self.n,)) or not ((D >= 0) & (D <= 1)).all():
            raise ValueError(f"discount is {discount}; expected one number from 0 to 1, or {self.n} of them")
        return np.broadcast_to(D, self.n)

    @property
    def table_size(self) -> int:
        """How many cells the table of all n-grams would have: V to the power of n."""
        return self.vocab_size**self.n

    def entries(self) -> int:
        """How many n-grams are stored, of all lengths from 1 to n."""
        return sum(int((table.counts > 0).sum()) for table in self.tables)

    def fit(self, x: Tensor | Sequence[Tensor]) -> "NGram":
        """Count a text: one long tensor (N,), or a list of them, whose n-grams do not cross to the next.

        The first token of each is given, so it is a context and never counted as predicted. Fitting again
        forgets the former text. Raises ValueError for an empty corpus or an id outside the vocabulary.
        """
        text, age = join([x] if isinstance(x, Tensor) else x, self.vocab_size)
        return self.take(count(text, age, self.n, self.vocab_size))

    def take(self, levels: list[Level]) -> "NGram":
        """Take counts made elsewhere, for k = 1 ... n: by `counts.count`, or by `bigcounts.count` on disk."""
        if len(levels) != self.n:
            raise ValueError(f"{len(levels)} levels of counts: an n-gram with n = {self.n} takes {self.n}")
        if self.interpolated:  # below the top: in how many ways a k-gram is entered, not how often it occurs
            levels = [level._replace(counts=level.left) for level in levels]
        self._weigh([level.keys for level in levels], [level.counts for level in levels])
        return self

    def _weigh(self, keys: list[np.ndarray], counts: list[np.ndarray]) -> None:
        """Turn counts into both parts of P, for every length."""
        self.tables, size = [], 1
        for k, (key, c) in enumerate(zip(keys, counts)):
            context = key[:-1] // self.vocab_size if k else np.zeros_like(c)
            seen, rest = self._split(k, c, context, size)
            self.tables.append(Table(key, c, np.append(seen, 0.0), np.append(rest, 1.0)))
            size = len(c)
        singles = self.tables[0]
        self.unigram = singles.seen[:-1] + singles.rest[0] / self.vocab_size  # (V,) with no context at all

    def _split(self, k: int, c: np.ndarray, context: np.ndarray, size: int) -> Split:
        if not self.interpolated:
            return add_alpha(c, context, size, self.alpha, self.vocab_size)
        if self.discount is not None:
            return discount(c, context, size, self.discount[k] * np.array([0, 1, 1, 1]))
        D = one_discount(c) if self.smoothing == "kneser_ney" else three_discounts(c)
        return discount(c, context, size, D)

    def forward(
        self, x: Int[Tensor, "B T"], state: Int[Tensor, "B S"] | None = None
    ) -> tuple[Float[Tensor, "B T V"], Int[Tensor, "B R"]]:
        """Log-probabilities of the token after each of x, and the last n - 1 tokens (fewer at the start)."""
        check_tokens(x, self.vocab_size)
        check_state(state, Tensor, len(x))
        past = x if state is None else torch.cat([state, x], dim=1)
        ids = self._ids(past)
        (B, T), V = x.shape, self.vocab_size
        p = np.tile(self.unigram, (B, T, 1))
        for table, context in self._contexts(ids):
            now = context[:, max(0, context.shape[1] - T) :]  # the first tokens of all lack this context
            rows = p[:, T - now.shape[1] :]
            if not self.interpolated:
                rows[:] = 1 / V
            lengthen(rows, table, now, V)
        with np.errstate(divide="ignore"):
            logits = np.log(p, out=p)
        return torch.from_numpy(logits).to(self.like), past[:, max(0, past.shape[1] - self.n + 1) :]

    def _contexts(self, ids: np.ndarray) -> Iterator[tuple[Table, np.ndarray]]:
        """For k = 1 ... n - 1: the table of (k+1)-grams, and the ids of all k-grams in a row, as contexts."""
        context = ids
        for k in range(1, self.n):
            if k > 1:
                context = find(self.tables[k - 1].keys, context[:, :-1] * self.vocab_size + ids[:, k - 1 :])
            yield self.tables[k], context

    def log2_prob(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T-1"]:
        """The base-2 logarithm of the probability of each of x[:, 1:], in float64, without whole rows."""
        if x.shape[1] < 1:
            raise ValueError("x has no token along time; the first is given, so it takes at least one")
        ids, V = self._ids(x), self.vocab_size
        p = self.unigram[ids[:, 1:]]
        gram = ids
        for k in range(1, min(self.n, x.shape[1])):
            context, table = gram[:, :-1], self.tables[k]
            gram = find(table.keys, context * V + ids[:, k:])
            lower = p[:, k - 1 :] if self.interpolated else 1 / V
            p[:, k - 1 :] = table.seen[gram] + table.rest[context] * lower
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log2(p))

    def count(self, gram: Int[Tensor, "K"]) -> int:
        """How often these tokens (1 to n of them) stand in the text in a row; the first of a text is given.

        For Kneser-Ney and fewer than n tokens: in how many ways they were entered (different tokens before).
        """
        ids = self._ids(gram)
        if not 1 <= len(ids) <= self.n:
            raise ValueError(f"gram has {len(ids)} tokens; this model counts 1 to {self.n} in a row")
        place = ids[:1]
        for table, token in zip(self.tables[1:], ids[1:]):
            place = find(table.keys, place * self.vocab_size + token)
        return int(self.tables[len(ids) - 1].counts[place[0]]) if place[0] >= 0 else 0

    def _ids(self, x: Tensor) -> np.ndarray:
        if not self.tables:
            raise RuntimeError("this n-gram model has counted nothing yet: call fit(x) or load_state_dict")
        return tokens(x, self.vocab_size)

    def get_extra_state(self) -> Int[Tensor, "S"]:
        """All keys and counts in one tensor, so that state_dict() holds the model."""
        head = [self.vocab_size, self.n, SMOOTHINGS.index(self.smoothing)]
        sizes = [len(table.counts) for table in self.tables]
        parts = [part for table in self.tables for part in (table.keys[:-1], table.counts)]
        return torch.from_numpy(np.concatenate([np.array(head + sizes), *parts]))

    def set_extra_state(self, state: Int[Tensor, "S"]) -> None:
        """What `load_state_dict` calls. Raises ValueError for the counts of another kind of model."""
        numbers = state.cpu().numpy()
        V, n, kind = numbers[:3].tolist()
        if (V, n, SMOOTHINGS[kind]) != (self.vocab_size, self.n, self.smoothing):
            raise ValueError(f"these are the counts of NGram({n}, {V}, {SMOOTHINGS[kind]!r}); "
                             f"this is NGram({self.n}, {self.vocab_size}, {self.smoothing!r})")
        sizes, parts = numbers[3 : 3 + n], numbers[3 + n :]
        if len(sizes):  # none when the model was saved before it was fitted
            parts = np.split(parts, np.repeat(sizes, 2).cumsum()[:-1])
            self._weigh([np.append(keys, END) for keys in parts[::2]], parts[1::2])

    def extra_repr(self) -> str:
        """What print(model) shows."""
        return f"n={self.n}, vocab_size={self.vocab_size}, {self.smoothing}, entries={self.entries():,}"
