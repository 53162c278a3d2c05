"""Chapter 2, how well a model does: sequence_log_prob, perplexity."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from ...shapes import Bool, Float, Int, Tensor
from ..exercise import Exercise
from ..properties import demand, finite_when
from ..trial import Trial

CHAPTER = "02_ngrams"


def sequence_log_prob(logits: Float[Tensor, "B T V"], y: Int[Tensor, "B T"]) -> Float[Tensor, "B"]:
    """The log-probability of each sequence y[b] in nats: the chain rule in logarithms."""
    logp = torch.log_softmax(logits, -1)  # (B, T, V) normalised over the symbols
    taken = logp.gather(-1, y[:, :, None])[:, :, 0]  # (B, T) that of the symbol which came
    return taken.sum(1)


def _scored_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, V = [(2, 3, 4), (3, 5, 7), (2, 6, 6), (4, 20, 5)][i]
    logits = torch.randn(B, T, V, generator=g, dtype=torch.float64)
    return {"logits": logits, "y": torch.randint(0, V, (B, T), generator=g)}


def _taken(p: Tensor, y: Tensor) -> Tensor:
    return p.gather(-1, y[..., None])[..., 0]


LOG_PROB = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="sequence_log_prob(logits, y) -> log_p",
    text="""logits (B, T, V) are a model's scores: softmax over the last axis gives p(y_t | what came
before). Return the natural logarithm of the probability of each whole sequence y[b], shape (B,). The
logits may be large: a sequence may have a probability that no float can hold, and its logarithm is still
an ordinary number.""",
    worked=sequence_log_prob,
    cases=_scored_case,
    axes={"logits": "B T V", "y": "B T", "return": "B"},
    grads=("logits",),
    properties=(
        finite_when("finite and right when the logits are 400 times as large",
                    lambda c: {"logits": c["logits"] * 400}),
    ),
    right={
        "cross_entropy": lambda l, y: -F.cross_entropy(l.transpose(1, 2), y, reduction="none").sum(1),
        "logsumexp": lambda l, y: (_taken(l, y) - l.logsumexp(-1)).sum(1),
    },
    wrong={
        "the mean instead of the sum": (
            lambda l, y: _taken(l.log_softmax(-1), y).mean(1),
            "You average over time. The mean compares texts of different length; the probability of a "
            "sequence is a product over all its places, so its logarithm is their sum."),
        "softmax over time": (
            lambda l, y: _taken(l.log_softmax(1), y).sum(1),
            "Your probabilities sum to 1 over the places of the sequence. At each place it is the symbols "
            "that compete: which axis are they on?"),
        "the logarithm of a product": (
            lambda l, y: _taken(l.softmax(-1), y).prod(1).log(),
            "You multiply probabilities and take the logarithm afterwards. The product falls below the "
            "smallest float and becomes 0. Take logarithms first, and never leave them."),
        "scores taken for log-probabilities": (
            lambda l, y: _taken(l, y).sum(1),
            "You add the raw scores. They are log-probabilities only up to a constant for each place; what "
            "makes the probabilities of all symbols sum to 1?"),
        "the sign of a loss": (
            lambda l, y: -_taken(l.log_softmax(-1), y).sum(1),
            "The logarithm of a probability is never above 0. Yours is the negative log-likelihood: the "
            "loss, not the log-probability."),
    },
    hints=(
        "Three steps: normalise over the symbols, pick the symbol that came, add over time.",
        "`torch.log_softmax(logits, axis)` normalises without ever leaving the logarithm.",
        "`p.gather(-1, y[:, :, None])` picks, at each place, the entry that y names.",
    ),
    explain="why is a sum of logarithms safe where a product of probabilities is not?",
    harder="perplexity",
)


def perplexity(logp: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """exp of the mean surprise in nats, over the places where mask is True."""
    surprise = -logp[mask]  # (number of real tokens,)
    return surprise.mean().exp()


def _masked_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T = [(2, 3), (3, 5), (4, 6), (2, 9)][i]
    lengths = torch.randint(1, T, (B,), generator=g)
    lengths[0] = T
    logp = -torch.rand(B, T, generator=g, dtype=torch.float64) * 4 - 0.1
    return {"logp": logp, "mask": torch.arange(T) < lengths[:, None]}


def _uniform(trial: Trial) -> bool:
    five = torch.full_like(trial.case["logp"], -math.log(5))
    return abs(float(trial.call(logp=five, mask=torch.ones_like(trial.case["mask"]))) - 5) < 1e-6


def _pads_change_nothing(trial: Trial) -> bool:
    logp, mask = trial.case["logp"], trial.case["mask"]
    return abs(float(trial.call(logp=torch.where(mask, logp, logp - 1))) / float(trial.got) - 1) < 1e-6


PERPLEXITY = Exercise(
    chapter=CHAPTER, tier=2, minutes=10,
    signature="perplexity(logp, mask) -> number",
    text="""logp (B, T) holds the log-probability, in nats, of each token of B sentences; mask (B, T) is
True where there is a token and False on padding. Return the perplexity of the whole lot, one number: the
number of equally likely choices that would be as hard to guess, on average over all tokens.""",
    worked=perplexity,
    cases=_masked_case,
    axes={"logp": "B T", "mask": "B T"},
    properties=(
        demand("a fair choice among 5 has perplexity 5", _uniform,
               "with every log-probability at -ln 5 and no padding, the result is not 5"),
        demand("what stands on the padding changes nothing", _pads_change_nothing,
               "the result changes when logp changes where the mask is False"),
    ),
    right={
        "base 2 throughout": lambda logp, mask: 2 ** (-(logp / math.log(2) * mask).sum() / mask.sum()),
        "a plain float": lambda logp, mask: math.exp(-(logp * mask).sum().item() / mask.sum().item()),
    },
    wrong={
        "padding counts as tokens": (
            lambda logp, mask: torch.exp(-(logp * mask).mean()),
            "The sum is right, and you divide it by all places, padding included. That makes every batch "
            "look easier, the more so the more padding it has. By what number of tokens should the sum be "
            "divided?"),
        "the mean of the sentences' perplexities": (
            lambda logp, mask: torch.exp(-(logp * mask).sum(1) / mask.sum(1)).mean(),
            "You take one perplexity a sentence and average those. A short odd sentence then counts as much "
            "as a long one, and exp of a mean is not the mean of exps. One mean over all tokens, then one "
            "exp."),
        "base 2 for nats": (
            lambda logp, mask: 2 ** (-(logp * mask).sum() / mask.sum()),
            "Your exponent is in nats and your base is 2. Base and unit belong together: e with nats, 2 with "
            "bits."),
        "the minus is missing": (
            lambda logp, mask: torch.exp((logp * mask).sum() / mask.sum()),
            "A perplexity is a number of choices, 1 or more. Yours is below 1: it is the (geometric) mean "
            "probability. What turns one into the other?"),
        "the mask is not used": (
            lambda logp, mask: torch.exp(-logp.mean()),
            "You average over everything, the padding's numbers included. The mask says which places are "
            "tokens."),
    },
    hints=(
        "Perplexity is exp of the mean negative log-probability. The mean of which numbers?",
        "Indexing with a boolean mask, `logp[mask]`, keeps the real tokens in one row.",
        "Test yourself: if every token has probability 1/5, the answer has to be 5.",
    ),
    explain="why is 'perplexity 50' meaningless unless one says 50 per what: character, word or token?",
    harder="bpc_to_word_ppl",
)

EXERCISES = (LOG_PROB, PERPLEXITY)
