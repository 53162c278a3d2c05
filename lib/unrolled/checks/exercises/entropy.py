"""Chapter 2, bits: entropy_rate, bpc_to_word_ppl."""

import math
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..properties import demand, finite_when
from ..question import Question
from ..trial import Trial

CHAPTER = "02_ngrams"


def entropy_rate(P: Float[Tensor, "V V"]) -> Float[Tensor, ""]:
    """Bits per symbol of a Markov source with rows P[i] = p(next | i) (Shannon, 1948)."""
    V = len(P)
    # how often each symbol occurs in the long run: pi P = pi and sum(pi) = 1, in one system of equations
    A = torch.cat([P.T - torch.eye(V, dtype=P.dtype), torch.ones(1, V, dtype=P.dtype)])
    pi = torch.linalg.lstsq(A, torch.eye(V + 1, dtype=P.dtype)[:, -1:]).solution[:, 0]
    H = torch.special.entr(P).sum(1) / math.log(2)  # (V,) bits after each symbol; entr(0) = 0
    return pi @ H


def _source_case(g: torch.Generator, i: int) -> dict[str, Any]:
    V = (2, 3, 4, 6)[i]
    return {"P": torch.softmax(2 * torch.randn(V, V, generator=g, dtype=torch.float64), -1)}


def _long_run(P: Tensor) -> Tensor:
    return torch.linalg.matrix_power(P, 4096)[0]


def _entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum(-1) / math.log(2)


def _with_zeros(case: dict[str, Any]) -> dict[str, Any]:
    V = len(case["P"])
    ring = torch.roll(torch.eye(V, dtype=torch.float64), 1, 1) + torch.eye(V, dtype=torch.float64)
    return {"P": ring / 2}


def _fair_coin(trial: Trial) -> bool:
    coin = torch.full((2, 2), 0.5, dtype=torch.float64)
    return abs(float(trial.call(P=coin)) - 1) < 1e-6


RATE = Exercise(
    chapter=CHAPTER, tier=3, minutes=20,
    signature="entropy_rate(P) -> bits",
    text="""A source makes each symbol from the last one: P[i, j] is the probability that j follows i. In
the long run symbol i makes up the part pi[i] of the text, where pi @ P = pi. Return the entropy rate: the
mean entropy of the next symbol in bits, with each symbol counted as often as it occurs. No model of this
source, however clever, gets below it.

Entries of P may be 0: what never happens adds nothing.""",
    worked=entropy_rate,
    cases=_source_case,
    axes={"P": "V V"},
    properties=(
        demand("fair coin tosses carry 1 bit", _fair_coin,
               "for tosses of a fair coin, where every entry of P is 1/2, it is not 1"),
        finite_when("zeros in the table do no harm", _with_zeros),
    ),
    right={
        "powers of P": lambda P: _long_run((P + torch.eye(len(P))) / 2) @ _entropy(P),
        "eigenvector": lambda P: (lambda v: (v / v.sum()) @ _entropy(P))(
            (lambda e: e[1][:, e[0].real.argmax()].real)(torch.linalg.eig(P.T))),
    },
    wrong={
        "all rows count the same": (
            lambda P: _entropy(P).mean(),
            "You average the entropies of the rows as if each symbol were equally frequent. A row that is "
            "hardly ever visited should hardly count. An eigenvector of P, where P.T is needed, ends here as "
            "well: its entries are equal."),
        "the entropy of single symbols": (
            lambda P: _entropy(_long_run((P + torch.eye(len(P))) / 2)),
            "This is the entropy of pi: the surprise of one who knows how frequent symbols are and has not "
            "seen the last one. Knowing it helps, so the rate is lower."),
        "the entropy of pairs": (
            lambda P: _entropy((_long_run((P + torch.eye(len(P))) / 2)[:, None] * P).flatten()),
            "This is the entropy of two symbols together. How much of it is there already when the first is "
            "known?"),
        "natural logarithms": (
            lambda P: entropy_rate(P) * math.log(2),
            "The number is right in nats. Bits come from logarithms to base 2."),
        "one step from equal shares": (
            lambda P: P.mean(0) @ _entropy(P),
            "You start from equal shares and take one step. In the long run means: until another step no "
            "longer changes the shares."),
        "0 times log 0": (
            lambda P: _long_run((P + torch.eye(len(P))) / 2) @ -(P * P.log2()).sum(1),
            "0 * log(0) is 0 * -inf, which is NaN. An event that never happens adds nothing: treat it apart. "
            "`torch.special` has functions that do."),
    },
    hints=(
        "Three steps: the shares pi, the entropy of each row, and their weighted mean.",
        "pi solves pi @ P = pi and sums to 1. Powers of P, an eigenvector of P.T, or linear equations all "
        "lead there.",
        "The entropy of row i is the sum over j of -P[i, j] * log2(P[i, j]). Mind the zeros.",
    ),
    explain="how can the entropy rate be lower than the entropy of the symbol frequencies, on the same text?",
)

PER_WORD = Question(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="bpc_to_word_ppl(number)",
    text="""A character model scores 1.2 bits per character on a text whose words have 4.6 letters on
average, plus the blank after each. What is its perplexity per word? Hand over the number, correct to half
a percent.""",
    answer=lambda: 2 ** (1.2 * (4.6 + 1)),
    way="bits_per_word = 1.2 * (4.6 + 1)  # the blank is predicted, too\n2 ** bits_per_word",
    wrong={
        "e to the power of bits": (math.exp(1.2 * 5.6),
            "The exponent is in bits, so the base is 2. With e it would have to be in nats."),
        "the perplexity per character": (2**1.2,
            "This is how many choices there are at each character. A word asks for several characters, and "
            "all of them have to be right."),
        "the blank is forgotten": (2 ** (1.2 * 4.6),
            "The model also predicts where each word ends. How many characters does a word cost?"),
        "the perplexity per character, times the characters": (
            5.6 * 2**1.2,
            "Bits add up from character to character. Perplexities are powers of bits: what do they do when "
            "bits add up?"),
        "the bits per word": (1.2 * 5.6,
            "This is how many bits a word takes. One more step leads from bits to perplexity."),
    },
    hints=(
        "How many bits does the model need for a whole word, blank included?",
        "Perplexity is 2 to the power of bits: per character or per word, whichever the bits are for.",
    ),
    explain="a word model and a character model of one text: in which unit can they be compared fairly?",
)

EXERCISES = (RATE, PER_WORD)
