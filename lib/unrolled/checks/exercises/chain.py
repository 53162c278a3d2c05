"""Chapter 2, the chain rule: joint_from_conditionals, any_order."""

from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..heat import Picture
from ..properties import demand, sums_to_one
from ..trial import Trial

CHAPTER = "02_ngrams"
_SIZES = [(2, 3, 4), (3, 2, 5), (3, 3, 3), (4, 5, 2)]


def _rows(g: torch.Generator, *shape: int) -> Tensor:
    """Random distributions along the last axis."""
    return torch.softmax(torch.randn(*shape, generator=g, dtype=torch.float64), -1)


def joint_from_conditionals(
    p_a: Float[Tensor, "A"], p_b: Float[Tensor, "A B"], p_c: Float[Tensor, "A B C"]
) -> Float[Tensor, "A B C"]:
    """p(a, b, c) from p(a), p(b | a) and p(c | a, b): the chain rule as three tables (lecture, P3)."""
    p_ab = p_a[:, None] * p_b  # (A, B): row a is p(b | a), weighted by how likely a is
    return p_ab[:, :, None] * p_c


def _joint_case(g: torch.Generator, i: int) -> dict[str, Any]:
    A, B, C = _SIZES[i]
    return {"p_a": _rows(g, A), "p_b": _rows(g, A, B), "p_c": _rows(g, A, B, C)}


def _independent(p_a: Tensor, p_b: Tensor, p_c: Tensor) -> Tensor:
    p = joint_from_conditionals(p_a, p_b, p_c)
    return p.sum((1, 2))[:, None, None] * p.sum((0, 2))[:, None] * p.sum((0, 1))


def _markov(p_a: Tensor, p_b: Tensor, p_c: Tensor) -> Tensor:
    p_bc = joint_from_conditionals(p_a, p_b, p_c).sum(0)
    return (p_a[:, None] * p_b)[:, :, None] * (p_bc / p_bc.sum(1, keepdim=True))


def _read_back(trial: Trial) -> bool:
    p, c = trial.got, trial.case
    p_b, p_c = p.sum(2) / p.sum((1, 2))[:, None], p / p.sum(2, keepdim=True)
    return torch.allclose(p_b, c["p_b"]) and torch.allclose(p_c, c["p_c"])


JOINT = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="joint_from_conditionals(p_a, p_b, p_c) -> joint",
    text="""p_a (A,) holds p(a); p_b (A, B) holds p(b | a), one row for each a; p_c (A, B, C) holds p(c |
a, b). Return the whole table p(a, b, c), of shape (A, B, C).""",
    worked=joint_from_conditionals,
    cases=_joint_case,
    axes={"p_a": "A", "p_b": "A B", "p_c": "A B C", "return": "A B C"},
    picture=Picture(lambda p: p[0], "b (for a = 0)", "c"),
    properties=(
        sums_to_one("the whole table sums to 1", None),
        demand("the conditionals can be read back from the table", _read_back,
               "dividing your table by its own sums does not give p(b | a) and p(c | a, b) again"),
    ),
    right={
        "einsum": lambda p_a, p_b, p_c: torch.einsum("a,ab,abc->abc", p_a, p_b, p_c),
        "logarithms": lambda p_a, p_b, p_c: torch.exp(
            p_a.log()[:, None, None] + p_b.log()[:, :, None] + p_c.log()),
    },
    wrong={
        "the parts are taken as independent": (
            _independent,
            "Your table is the product of p(a), p(b) and p(c): knowing a says nothing of b in it. The chain "
            "rule keeps the conditions; look at what each of the three tables is given."),
        "c depends on b alone": (
            _markov,
            "You averaged over a before multiplying, so c has forgotten it. That is a bigram model; the "
            "chain rule conditions on everything that came before."),
        "p(a) lies along the wrong axis": (
            lambda p_a, p_b, p_c: (p_a * p_b)[..., None] * p_c,
            "Broadcasting lines shapes up from the right: p_a meets the last axis of p_b, which is b. Where "
            "A = B there is not even an error. Give p_a an axis of size 1 where b runs."),
        "the parts are added": (
            lambda p_a, p_b, p_c: p_a[:, None, None] + p_b[..., None] + p_c,
            "You add probabilities. Adding is right for logarithms of probabilities; what goes with "
            "probabilities?"),
    },
    hints=(
        "For one a, one b and one c: write p(a, b, c) as a product of three numbers of the three tables.",
        "The three factors have 1, 2 and 3 axes. Make each of them 3-dimensional, with size 1 where it does "
        "not vary.",
        "`p_a[:, None]` has shape (A, 1), so it multiplies each row of p_b (A, B) by one number.",
    ),
    explain="how many entries would the table of all sentences of 10 words have, out of 10,000 words?",
    harder="any_order",
)


