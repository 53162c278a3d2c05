"""Chapter 10, how good a translation is: corpus_bleu."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from ..exercise import Exercise
from .seq2seq import CHAPTER


def corpus_bleu(hypotheses: list[list[str]], references: list[list[str]]) -> float:
    """BLEU of a corpus from 0 to 100, one reference for each sentence."""
    logs = 0.0
    for n in (1, 2, 3, 4):
        hits = total = 0
        for pair in zip(hypotheses, references):
            own, known = ([tuple(w[k : k + n]) for k in range(len(w) - n + 1)] for w in pair)
            hits += sum(min(own.count(run), known.count(run)) for run in set(own))  # clipped
            total += len(own)
        logs += math.log(hits / total) / 4  # the geometric mean of the four shares
    written, wanted = (sum(map(len, side)) for side in (hypotheses, references))
    return 100 * math.exp(logs + min(0.0, 1 - wanted / written))


def _runs(words: list[str], n: int) -> Counter:
    return Counter(tuple(words[k : k + n]) for k in range(len(words) - n + 1))


def _bleu(of: str) -> Callable[..., Any]:
    """BLEU with one thing changed."""

    def hits(own: Counter, known: Counter) -> int:
        if of == "set":
            return len(own.keys() & known.keys())
        if of == "unclipped":
            return sum(own[run] for run in own if run in known)
        return sum((own & known).values())

    def shares(hypotheses: list, references: list) -> list[float]:
        found = []
        for n in range(1, 5):
            both = [(_runs(h, n), _runs(r, n)) for h, r in zip(hypotheses, references)]
            of_all = [sum((known if of == "recall" else own).values()) for own, known in both]
            found.append(sum(hits(*pair) for pair in both) / max(1, sum(of_all)))
        return found

    def bleu(hypotheses: list, references: list) -> float:
        if of == "sentences":
            each = [_bleu("")([h], [r]) for h, r in zip(hypotheses, references)]
            return sum(each) / len(each)
        p = shares(hypotheses, references)
        written, wanted = sum(map(len, hypotheses)), sum(map(len, references))
        brevity = {"inverted": 1 - written / wanted, "none": 0.0}.get(of, 1 - wanted / written)
        mean = sum(p) / 4 if of == "arithmetic" else math.prod(p) ** 0.25
        return 100 * mean * math.exp(min(0.0, brevity))

    return bleu


def _bleu_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """References with a repeated word; hypotheses drop, repeat and exchange some of their words."""
    def draw(n: int) -> list[int]:
        return torch.randint(0, 6, (n,), generator=g).tolist()

    words, references, hypotheses = "le la roi dort et ne".split(), [], []
    for k in range((1, 2, 3, 4)[i]):
        reference = [*"le roi et la reine".split(), *(words[w] for w in draw(2 + k + i)), "."]
        cut = [*reference[:5], "le", "roi", "et", *reference[7:]][: len(reference) - 1 - k % 2]
        references.append(reference)
        hypotheses.append(cut if (k + i) % 3 else [*cut, "la", "la", "."])
    return {"hypotheses": hypotheses, "references": references}


BLEU = Exercise(
    chapter=CHAPTER, tier=2, minutes=30,
    signature="corpus_bleu(hypotheses, references) -> score",
    text="""Both are lists of sentences, a sentence is a list of words, and each hypothesis has one reference.
For n = 1, 2, 3, 4 take the share of the runs of n words in the hypotheses that stand in the reference too; a
run counts at most as often as its reference has it. Add up over all sentences before you divide. The score is
100 times the geometric mean of the four shares, times exp(1 - r / c) where c, the number of words written, is
smaller than r, the number of words in the references. All four shares are above 0.""",
    worked=corpus_bleu,
    cases=_bleu_case,
    right={"with counters": _bleu("")},
    wrong={
        "runs are not clipped": (
            _bleu("unclipped"),
            "A word that the hypothesis repeats counts each time, so 'le le le' would be perfect. It counts "
            "at most as often as the reference has it."),
        "sets in place of counts": (
            _bleu("set"),
            "You ask which runs occur, not how often. A run that both have twice counts twice."),
        "recall in place of precision": (
            _bleu("recall"),
            "You divide by the runs of the reference. BLEU divides by those of the hypothesis; what is "
            "missing is paid for by the factor for short translations."),
        "an arithmetic mean": (
            _bleu("arithmetic"),
            "You average the four shares. BLEU multiplies them and takes the fourth root."),
        "a mean over sentences": (
            _bleu("sentences"),
            "You compute BLEU for each sentence and average. Add the counts of all sentences up first."),
        "short translations are not punished": (
            _bleu("none"),
            "Your score has no factor for length: a translation of one sure word would win."),
        "long translations are punished": (
            _bleu("inverted"),
            "Your factor punishes what is too long. That is done by the shares already: it is for c < r."),
    },
    hints=(
        "`collections.Counter` counts runs; the operator & of two counters takes the smaller count of each.",
        "Four hits and four totals for the whole corpus; divide at the very end.",
        "The geometric mean of four numbers is exp of the mean of their logarithms.",
    ),
    explain="why is the share of four-word runs low even for a good translation?",
    harder="gnmt_score",
)

EXERCISES = (BLEU,)
