"""Chapter 13, what is still to come: returns_to_go."""

from typing import Any

import torch

from ...policy import returns_to_go as library_returns
from ...shapes import Float, Tensor
from ..exercise import Exercise
from .policies import CHAPTER


def returns_to_go(reward: Float[Tensor, "B T"], gamma: float) -> Float[Tensor, "B T"]:
    """R_t = r_t + gamma R_{t+1}: what is still to come from each step on."""
    R, out = torch.zeros_like(reward[:, 0]), []
    for r in reversed(reward.unbind(1)):  # from the end, where nothing follows
        R = r + gamma * R
        out.append(R)
    return torch.stack(out[::-1], 1)


def _returns_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, gamma = [(1, 3, 0.5), (2, 4, 0.9), (3, 5, 0.8), (4, 4, 0.7), (2, 5, 0.0), (3, 4, 1.0)][i]
    return {"reward": torch.randn(B, T, generator=g, dtype=torch.float64), "gamma": gamma}


def _powers(reward: Tensor, gamma: float) -> Tensor:
    return gamma ** torch.arange(reward.shape[1]).to(reward)


def _by_matrix(reward: Tensor, gamma: float) -> Tensor:
    t = torch.arange(reward.shape[1])
    ahead = (t[:, None] - t[None]).to(reward)
    return reward @ (gamma ** ahead.clamp(min=0) * (ahead >= 0))


def _divided(reward: Tensor, gamma: float) -> Tensor:
    powers = _powers(reward, gamma)
    return _later(reward * powers, gamma) / powers


def _later(reward: Tensor, gamma: float) -> Tensor:
    return torch.cumsum(reward.flip(1), 1).flip(1)


RETURNS = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="returns_to_go(reward, gamma) -> R",
    text="""reward (B, T) holds what B players got in T steps. Return R (B, T) with R_t = r_t + gamma R_{t+1},
where nothing follows the last step. An action is judged by what comes after it, and the further away that
is, the less it counts.""",
    worked=returns_to_go,
    reference=library_returns,
    cases=_returns_case,
    count=6,
    axes={"reward": "B T", "return": "B T"},
    right={"with a matrix of powers": _by_matrix},
    wrong={
        "from the front": (
            lambda reward, gamma: library_returns(reward.flip(1), gamma).flip(1),
            "You add up what came before. An action cannot change the past: add up what comes after it."),
        "the whole return at every step": (
            lambda reward, gamma: library_returns(reward, gamma)[:, :1].expand_as(reward),
            "Every step gets what the whole episode paid. The third action has not earned the first reward."),
        "the discount is counted from the beginning": (
            lambda reward, gamma: _later(reward * _powers(reward, gamma), gamma),
            "You discount each reward by its distance from the start of the episode. Count from the step "
            "that is judged: its own reward counts in full."),
        "divided by powers of gamma": (
            _divided,
            "Right on paper. At gamma = 0 you divide 0 by 0, and in a long game a power of gamma becomes too "
            "small for a float. Go back from the end: there is nothing to divide."),
        "the reward of the step itself is left out": (
            lambda reward, gamma: library_returns(reward, gamma) - reward,
            "Your R_t begins with r_{t+1}. The reward of a step is what its own action brought."),
        "no discount": (
            lambda reward, gamma: _later(reward, gamma),
            "All that is to come counts in full. Each step further away counts gamma times less."),
        "along the players": (
            lambda reward, gamma: library_returns(reward.T, gamma).T,
            "You add up along the first axis, which counts the players. Time is the second one."),
    },
    hints=(
        "Begin at the last step: what is its R? Then go back one step at a time.",
        "`reversed(reward.unbind(1))` gives the steps from the last to the first, each of shape (B,).",
    ),
    explain="which gamma would make an agent care for the next reward only?",
    harder="reinforce_loss",
)

EXERCISES = (RETURNS,)
