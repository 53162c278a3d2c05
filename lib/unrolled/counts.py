"""Counting n-grams without the table of all n-grams, and what the counts are worth.

A table over n tokens has V**n cells; a text of N tokens fills at most N of them. Only those are kept, as a
chain of sorted lists, one for each length k:

    key of a k-gram = (id of its first k - 1 tokens, in the list before) * V + its last token
    id of a k-gram  = the place of its key in its own list

An id is smaller than N, so a key is smaller than N * V: it fits 64 bits at any order. The id of a single
token is the token itself. All n-grams that continue one context stand side by side, and finding one is a
binary search. The second half of the file turns counts into probabilities; `ngram` puts both together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from .shapes import Tensor

UNSEEN = -1  # the id of an n-gram that never occurred: no key begins with it, so longer ones are unseen too
END = np.iinfo(np.int64).max  # closes every list of keys, so that a search never runs off its end


class Level(NamedTuple):
    """All k-grams of a text, for one k.

    keys (M + 1,) sorted, closed by END; counts (M,) occurrences; left (M,) in how many ways each was entered:
    one for each different token before it, and one for each time it began a sequence.
    """

    keys: np.ndarray
    counts: np.ndarray
    left: np.ndarray


def tokens(x: Tensor, vocab_size: int, name: str = "x") -> np.ndarray:
    """The token ids in x as 64-bit numpy, after a look at each: whole numbers from 0 to vocab_size - 1.

    Raises ValueError that names the first id outside the vocabulary.
    """
    if x.is_floating_point() or x.dtype == torch.bool:
        raise ValueError(f"{name} holds {x.dtype}; token ids are whole numbers: use vocab.encode(text)")
    ids = x.detach().cpu().numpy().astype(np.int64, copy=False)
    if ids.size and not 0 <= ids.min() <= ids.max() < vocab_size:
        wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
        raise ValueError(f"{name} holds the token id {wrong}; a vocabulary of {vocab_size} has 0 to "
                         f"{vocab_size - 1}: was the text encoded with another vocabulary?")
    return ids


def join(sequences: Sequence[Tensor], vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """All sequences one after the other, (N,), and how many tokens of its own sequence precede each, (N,).

    Raises ValueError where a sequence is no 1-D tensor, or where no token follows another: the first of each
    sequence is given, so nothing would be left to predict.
    """
    for i, x in enumerate(sequences):
        if x.ndim != 1:
            raise ValueError(f"sequence {i} has shape {tuple(x.shape)}; expected one axis, the tokens "
                             "in a row: give one long text, or a list of 1-D tensors")
    lengths = np.array([len(x) for x in sequences], dtype=np.int64)
    if not (lengths > 1).any():
        raise ValueError(f"the corpus has {len(lengths)} sequence(s) and {lengths.sum()} token(s), none "
                         "after another: there is nothing to count. Give at least two tokens in a row")
    x = tokens(torch.cat(list(sequences)), vocab_size)
    return x, np.arange(len(x)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def distinct(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The M different keys, sorted; how often each occurs; one place of each; the id at every place (N,)."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=UNSEEN))  # where a new key begins
    counts = np.diff(first, append=len(keys))
    ids = np.empty_like(order)
    ids[order] = np.repeat(np.arange(len(first)), counts)
    return keys[first], counts, order[first], ids


def count(x: np.ndarray, age: np.ndarray, n: int, V: int) -> list[Level]:
    """Count all k-grams of x for k = 1 ... n; none crosses from one sequence to the next.

    The first token of a sequence is given, never predicted: it is not counted as a 1-gram.
    """
    keys, counts, ids = np.arange(V), np.bincount(x[age >= 1], minlength=V), x
    levels, starts = [], np.zeros(V, dtype=np.int64)
    for k in range(2, n + 1):
        t = np.flatnonzero(age >= k - 1)  # where a k-gram ends
        longer, times, where, inverse = distinct(ids[t - 1] * V + x[t])
        left = starts + np.bincount(ids[t[where]], minlength=len(counts))  # each k-gram enters its last k - 1
        levels.append(Level(np.append(keys, END), counts, left))
        ids = ids.copy()
        ids[t] = inverse
        keys, counts = longer, times
        starts = np.bincount(ids[age == k - 1], minlength=len(counts))
    return [*levels, Level(np.append(keys, END), counts, counts)]


def find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The ids of the wanted keys; UNSEEN for those that never occurred."""
    place = keys.searchsorted(wanted)
    return np.where(keys[place] == wanted, place, UNSEEN)


