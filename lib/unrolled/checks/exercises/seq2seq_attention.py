"""Chapter 10, looking back: additive_attention, gnmt_score."""

from collections.abc import Callable
from typing import Any

import torch

from ...attention import Additive
from ...beam import coverage_penalty, length_penalty
from ...shapes import Bool, Float, Tensor
from ..exercise import Exercise
from ..properties import sums_to_one
from .seq2seq import CHAPTER


def additive_attention(
    q: Float[Tensor, "B Q"],
    m: Float[Tensor, "B S M"],
    mask: Bool[Tensor, "B S"],
    W_q: Float[Tensor, "K Q"],
    W_m: Float[Tensor, "K M"],
    v: Float[Tensor, "K"],
) -> tuple[Float[Tensor, "B M"], Float[Tensor, "B S"]]:
    """Bahdanau's attention: the context and the weights."""
    e = torch.tanh((q @ W_q.T)[:, None] + m @ W_m.T) @ v  # (B, S): a score for each place
    weights = e.masked_fill(~mask, -torch.inf).softmax(-1)
    return (weights[..., None] * m).sum(1), weights


def _library(
    q: Tensor, m: Tensor, mask: Tensor, W_q: Tensor, W_m: Tensor, v: Tensor
) -> tuple[Tensor, Tensor]:
    parts = {"W_q.weight": W_q, "W_m.weight": W_m, "W_m.bias": torch.zeros_like(v), "v": v}
    model = Additive(W_q.shape[1], W_m.shape[1], len(v)).to(v.dtype)
    context, weights = torch.func.functional_call(model, parts, (q[:, None], m, mask))
    return context[:, 0], weights[:, 0]


def _attention_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, S, Q, M, K = [(2, 3, 1, 2, 2), (3, 2, 4, 3, 5), (2, 5, 3, 4, 6), (4, 4, 4, 4, 4)][i]
    sizes = {"q": (B, Q), "m": (B, S, M), "W_q": (K, Q), "W_m": (K, M), "v": (K,)}
    drawn = {k: torch.randn(size, generator=g, dtype=torch.float64) for k, size in sizes.items()}
    mask = torch.arange(S) < torch.tensor([S - 1, *[S] * (B - 1)])[:, None]
    return {"q": drawn["q"], "m": drawn["m"], "mask": mask} | {k: drawn[k] for k in ("W_q", "W_m", "v")}


def _attention(of: str) -> Callable[..., Any]:
    """Attention with one thing changed."""

    def look(
        q: Tensor, m: Tensor, mask: Tensor, W_q: Tensor, W_m: Tensor, v: Tensor
    ) -> tuple[Tensor, Tensor]:
        inner = (q @ W_q.T)[:, None] + m @ W_m.T
        e = (inner if of == "no tanh" else torch.tanh(inner)) @ v
        kept = {"unmasked": torch.ones_like(mask), "inverted": ~mask}.get(of, mask)
        weights = e.masked_fill(~kept, -1e30).softmax(0 if of == "batch" else -1)
        if of == "times zero":
            weights = (e * mask).softmax(-1)
        if of == "late mask":
            weights = e.softmax(-1) * mask
        if of == "hard":
            weights = torch.nn.functional.one_hot(weights.argmax(-1), m.shape[1]).to(m)
        context = (weights[..., None] * m).mean(1) if of == "mean" else (weights[..., None] * m).sum(1)
        return context, weights

    return look


ATTENTION = Exercise(
    chapter=CHAPTER, tier=2, minutes=25,
    signature="additive_attention(q, m, mask, W_q, W_m, v) -> context, weights",
    text="""q (B, Q) is the decoder's state, m (B, S, M) the memory, W_q (K, Q), W_m (K, M) and v (K,) are
parameters; mask (B, S) is True where the memory holds a word. The score of place s is v . tanh(W_q q + W_m
m_s). Return the context (B, M) and the weights (B, S): a softmax of the scores over the places that hold a
word, and 0 at the others.""",
    worked=additive_attention,
    reference=_library,
    cases=_attention_case,
    axes={"q": "B Q", "m": "B S M", "mask": "B S", "W_q": "K Q", "W_m": "K M", "v": "K",
          "return": "B M, B S"},
    grads=("q", "m", "W_q", "W_m", "v"),
    properties=(sums_to_one("the weights of each row sum to 1", part=1),),
    right={"with -1e30 for minus infinity": _attention("")},
    wrong={
        "no tanh": (
            _attention("no tanh"),
            "Without the tanh the part of q is the same for all places, and cancels in the softmax: you "
            "would look at the same place whatever you ask."),
        "the softmax runs over the batch": (
            _attention("batch"),
            "Your weights sum to 1 over the sentences of the batch. Each sentence has its own: use the last "
            "axis."),
        "the mask is forgotten": (
            _attention("unmasked"),
            "Places that hold nothing get weight. Give them the score minus infinity before the softmax."),
        "the mask is inverted": (
            _attention("inverted"),
            "You look where nothing is. The mask is True where the memory holds a word."),
        "scores are set to 0": (
            _attention("times zero"),
            "A score of 0 is no small score: exp(0) is 1. What must have no weight needs minus infinity."),
        "the mask comes after the softmax": (
            _attention("late mask"),
            "You take the weight away after it was shared out, so what is left sums to less than 1."),
        "only the best place": (
            _attention("hard"),
            "You take the one best place. Attention is a mean, and so it has a gradient."),
        "divided by S once more": (
            _attention("mean"),
            "The weights are shares already, so their products with the memory are added, not averaged."),
    },
    hints=(
        "Write down the shapes: W_q q is (B, K), W_m m is (B, S, K). Where does the first need an axis more?",
        "The product with v takes the last axis away, so the scores are (B, S).",
        "`masked_fill(~mask, ...)` comes before the softmax.",
    ),
    explain="which part of this can be computed once for a sentence, before anything is written?",
    harder="gnmt_score",
)


