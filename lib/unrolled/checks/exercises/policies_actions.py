"""Chapter 13, the least noise and the whole action: best_baseline, composite_action."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from .policies import CHAPTER


def best_baseline(p: Float[Tensor, "A"], R: Float[Tensor, "A"]) -> Float[Tensor, ""]:
    """The constant that makes the gradient of REINFORCE vary least; p over A actions, action a pays R[a]."""
    push = torch.eye(len(p)).to(p) - p  # row a: the gradient of log p(a) for the logits
    weight = p * push.square().sum(1)  # how often, times how hard squared
    return (weight * R).sum() / weight.sum()


def _baseline_case(g: torch.Generator, i: int) -> dict[str, Any]:
    A = (2, 3, 5, 4)[i]
    draw = lambda: torch.randn(A, generator=g, dtype=torch.float64)  # noqa: E731
    return {"p": draw().softmax(-1), "R": 3 + 2 * draw()}


def _by_search(p: Tensor, R: Tensor) -> Tensor:
    """The variance is a parabola in b: three of its points say where it is least."""
    push = torch.eye(len(p)).to(p) - p
    second = lambda b: (p * push.square().sum(1) * (R - b) ** 2).sum()  # noqa: E731
    low, mid, high = second(-1.0), second(0.0), second(1.0)
    return (low - high) / (2 * (low - 2 * mid + high))


def _weighted(weight: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A mean of the returns with other weights, made from p and the length of each push."""

    def answer(p: Tensor, R: Tensor) -> Tensor:
        w = weight(p, (torch.eye(len(p)).to(p) - p).square().sum(1).sqrt())
        return (w * R).sum() / w.sum()

    return answer


BASELINE = Exercise(
    chapter=CHAPTER, tier=3, minutes=30,
    signature="best_baseline(p, R) -> b",
    text="""A policy chooses once among A actions, with the probabilities p (A,) = softmax(logits), and action
a always pays R[a]. REINFORCE estimates the gradient for the logits by (R[a] - b) times the gradient of
log p(a), which is row a of the identity, less p. Return the number b that makes the variance of this
estimate, summed over the logits, as small as it can be.""",
    worked=best_baseline,
    cases=_baseline_case,
    axes={"p": "A", "R": "A"},
    right={"from three points of a parabola": _by_search},
    wrong={
        "the expected return": (
            _weighted(lambda p, size: p),
            "This is the mean return, which everybody uses, and which is close to the best. It is not the "
            "best: actions that push hard must count for more."),
        "the mean over the actions": (
            _weighted(lambda p, size: torch.ones_like(p)),
            "All actions count alike. What is drawn often makes noise often."),
        "how often is forgotten": (
            _weighted(lambda p, size: size**2),
            "You weight by the push alone. Each push also counts as often as its action is drawn."),
        "the length is not squared": (
            _weighted(lambda p, size: p * size),
            "A variance is made of squares: the weights are the squared lengths of the pushes."),
        "the push is not squared but its part is": (
            _weighted(lambda p, size: p * (1 - p) ** 2),
            "You count what is pushed at the action itself only. Its gradient has A parts: the other logits "
            "are pushed down."),
        "the best return": (
            lambda p, R: R.max(),
            "Against the maximum every action disappoints, and the noise is large. Set the derivative of the "
            "variance for b to zero."),
    },
    hints=(
        "The mean of the estimate does not depend on b. The mean of its square does: E[|g|^2 (R - b)^2].",
        "Take the derivative for b, and set it to zero. Out comes a weighted mean of the returns.",
        "The weight of an action is how often it is drawn, times the squared length of its gradient.",
    ),
    explain="when is the best baseline the same as the expected return?",
    harder="composite_action",
)