def continuations(keys: np.ndarray, context: np.ndarray, V: int) -> tuple[np.ndarray, np.ndarray]:
    """Every n-gram that continues any of R contexts: the number of its context (S,), and its own id (S,)."""
    first = keys.searchsorted(context * V)
    size = keys.searchsorted((context + 1) * V) - first  # 0 for a context that is UNSEEN
    row = np.repeat(np.arange(len(context)), size)
    return row, np.arange(len(row)) + np.repeat(first - np.cumsum(size) + size, size)


class Split(NamedTuple):
    """P(w | context) in two parts: seen (M,) for each n-gram that occurred, rest (size,) for each context."""

    seen: np.ndarray
    rest: np.ndarray


def add_alpha(
    c: np.ndarray, context: np.ndarray, size: int, alpha: float, V: int
) -> Split:
    """Pretend that every count is larger by alpha: (c + alpha) / (C + alpha V).

    c (M,) counts of the n-grams, context (M,) the id of each one's context, size the number of contexts.
    With alpha = 0 it is maximum likelihood, c / C. A context that never occurred gets the uniform
    distribution (rest = 1): what it gets for every alpha > 0.
    """
    C = np.bincount(context, c, size)
    total = C + alpha * V
    rest = np.divide(alpha * V, total, out=np.ones(size), where=total > 0)
    seen = np.divide(c, total[context], out=np.zeros(len(c)), where=c > 0)
    return Split(seen, rest)


def discount(c: np.ndarray, context: np.ndarray, size: int, D: np.ndarray) -> Split:
    """Take D[c] from every count c; the shorter context shares out what was taken.

    c, context, size as in `add_alpha`; D (4,) is what to take from counts of 0, 1, 2, and 3 or more.
    """
    C = np.bincount(context, c, size)
    taken = D[np.minimum(c, 3)]
    rest = np.divide(np.bincount(context, taken, size), C, out=np.ones(size), where=C > 0)
    return Split((c - taken) / np.maximum(C, 1)[context], rest)


def one_discount(c: np.ndarray) -> np.ndarray:
    """Kneser-Ney's D for all counts, from how many n-grams occur once and twice (Ney, Essen & Kneser 1994).

    Where the corpus has none of either, D = 0.75, near what Church and Gale (1991) found on news.
    """
    N = np.bincount(c[c < 3], minlength=3)
    D = N[1] / (N[1] + 2 * N[2]) if N[1] and N[2] else 0.75
    return np.array([0, D, D, D])


def three_discounts(c: np.ndarray) -> np.ndarray:
    """Modified Kneser-Ney's D for counts of 1, 2, and 3 or more (Chen & Goodman 1998, equation 26).

    Where they cannot be estimated (a small corpus), 0.5, 1 and 1.5, as in KenLM (Heafield et al. 2013).
    """
    N = np.bincount(c[c < 5], minlength=5).astype(float)  # N[i]: how many n-grams occur i times
    if N[1:4].all():
        Y = N[1] / (N[1] + 2 * N[2])
        D = np.array([0] + [i - (i + 1) * Y * N[i + 1] / N[i] for i in (1, 2, 3)])
        if (D >= 0).all():
            return D
    return np.array([0, 0.5, 1, 1.5])
