"""Chapter 13, learning from rewards: reinforce_loss, ppo_clip."""

from collections.abc import Callable
from typing import Any

import torch

from ...policy import clipped, policy_gradient
from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from ..gradients import way_back
from ..trial import Property, Trial

CHAPTER = "13_policies"


def reinforce_loss(
    logits: Float[Tensor, "N A"], a: Int[Tensor, "N"], R: Float[Tensor, "N"], b: Float[Tensor, "N"]
) -> Float[Tensor, ""]:
    """The loss whose gradient is, on average, that of minus the expected return."""
    logp = logits.log_softmax(-1).gather(-1, a[:, None])[:, 0]  # of what was done
    return -((R - b).detach() * logp).mean()  # the gain is a number: nothing is learned through it


def _reinforce_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, A = [(2, 3), (3, 4), (5, 2), (4, 4)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {"logits": draw(N, A), "a": torch.randint(A, (N,), generator=g), "R": draw(N) + 2, "b": draw(N)}


def _library_reinforce(logits: Tensor, a: Tensor, R: Tensor, b: Tensor) -> Tensor:
    logp = logits.log_softmax(-1).gather(-1, a[:, None])
    return policy_gradient(logp, (R - b)[:, None])


def _reinforce(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The loss from log p of what was done, the return, and the baseline."""

    def answer(logits: Tensor, a: Tensor, R: Tensor, b: Tensor) -> Tensor:
        return loss(logits.log_softmax(-1).gather(-1, a[:, None])[:, 0], R, b)

    return answer


def _fixed(trial: Trial) -> str | None:
    """Whether the baseline is a number only."""
    b = trial.case["b"].clone().requires_grad_()
    loss = trial.call(b=b)
    if not isinstance(loss, Tensor) or not loss.requires_grad:
        return None
    (grad,) = way_back(loss.sum(), [b])
    if grad is None or not grad.any():
        return None
    return "a gradient reaches b: the loss would move the baseline, and with it the goal"


REINFORCE = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="reinforce_loss(logits, a, R, b) -> loss",
    text="""In N moments a policy had the logits (N, A) and did a (N,). R (N,) is what followed, b (N,) what
was expected. Return the mean of -(R - b) log p(a), the loss of REINFORCE. Its gradient must reach the logits,
and must not reach b.""",
    worked=reinforce_loss,
    reference=_library_reinforce,
    cases=_reinforce_case,
    axes={"logits": "N A", "a": "N", "R": "N", "b": "N"},
    grads=("logits",),
    properties=(Property("the baseline is taken as a number", _fixed),),
    right={"by cross-entropy": lambda logits, a, R, b: (
        torch.nn.functional.cross_entropy(logits, a, reduction="none") * (R - b.detach())).mean()},
    wrong={
        "the sign": (
            _reinforce(lambda logp, R, b: ((R - b).detach() * logp).mean()),
            "Your loss falls when good actions become less likely. A loss is minimised, a return is not."),
        "probabilities, not their logarithms": (
            _reinforce(lambda logp, R, b: -((R - b).detach() * logp.exp()).mean()),
            "You weight p(a). But a was drawn with the probability p(a) already, so likely actions would "
            "count twice: the logarithm is what divides it out."),
        "the gradient runs into the baseline": (
            _reinforce(lambda logp, R, b: -((R - b) * logp).mean()),
            "The value is right, and the gradient reaches b as well. Detach the gain: it is a weight."),
        "no baseline": (
            _reinforce(lambda logp, R, b: -(R.detach() * logp).mean()),
            "The return is weighted as it is. Take b off: what counts is how much better it was than "
            "expected."),
        "the baseline is added": (
            _reinforce(lambda logp, R, b: -((R + b).detach() * logp).mean()),
            "You add b to the return. The gain is what was got, less what was expected."),
        "all actions are pushed": (
            lambda logits, a, R, b: -((R - b).detach() * logits.log_softmax(-1).sum(-1)).mean(),
            "You sum log p over all actions. Only the one that was done is known to have led to R."),
        "scores, not log-probabilities": (
            lambda logits, a, R, b: -((R - b).detach() * logits.gather(-1, a[:, None])[:, 0]).mean(),
            "You take the logit itself. Without log_softmax the other actions do not give way."),
    },
    hints=(
        "`log_softmax` makes log-probabilities of logits, `gather` picks those of what was done.",
        "The gain R - b says how hard to push. It is a number: `.detach()` keeps gradients out.",
    ),
    explain="why does subtracting b not change the gradient on average?",
    harder="best_baseline",
)


def ppo_clip(
    logp: Float[Tensor, "N"], old: Float[Tensor, "N"], A: Float[Tensor, "N"], clip: float
) -> Float[Tensor, ""]:
    """The clipped loss of PPO: no choice is pushed beyond the band around what it was."""
    ratio = (logp - old).exp()  # how much likelier than when the action was taken
    return -torch.minimum(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A).mean()


def _ppo_case(g: torch.Generator, i: int) -> dict[str, Any]:
    ratio = torch.tensor([1.6, 0.5, 1.7, 0.4, 1.05, 0.93], dtype=torch.float64)
    A = torch.tensor([1.0, 2.0, -1.5, -0.5, 0.7, -0.9], dtype=torch.float64)
    moved = 1 + 0.1 * torch.rand(6, generator=g, dtype=torch.float64)
    old = -0.5 - torch.rand(6, generator=g, dtype=torch.float64)
    logp = old + (ratio * moved).log()
    return {"logp": logp, "old": old, "A": A * moved.flip(0), "clip": [0.2, 0.1, 0.3, 0.2][i]}


def _ppo(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The loss from the ratio, the clipped ratio, and the gain."""

    def answer(logp: Tensor, old: Tensor, A: Tensor, clip: float) -> Tensor:
        ratio = (logp - old).exp()
        return loss(ratio, ratio.clamp(1 - clip, 1 + clip), A)

    return answer


PPO = Exercise(
    chapter=CHAPTER, tier=3, minutes=20,
    signature="ppo_clip(logp, old, A, clip) -> loss",
    text="""logp (N,) is log p(a) of N actions now, old (N,) what it was when they were taken, and A (N,) what
they gained. With r = p_now / p_old, return minus the mean of min(r A, r' A), where r' is r held between
1 - clip and 1 + clip.""",
    worked=ppo_clip,
    reference=lambda logp, old, A, clip: clipped(logp[:, None], old[:, None], A[:, None], clip),
    cases=_ppo_case,
    axes={"logp": "N", "old": "N", "A": "N"},
    grads=("logp",),
    right={"by cases": _ppo(
        lambda r, held, A: -(A * torch.where(A > 0, r.minimum(held), r.maximum(held))).mean())},
    wrong={
        "always clipped": (
            _ppo(lambda r, held, A: -(held * A).mean()),
            "Outside the band nothing pulls any more, not even back. A bad action that has grown likely must "
            "still be pushed down: that is what the minimum is for."),
        "the better of the two": (
            _ppo(lambda r, held, A: -torch.maximum(r * A, held * A).mean()),
            "You take the maximum, so that the loss promises more than it may. PPO believes the worse."),
        "never clipped": (
            _ppo(lambda r, held, A: -(r * A).mean()),
            "Nothing holds the ratio: from one episode the policy could run away as far as it likes."),
        "the product is clipped": (
            lambda logp, old, A, clip: -torch.minimum(
                (logp - old).exp() * A, ((logp - old).exp() * A).clamp(1 - clip, 1 + clip)).mean(),
            "You hold r A between the bounds. The band is about the ratio: first clamp r, then multiply."),
        "the sign": (
            _ppo(lambda r, held, A: torch.minimum(r * A, held * A).mean()),
            "This is what shall become large. A loss is its negative."),
        "the ratio is upside down": (
            lambda logp, old, A, clip: -torch.minimum(
                (old - logp).exp() * A, (old - logp).exp().clamp(1 - clip, 1 + clip) * A).mean(),
            "Your ratio is old over new, so what becomes likelier counts less and less. It is new over old."),
        "a difference of logarithms as the ratio": (
            lambda logp, old, A, clip: -torch.minimum(
                (logp - old) * A, (logp - old).clamp(1 - clip, 1 + clip) * A).mean(),
            "log p - log p_old is the logarithm of the ratio, near 0 where the ratio is near 1. Take its "
            "exponential."),
    },
    hints=(
        "The ratio of two probabilities is the exponential of the difference of their logarithms.",
        "`clamp` holds the ratio in the band. Multiply both ratios with A before you compare them.",
    ),
    explain="for which signs of A, and on which side of the band, is the gradient zero?",
    harder="composite_action",
)

EXERCISES = (REINFORCE, PPO)
