"""Chapter 2, counting: ngram_counts, bigram_add_alpha, table_size."""

from collections import Counter
from typing import Any

import torch

from ...ngram import NGram
from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from ..heat import Picture
from ..properties import demand, sums_to_one
from ..question import Question

CHAPTER = "02_ngrams"


def ngram_counts(sentences: list[list[str]], n: int) -> dict[tuple[str, ...], int]:
    """How often each n-gram occurs, with n - 1 times <s> before each sentence and one </s> after it."""
    counts = {}
    for words in sentences:
        padded = ["<s>"] * (n - 1) + words + ["</s>"]  # each word and the end get a full context
        for k in range(len(padded) - n + 1):
            gram = tuple(padded[k : k + n])
            counts[gram] = counts.get(gram, 0) + 1
    return counts


def _sentence_case(g: torch.Generator, i: int) -> dict[str, Any]:
    words, n = "the sun sea rain falls sings on a".split(), (2, 3, 1, 4)[i]
    lengths = ((2, 3), (4, 2, 3), (5, 6), (6, 2, 5, 3))[i]
    draw = [torch.randint(0, 3 + i, (length,), generator=g).tolist() for length in lengths]
    return {"sentences": [[words[k] for k in row] for row in draw], "n": n}


def _zip_counts(sentences: list[list[str]], n: int) -> Counter:
    counts: Counter = Counter()
    for words in sentences:
        padded = ["<s>"] * (n - 1) + words + ["</s>"]
        counts.update(zip(*(padded[k:] for k in range(n))))
    return counts


def _slide(rows: list[list[str]], n: int) -> dict[tuple[str, ...], int]:
    return dict(Counter(tuple(r[k : k + n]) for r in rows for k in range(len(r) - n + 1)))


def _framed(sentences: list[list[str]], before: int, after: int) -> list[list[str]]:
    return [["<s>"] * before + words + ["</s>"] * after for words in sentences]


COUNTS = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="ngram_counts(sentences, n) -> dict",
    text="""sentences is a list of sentences, each a list of words. Put n - 1 times "<s>" before each
sentence and one "</s>" after it, and count all runs of n neighbours. Return a dict from tuples of n words
to counts; what never occurs is not in it.""",
    worked=ngram_counts,
    cases=_sentence_case,
    properties=(
        demand("one n-gram for each word and each end",
               lambda t: sum(t.got.values()) == sum(len(s) + 1 for s in t.case["sentences"]),
               "the counts should add up to the number of words plus one for each sentence"),
    ),
    right={"zip and Counter": _zip_counts},
    wrong={
        "n-grams run across sentences": (
            lambda sentences, n: _slide([sum(_framed(sentences, n - 1, 1), [])], n),
            "You joined all sentences into one row before counting, so some of your n-grams begin in one "
            "sentence and end in the next. Nobody said those words in a row. Count each sentence by itself."),
        "one <s> is not enough": (
            lambda sentences, n: _slide(_framed(sentences, min(1, n - 1), 1), n),
            "With n = 3 the first word of a sentence has two words of context, both of them <s>. You give it "
            "one, so the first word is never counted as predicted. How many does an n-gram need?"),
        "no <s> before the sentence": (
            lambda sentences, n: _slide(_framed(sentences, 0, 1), n),
            "Without <s> the first words have no context and drop out of the counts. A model made of them "
            "cannot begin a sentence."),
        "no </s> after the sentence": (
            lambda sentences, n: _slide(_framed(sentences, n - 1, 0), n),
            "The last n-gram of each sentence is missing: either there is no </s>, or your range stops one "
            "early. A model made of these counts never stops writing."),
        "every n-gram counts once": (
            lambda sentences, n: dict.fromkeys(ngram_counts(sentences, n), 1),
            "All your counts are 1, also those of n-grams that occur twice. Add to the count; do not set "
            "it."),
    },
    hints=(
        "Take one sentence of two words and n = 3, put the marks around it, and list its trigrams by hand: "
        "three.",
        "A row of L words and marks holds L - n + 1 runs of n. Is the last one in your range?",
        "A dict needs keys that cannot change: `tuple(words[k : k + n])`, where a list would raise an error.",
    ),
    explain="why does a sentence of L words give L + 1 n-grams, whatever n is?",
    harder="bigram_add_alpha",
)


def bigram_add_alpha(x: Int[Tensor, "N"], V: int, alpha: float) -> Float[Tensor, "V V"]:
    """P[i, j] = p(j | i) from the pairs of neighbours in x, with alpha added to the count of each pair."""
    counts = torch.bincount(x[:-1] * V + x[1:], minlength=V * V).view(V, V)
    smooth = counts + alpha
    return smooth / smooth.sum(1, keepdim=True)  # each row sums to 1: it is divided by c + alpha V


def _library_bigram(x: Tensor, V: int, alpha: float) -> Tensor:
    model = NGram(2, V, "add_alpha", alpha=alpha).double().fit(x)
    return model(torch.arange(V)[:, None])[0][:, 0].exp()


