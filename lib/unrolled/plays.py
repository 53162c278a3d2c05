"""Learning by doing: episodes are the batches, and the one training loop does the rest (lecture A1).

    for step in learn(policy, plays(policy, world)): ...
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch

from .generate import sample
from .model import reading
from .policy import Episode, Policy, advantages, clipped, play
from .runs import Rate
from .shapes import Bool, Float, Tensor
from .train import train


class plays:
    """Endless batches of episodes, each played by the policy as it is by then, for `train.train`.

    With `epochs=1` each episode is learned from once: REINFORCE, with the learned value as its baseline.
    With more it is PPO: the same episode comes so many times before the next one is played.

    gamma and lam are those of `policy.advantages`; `entropy` is what a choice earns for being open, per nat.
    The choices are drawn by `generator`, seeded with 0: `source.generator.manual_seed(1)` makes others.
    `score` is the mean return of the episodes played last, `frames` how many steps were lived through so far.
    """

    def __init__(
        self,
        policy: Policy,
        world: Any,
        epochs: int = 4,
        gamma: float | int = 0.99,
        lam: float | int = 0.95,
        entropy: float | int = 0.01,
    ):
        if epochs < 1:
            raise ValueError(f"epochs is {epochs}: each episode is learned from at least once")
        self.policy, self.world, self.epochs = policy, world, epochs
        self.gamma, self.lam, self.entropy = gamma, lam, entropy
        self.generator = torch.Generator().manual_seed(0)
        self.turn, self.frames, self.score = 0, 0, float("nan")
        self.known: tuple[Tensor, ...] = ()

    def __iter__(self) -> "plays":
        return self

    def __next__(self) -> Episode:
        if self.turn % self.epochs == 0:
            self.episode, self.known = self._play(), ()
        self.turn += 1
        return self.episode

    def _play(self) -> Episode:
        with reading(self.policy):
            episode = play(self.policy, self.world, partial(sample, generator=self.generator))
        self.frames += int(episode.alive.sum())
        self.score = episode.reward.sum(1).mean().item()
        return episode

    def loss(self, policy: Policy, e: Episode) -> Float[Tensor, ""]:
        """The clipped policy gradient, the values' error, and what openness earns: the mean over the steps.

        How likely the actions were, what they gained, and what the values should have been is worked out
        the first time, when the policy is still the one that played.
        """
        logp, entropy, value = policy.judge(policy.read(e.x)[0], e.a)
        if not self.known:
            gain = advantages(e.reward, value.detach() * e.alive, self.gamma, self.lam)
            self.known = logp.detach(), standard(gain, e.alive), gain + value.detach()
        old, gain, goal = self.known
        rest = ((0.5 * (value - goal) ** 2 - self.entropy * entropy) * e.alive).sum() / len(logp)
        return (clipped(logp, old, gain) + rest) * len(logp) / e.alive.sum()

    def counted(self, e: Episode) -> int:
        """How many steps the loss is the mean of."""
        return int(e.alive.sum())

    def state_dict(self) -> dict[str, Tensor]:
        """Where the playing stands: the counts, both sources of chance, and an episode still in use."""
        tensors = {"place": torch.tensor([self.turn, self.frames, self.score], dtype=torch.float64)}
        tensors |= {"actions": self.generator.get_state(), "world": self.world.generator.get_state()}
        if self.turn % self.epochs:
            tensors |= {f"episode.{i}": t for i, t in enumerate(self.episode)}
            tensors |= {f"known.{i}": t for i, t in enumerate(self.known)}
        return tensors

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        (turn, frames, self.score), device = tensors["place"].tolist(), self.policy.W_v.weight.device
        self.turn, self.frames = int(turn), int(frames)
        self.generator.set_state(tensors["actions"])
        self.world.generator.set_state(tensors["world"])
        parts = {part: [tensors[k].to(device) for k in sorted(tensors) if k.startswith(part)]
                 for part in ("episode.", "known.")}
        self.episode = Episode(*parts["episode."]) if parts["episode."] else None
        self.known = tuple(parts["known."])


def standard(gain: Float[Tensor, "B T"], alive: Bool[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """Gains with mean 0 and spread 1 over the steps that were lived, and 0 elsewhere."""
    lived = gain[alive]
    return (gain - lived.mean()) / (lived.std(correction=0) + 1e-3) * alive


class Progress(NamedTuple):
    """An update: its number from 0, the mean return of the last episodes, steps lived, loss, seconds."""

    index: int
    score: float
    frames: int
    loss: float
    seconds: float


def learn(policy: Policy, source: plays, lr: Rate | None = None, **settings: Any) -> Iterator[Progress]:
    """Play and learn, update by update, and tell how it goes; it goes on as long as you ask for it.

    It is `train.train`, which takes the `settings`, and the score beside it.
    """
    for step in train(policy, source, lr, **settings):
        yield Progress(step.index, source.score, source.frames, step.loss, step.seconds)