def composite_action(
    first: Float[Tensor, "N P"], second: Float[Tensor, "N P Q"], a: Int[Tensor, "N K"]
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """log p of actions of two parts, of which the second hears the first, and the entropy of the whole."""
    rows = torch.arange(len(a))
    one, two = first.log_softmax(-1), second.log_softmax(-1)  # (N, P) and (N, P, Q)
    logp = one[rows, a[:, 0]] + two[rows, a[:, 0], a[:, 1]]
    joint = one[..., None] + two  # (N, P, Q): log p of every whole action
    return logp, -(joint.exp() * joint).sum((1, 2))


def _action_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, P, Q = [(1, 2, 3), (3, 2, 4), (2, 4, 3), (3, 3, 3)][i]
    draw = lambda *shape: 1.5 * torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    parts = [torch.randint(n, (N,), generator=g) for n in (P, Q)]
    return {"first": draw(N, P), "second": draw(N, P, Q), "a": torch.stack(parts, 1)}


def _entropy(logp: Tensor) -> Tensor:
    return -(logp.exp() * logp).sum(-1)


def _chain(first: Tensor, second: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """H(a) = H(a_1) + the mean of H(a_2 | a_1)."""
    one, two = first.log_softmax(-1), second.log_softmax(-1)
    return composite_action(first, second, a)[0], _entropy(one) + (one.exp() * _entropy(two)).sum(-1)


def _action(of: str) -> Callable[..., tuple[Tensor, Tensor]]:
    """The same with one thing changed."""

    def answer(first: Tensor, second: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        rows, (logp, entropy) = torch.arange(len(a)), composite_action(first, second, a)
        one, two = first.log_softmax(-1), second.log_softmax(-1)
        marginal = (one[..., None] + two).logsumexp(1)  # (N, Q): the second part by itself
        here = two[rows, a[:, 0]]
        pooled = (first[..., None] + second).flatten(1).log_softmax(-1).view_as(two)
        return {
            "alone": (one[rows, a[:, 0]] + marginal[rows, a[:, 1]], entropy),
            "marginals": (logp, _entropy(one) + _entropy(marginal)),
            "chosen": (logp, _entropy(one) + _entropy(here)),
            "pooled": (pooled[rows, a[:, 0], a[:, 1]], _entropy(pooled.flatten(1))),
            "second": (here[rows, a[:, 1]], entropy),
            "likelihood": (logp.exp(), entropy),
            "no weights": (logp, _entropy(one) + _entropy(two).mean(-1)),
            "first": (logp, _entropy(one)),
        }[of]

    return answer


ACTION = Exercise(
    chapter=CHAPTER, tier=4, minutes=40,
    signature="composite_action(first, second, a) -> logp, entropy",
    text="""An action has two parts. first (N, P) are the logits of the first part. second (N, P, Q) are those
of the second part, for each choice of the first. a (N, 2) holds the actions that were done. Return log p(a)
(N,), and the exact entropy in nats (N,) of the whole action.""",
    worked=composite_action,
    cases=_action_case,
    axes={"first": "N P", "second": "N P Q", "a": "N K", "return": "N, N"},
    grads=("first", "second"),
    right={"by the chain rule of entropy": _chain},
    wrong={
        "heads that do not hear each other": (
            _action("alone"),
            "You take the probability of the second part by itself. It depends on the first: "
            "p(a) = p(a_1) p(a_2 | a_1)."),
        "the entropies of the parts are added": (
            _action("marginals"),
            "H(a_1) + H(a_2) is too much where the second part depends on the first: what the one tells "
            "about the other is counted twice."),
        "the entropy after the choice that was made": (
            _action("chosen"),
            "You add the entropy of the second part after the first that was chosen. That is right on "
            "average, and the library does so to save work. Asked is the exact one: average over all "
            "choices of the first part."),
        "one softmax for all": (
            _action("pooled"),
            "You add the logits and normalise once. Each row of `second` has a softmax of its own; with one "
            "for all, large rows would draw the first choice to them."),
        "the first part is forgotten": (
            _action("second"),
            "This is log p(a_2 | a_1). The first part was a choice too."),
        "probabilities, not their logarithms": (
            _action("likelihood"),
            "You return the probability p(a) itself. Asked is its logarithm."),
        "all choices of the first part count alike": (
            _action("no weights"),
            "You average the entropies of the second part with equal weights. A choice that is hardly ever "
            "made counts hardly at all."),
        "the entropy of the first part only": (
            _action("first"),
            "The second part is open too, once the first is known. Its entropy is to be added."),
    },
    hints=(
        "Turn both into log-probabilities. Then log p of every whole action is a sum, of shape (N, P, Q).",
        "From this table take the entry of each action that was done: index with rows, a[:, 0] and a[:, 1].",
        "The entropy is minus the sum of p log p over the whole table, for each of the N moments.",
    ),
    explain="when is the entropy of the whole action the sum of the two parts' own entropies?",
)

EXERCISES = (BASELINE, ACTION)