def _text_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, V, alpha = [(8, 4, 0.5), (12, 6, 1.0), (20, 5, 0.1), (40, 8, 0.25)][i]
    return {"x": torch.randint(0, V - 1, (N,), generator=g), "V": V, "alpha": alpha}  # the last never occurs


def _count_table(x: Tensor, V: int) -> Tensor:
    c = torch.zeros(V, V, dtype=torch.float64)
    for a, b in zip(x[:-1], x[1:]):
        c[a, b] += 1
    return c


ADD_ALPHA = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="bigram_add_alpha(x, V, alpha) -> P",
    text="""x (N,) is a text as ids from 0 to V - 1. Return the table P (V, V) where P[i, j] is the
probability that j follows i, estimated as if alpha had been added to the count of every pair. Each row is a
distribution, also that of a symbol that never occurred.""",
    worked=bigram_add_alpha,
    reference=_library_bigram,
    cases=_text_case,
    axes={"x": "N", "return": "V V"},
    picture=Picture(lambda P: P, "the symbol i", "what follows, j"),
    properties=(sums_to_one("each row sums to 1"),),
    right={"a loop": lambda x, V, alpha: (lambda c: (c + alpha) / (c.sum(1, keepdim=True) + alpha * V))(
        _count_table(x, V))},
    wrong={
        "alpha only on top": (
            lambda x, V, alpha: (_count_table(x, V) + alpha) / _count_table(x, V).sum(1, keepdim=True),
            "You add alpha to the counts and divide by the old total. The row of a symbol that never "
            "occurred is then divided by 0, and all others sum to more than 1. Divide by the total of what "
            "stands above."),
        "alpha once below": (
            lambda x, V, alpha: (_count_table(x, V) + alpha)
            / (_count_table(x, V).sum(1, keepdim=True) + alpha),
            "Each of the entries of a row got alpha on top. How much did the whole row get?"),
        "joint instead of conditional": (
            lambda x, V, alpha: (_count_table(x, V) + alpha) / (_count_table(x, V) + alpha).sum(),
            "Your whole table sums to 1, so it holds p(i, j). To predict j when i is known, each row has to "
            "sum to 1."),
        "rows and columns have changed places": (
            lambda x, V, alpha: bigram_add_alpha(x, V, alpha).T.contiguous(),
            "Your P[i, j] is the probability that i follows j. The first index is what is known, the second "
            "what comes."),
        "the columns are normalised": (
            lambda x, V, alpha: (_count_table(x, V) + alpha) / (_count_table(x, V) + alpha).sum(0),
            "Your columns sum to 1: that is how likely each i came before j. Look at the axis of your sum."),
        "only symbols that occur": (
            lambda x, V, alpha: (_count_table(x, V) + alpha)
            / (_count_table(x, V).sum(1, keepdim=True) + alpha * len(x.unique())),
            "You counted the different symbols of this text. V is the size of the vocabulary: the symbols "
            "that never occurred get their alpha as well, which is the point of smoothing."),
    },
    hints=(
        "First the counts c[i, j] of the pairs, then the probabilities. Print both for a text of eight "
        "symbols.",
        "Row i holds V counts, and each of them grows by alpha. By how much does their sum grow?",
        "Pairs can be counted with a loop over zip(x[:-1], x[1:]), or at once: i * V + j gives each pair one "
        "number.",
    ),
    explain="with alpha growing without end, what becomes of the model?",
    harder="kneser_ney",
)

TABLE = Question(
    chapter=CHAPTER, tier=1, minutes=3,
    signature="table_size(number)",
    text="""A vocabulary of 10,000 words is modest. How many entries has the table of all 5-grams, one for
each possible run of five words? Hand over the number, such as 3e6 or 10**6.""",
    answer=lambda: 10_000**5,
    way="V, n = 10_000, 5\nV ** n  # V choices at each of the n places",
    wrong={
        "n times V": (5 * 10_000,
            "Five separate lists have n V entries. The table needs one for each combination: every first "
            "word with every second word, and so on."),
        "n to the power of V": (5**10_000,
            "That is more than any float can hold: n ** V. At each of the n places there are V choices; "
            "which of them multiplies itself?"),
        "the contexts only": (10_000**4,
            "This counts the contexts of four words, the rows of the table. Each row has an entry for every "
            "next word."),
        "without repetition": (10_000 * 9_999 * 9_998 * 9_997 * 9_996,
            "This counts runs of five different words. In a sequence elements may repeat: 'the' may stand at "
            "several places."),
        "divided by the orders": (10_000**5 / 120,
            "You divide by the 5! orders of five words. In a sequence the order matters: each order has its "
            "own entry."),
    },
    hints=(
        "With 4 words and n = 2 the table is 4 by 4. What is it for n = 3?",
        "Each further word of context multiplies the table by the same number.",
    ),
    explain="no text fills a table of that size. Why do n-grams work at all?",
    rtol=1e-6,
)

EXERCISES = (COUNTS, ADD_ALPHA, TABLE)