def any_order(joint: Float[Tensor, "A B C"]) -> tuple[Tensor, Tensor, Tensor]:
    """p(c), p(b | c) and p(a | b, c) of a table p(a, b, c): the chain rule from right to left."""
    p_bc = joint.sum(0)  # (B, C)
    p_c = p_bc.sum(0)  # (C,)
    return p_c, p_bc / p_c, joint / p_bc  # each divided by the probability of its condition


def _table_case(g: torch.Generator, i: int) -> dict[str, Any]:
    A, B, C = _SIZES[i]
    return {"joint": _rows(g, A * B * C).reshape(A, B, C)}


def _own_sums(trial: Trial) -> bool:
    return all(torch.allclose(p.sum(0), torch.ones_like(p.sum(0))) for p in trial.got)


def _multiplies(trial: Trial) -> bool:
    p_c, p_b, p_a = trial.got
    return torch.allclose(p_c * p_b * p_a, trial.case["joint"])


def _both_sides(joint: Tensor) -> tuple[Tensor, ...]:
    return tuple(joint / joint.sum(axis, keepdim=True) for axis in (2, 1, 0))


def _forward_order(joint: Tensor) -> tuple[Tensor, ...]:
    p_ab = joint.sum(2)
    return p_ab.sum(1), p_ab / p_ab.sum(1, keepdim=True), joint / p_ab[..., None]


def _forgets_b(joint: Tensor) -> tuple[Tensor, ...]:
    p_c, p_b, _ = any_order(joint)
    return p_c, p_b, (joint.sum(1) / p_c)[:, None].expand_as(joint)


ORDER = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="any_order(joint) -> p_c, p_b, p_a",
    text="""joint (A, B, C) is a table p(a, b, c). Take it apart from right to left: return p(c), of shape
(C,), p(b | c), of shape (B, C), and p(a | b, c), of shape (A, B, C). All entries of the table are above
0.""",
    worked=any_order,
    cases=_table_case,
    axes={"joint": "A B C", "return": "C, B C, A B C"},
    properties=(
        demand("each is a distribution over its own letter", _own_sums,
               "for each condition the probabilities of the letter before the bar should sum to 1 (here: "
               "over axis 0)"),
        demand("multiplied they give the table back", _multiplies,
               "p_c * p_b * p_a is not the table that you were given"),
    ),
    right={"with keepdim": lambda joint: (joint.sum((0, 1)), joint.sum(0) / joint.sum((0, 1)),
                                          joint / joint.sum(0, keepdim=True))},
    wrong={
        "the usual order, from left to right": (
            _forward_order,
            "This is p(a), p(b | a), p(c | a, b): a right factorisation, and not the one that was asked for. "
            "Which letters have to be known first when you start from the right?"),
        "each is conditioned on both sides": (
            _both_sides,
            "You divide by the sum over the one letter that is asked for, which conditions on all others, "
            "those to come included. Such terms multiply to a pseudo-likelihood: its total need not be 1. In "
            "a factorisation each letter may know only those that were factored out before it."),
        "nothing is divided": (
            lambda joint: (joint.sum((0, 1)), joint.sum(0), joint),
            "These are joint probabilities: p(c), p(b, c), p(a, b, c). A conditional is a joint divided by "
            "the probability of its condition."),
        "divided by the wrong sum": (
            lambda joint: (joint.sum((0, 1)), joint.sum(0) / joint.sum((0, 2))[:, None],
                           joint / joint.sum((1, 2))[:, None, None]),
            "You divide by the probability of the letter before the bar. The condition is what stands behind "
            "it."),
        "a has forgotten b": (
            _forgets_b,
            "Your last factor is p(a | c). It sums to 1 and still is not enough: the three together no "
            "longer make the table. Which condition got lost?"),
    },
    hints=(
        "First the sums: p(b, c) is the table summed over a, and p(c) is that summed over b.",
        "p(b | c) = p(b, c) / p(c), and p(a | b, c) = p(a, b, c) / p(b, c).",
        "Check yourself: `(p_c * p_b * p_a)` broadcasts to (A, B, C) and should be `joint`.",
    ),
    explain="if any order is exact, why do language models read from left to right?",
    harder="entropy_rate",
)


EXERCISES = (JOINT, ORDER)