def gnmt_score(
    log_p: Float[Tensor, "N"],
    lengths: Float[Tensor, "N"],
    a: Float[Tensor, "N T S"],
    alpha: float,
    beta: float,
) -> Float[Tensor, "N"]:
    """The score by which Google's translator ranks the N texts of a beam."""
    penalty = ((5 + lengths) / 6) ** alpha
    looked = a.sum(1)  # (N, S): how much each word of the source was looked at, over all steps
    return log_p / penalty + beta * looked.clamp(max=1).log().sum(-1)


def _library_score(log_p: Tensor, lengths: Tensor, a: Tensor, alpha: float, beta: float) -> Tensor:
    penalties = torch.tensor([length_penalty(int(n), alpha) for n in lengths]).to(log_p)
    return log_p / penalties + coverage_penalty(a.sum(1), beta)


def _score_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, T, S = [(2, 3, 2), (3, 4, 5), (2, 5, 3), (4, 4, 4)][i]
    log_p = -1 - 5 * torch.rand(N, generator=g, dtype=torch.float64)
    a = (2 * torch.randn(N, T, S, generator=g, dtype=torch.float64)).softmax(-1)
    lengths = torch.randint(2, 9, (N,), generator=g).double()
    return {"log_p": log_p, "lengths": lengths, "a": a, "alpha": 0.6 + 0.1 * i, "beta": 0.2 + 0.1 * i}


def _score(of: str) -> Callable[..., Any]:
    """The score with one thing changed."""

    def score(log_p: Tensor, lengths: Tensor, a: Tensor, alpha: float, beta: float) -> Tensor:
        penalty = {"plain": lengths**alpha, "no six": (5 + lengths) ** alpha}.get(
            of, ((5 + lengths) / 6) ** alpha
        )
        looked = a.sum(1)
        if of == "wrong axis":
            looked = a.sum(2)
        covered = looked.log().sum(-1) if of == "no min" else looked.clamp(max=1).log().sum(-1)
        if of == "inside":
            return (log_p + beta * covered) / penalty
        first = log_p * penalty if of == "times" else log_p / penalty
        return first - beta * covered if of == "sign" else first + beta * covered

    return score


SCORE = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="gnmt_score(log_p, lengths, a, alpha, beta) -> scores",
    text="""A beam holds N texts: log_p (N,) are their log-probabilities, lengths (N,) their numbers of
symbols, and a (N, T, S) the attention: a[n, t, s] is how much text n looked at word s of the source at step
t. Google's translator ranks them by

log_p / ((5 + length) / 6)^alpha + beta * sum over s of log(min(sum over t of a, 1)).

The second term is 0 where every word of the source was looked at with a total of 1 or more, and negative
where one was left out.""",
    worked=gnmt_score,
    reference=_library_score,
    cases=_score_case,
    axes={"log_p": "N", "lengths": "N", "a": "N T S", "return": "N"},
    right={"term by term": _score("")},
    wrong={
        "the plain length": (
            _score("plain"),
            "You divide by length^alpha. Google's penalty is ((5 + length) / 6)^alpha, which is milder."),
        "nothing is divided by 6": (
            _score("no six"),
            "Your penalty is not 1 for a text of one symbol: the bracket is (5 + length) / 6."),
        "multiplied in place of divided": (
            _score("times"),
            "You multiply, so long texts become still worse. Dividing a negative number makes it less so."),
        "summed over the source": (
            _score("wrong axis"),
            "You add the attention up over the source: that is 1 at every step. Add over the steps, for each "
            "word of the source."),
        "no minimum": (
            _score("no min"),
            "A word that was looked at twice as much earns a reward with you. More than 1 counts as 1."),
        "the wrong sign": (
            _score("sign"),
            "You reward words that were left out. The logarithms are negative already: add them."),
        "the coverage is divided by length": (
            _score("inside"),
            "Your bracket holds both terms. The length penalty belongs to log_p alone."),
    },
    hints=(
        "Two terms. The first needs log_p, lengths and alpha; the second a and beta.",
        "How much each word of the source was looked at is a table (N, S): which axis of a is gone?",
        "`clamp(max=1)` before the logarithm.",
    ),
    explain="which mistake of a translator does the first term cure, and which one the second?",
    harder="beam_search",
)

EXERCISES = (ATTENTION, SCORE)
