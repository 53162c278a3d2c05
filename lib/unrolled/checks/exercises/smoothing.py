"""Chapter 2, smoothing: kneser_ney."""

from typing import Any

import torch

from ...ngram import NGram
from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..heat import Picture
from ..properties import demand, sums_to_one
from ..trial import Trial

CHAPTER = "02_ngrams"


def kneser_ney(counts: Float[Tensor, "V V"], d: float) -> Float[Tensor, "V V"]:
    """Interpolated Kneser-Ney bigrams from a table of counts, with one discount d (Kneser and Ney, 1995)."""
    seen = (counts > 0).to(counts.dtype)
    after = seen.sum(0) / seen.sum()  # (V,) in how many different contexts does each symbol occur?
    total = counts.sum(1, keepdim=True)  # (V, 1)
    spare = d * seen.sum(1, keepdim=True)  # (V, 1) what the discount has taken from each row
    P = ((counts - d).clamp(min=0) + spare * after) / total.clamp(min=1)
    return torch.where(total > 0, P, after)  # a context that never occurred knows nothing of its own


def _library_kneser_ney(counts: Tensor, d: float) -> Tensor:
    V = len(counts)
    pairs = [torch.tensor([a, b]) for a in range(V) for b in range(V) for _ in range(int(counts[a, b]))]
    model = NGram(2, V, "kneser_ney", discount=[0.0, d]).double().fit(pairs)
    return model(torch.arange(V)[:, None])[0][:, 0].exp()


def _count_case(g: torch.Generator, i: int) -> dict[str, Any]:
    V, d = [(4, 0.75), (5, 0.5), (6, 0.9), (8, 0.75)][i]
    counts = torch.poisson(torch.rand(V, V, generator=g).mul(3).pow(2) / 2, generator=g).double()
    counts[0, 1], counts[2, 1:] = 4, 0  # one frequent pair; one context that was hardly seen
    counts[2, 0], counts[-1] = 1, 0  # and one that was never seen
    return {"counts": counts, "d": d}


def _variant(of: str) -> Any:
    """Kneser-Ney with one thing changed."""

    def model(c: Tensor, d: float) -> Tensor:
        seen, total = (c > 0).double(), c.sum(1, keepdim=True)
        after = c.sum(0) / c.sum() if of == "unigram" else seen.sum(0) / seen.sum()
        types = seen.sum(0)[:, None] if of == "columns" else seen.sum(1, keepdim=True)
        spare = d if of == "lambda" else d * types / total.clamp(min=1)
        left = {"clamp": c - d, "nothing taken": c}.get(of, (c - d).clamp(min=0))
        kept = left / total.clamp(min=1)
        P = torch.where(c > 0, kept, spare * after) if of == "backoff" else kept + spare * after
        return torch.where(total > 0, P, after)

    return model


def _unseen_row(trial: Trial) -> bool:
    after = (trial.case["counts"] > 0).double().sum(0)
    return torch.allclose(trial.got[-1], after / after.sum(), atol=1e-4)


def _nothing_for_unseen(c: Tensor, d: float) -> Tensor:
    return torch.where(c.sum(1, keepdim=True) > 0, kneser_ney(c, d), torch.full_like(c, 1 / len(c)))


KNESER_NEY = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="kneser_ney(counts, d) -> P",
    text="""counts (V, V) holds how often j followed i. Return the table P (V, V) of interpolated
Kneser-Ney with one discount d, 0 < d < 1. Take d from every count above 0, and divide what is left by the
total of the row. What was taken from row i is shared out among all symbols in proportion to how many
different symbols each of them was seen after.

A row without any counts is shared out entirely.""",
    worked=kneser_ney,
    reference=_library_kneser_ney,
    cases=_count_case,
    axes={"counts": "V V", "return": "V V"},
    picture=Picture(lambda P: P, "the symbol i", "what follows, j"),
    properties=(
        sums_to_one("each row sums to 1"),
        demand("an unseen context shares out everything", _unseen_row,
               "the row of a symbol that never occurred should be in proportion to the number of different "
               "symbols before each j"),
    ),
    right={"written otherwise": _variant("")},
    wrong={
        "shared out by how often symbols occur": (
            _variant("unigram"),
            "You share out in proportion to plain frequency. Francisco is frequent, but it follows San and "
            "hardly anything else: after an unknown word it is a poor guess. Count in how many different "
            "rows a symbol occurs, not how often."),
        "every row shares out d": (
            _variant("lambda"),
            "You give each row the same spare part, d. What was taken from a row depends on how many "
            "different symbols were seen in it, each of which paid d, and on the row's total."),
        "shared out only where nothing was counted": (
            _variant("backoff"),
            "You give the spare part only to symbols with count 0, and the rows no longer sum to 1. "
            "Interpolated means that every symbol gets its share of it, on top of what it keeps."),
        "counts below zero": (
            _variant("clamp"),
            "You subtract d from the zeros as well, which makes them negative. Only what was counted can "
            "pay."),
        "different symbols counted along the wrong axis": (
            _variant("columns"),
            "For the spare part of row i you count in how many rows i occurs. What was taken from row i "
            "depends on how many different symbols follow i: look at the axis of that sum."),
        "nothing is taken": (
            _variant("nothing taken"),
            "You add the shared part without having taken d from the counts, so each row holds more than 1."),
        "an unseen context is uniform": (
            _nothing_for_unseen,
            "For a row without counts you give every symbol the same. What is known about the symbols in "
            "general, how many contexts each has, is known there too."),
    },
    hints=(
        "There are two tables: what each count keeps, max(c - d, 0) / total, and what is shared out.",
        "Row i paid d once for every entry above 0. That, divided by the total, is its spare part.",
        "The shares: for each j, the number of rows i with counts[i, j] > 0; divide by their sum.",
    ),
    explain="why does counting contexts, and not occurrences, make a better guess for a context never seen?",
)

EXERCISES = (KNESER_NEY,)
