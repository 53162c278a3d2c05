"""Worlds to act in: a T-maze, and a pole on a cart whose speed is not seen (lecture A1).

Each world is a batch of B worlds that are stepped together, with the interface of Gymnasium
(Towers et al., 2024, arXiv 2407.17032) on tensors:

    x, info = world.reset(seed)
    x, reward, terminated, truncated, info = world.step(a)

A world that is over stands still, and pays nothing, until the next reset. `as_gymnasium` makes an ordinary
environment, for one agent, of any of them. Another world, for drawing, is in `canvas`.
"""

from typing import Any, NamedTuple

import torch

from .shapes import Bool, Float, Int, Tensor

LEFT, RIGHT, FORWARD = range(3)  # what one can do in the maze; LEFT and RIGHT are also the cues
CORRIDOR, JUNCTION = 2, 3  # what one can see there, besides the cues


class Discrete(NamedTuple):
    """One whole number, 0 to n - 1."""

    n: int


class MultiDiscrete(NamedTuple):
    """Several whole numbers, the i-th from 0 to nvec[i] - 1."""

    nvec: tuple[int, ...]


class Box(NamedTuple):
    """A vector of n numbers between low and high."""

    low: float
    high: float
    n: int


class World:
    """What all worlds share: the batch, the seed, the clock, and who is over."""

    observation_space: Any
    action_space: Any

    def __init__(self, batch: int, limit: int, device: str | torch.device = "cpu"):
        if batch < 1 or limit < 1:
            raise ValueError(f"batch is {batch} and the time limit {limit} steps: both must be at least 1")
        self.batch, self.limit, self.device = batch, limit, torch.device(device)
        self.generator = torch.Generator().manual_seed(0)  # on the CPU: the same chance on every device

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[Tensor, dict]:
        """Begin anew; the first observation of all B worlds, and an empty dict.

        With a seed the chance begins anew too, else it goes on. `options` are the world's own.
        """
        if seed is not None:
            self.generator.manual_seed(seed)
        self.time = 0
        self.terminated = torch.zeros(self.batch, dtype=torch.bool, device=self.device)
        self.truncated = self.terminated
        self._begin(options or {})
        return self._see(), {}

    def step(self, a: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, dict]:
        """Act in all B worlds; the new observation, reward (B,), terminated (B,), truncated (B,), a dict."""
        self._check(a)
        alive = ~self.over
        reward, ends = self._act(a.to(self.device), alive)
        self.time += 1
        self.terminated = self.terminated | (ends & alive)
        if self.time >= self.limit:
            self.truncated = ~self.terminated
        return self._see(), reward * alive, self.terminated, self.truncated, {}

    @property
    def over(self) -> Bool[Tensor, "B"]:
        """Which of the worlds have ended, for good or by the clock."""
        return self.terminated | self.truncated

    def _check(self, a: Tensor) -> None:
        """Refuse what is no action; how large it is, is looked at on the CPU only, as in `check_tokens`."""
        sizes = [*self.action_space] if isinstance(self.action_space, Discrete) else self.action_space.nvec
        shape = (self.batch,) if isinstance(self.action_space, Discrete) else (self.batch, len(sizes))
        if a.shape != shape or a.is_floating_point():
            raise ValueError(f"a is {a.dtype} of shape {tuple(a.shape)}: pass whole numbers of shape {shape}")
        if a.device.type != "cpu":
            return
        low, high = a.view(self.batch, -1).amin(0).tolist(), a.view(self.batch, -1).amax(0).tolist()
        if min(low) < 0 or any(h >= n for h, n in zip(high, sizes)):
            raise ValueError(f"a goes from {low} to {high}: this world knows actions below {list(sizes)}")

    def _begin(self, options: dict) -> None:
        raise NotImplementedError

    def _act(self, a: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
        """Move what is alive; return the reward and whether the world ends, for all."""
        raise NotImplementedError

    def _see(self) -> Tensor:
        raise NotImplementedError


class TMaze(World):
    """A corridor with a fork at its end: a cue, seen only at the start, says where to turn (Bakker, 2001).

    One sees the cue (0 left, 1 right), then the corridor (2) all along, then the junction (3). One turns left
    (0) or right (1), or goes forward (2); the junction is `length` steps away. The turn that the cue named
    pays 1, the other one 0, and both end the game. Whoever walks into a wall stays where he is
    and pays 0.1. The best return is 1; without memory nobody gets more than `best_memoryless`.
    """

    observation_space, action_space = Discrete(4), Discrete(3)

    def __init__(
        self, length: int, batch: int = 1, limit: int | None = None, device: str | torch.device = "cpu"
    ):
        super().__init__(batch, 1, device)
        self.resize(length, limit)

    def resize(self, length: int, limit: int | None = None) -> None:
        """Make the corridor longer or shorter, from the next reset on; None allows 3 length + 10 steps."""
        limit = 3 * length + 10 if limit is None else limit
        if length < 1 or limit < 1:
            raise ValueError(f"length is {length} and limit {limit}: both are steps, at least 1")
        self.length, self.limit = length, limit

    def _begin(self, options: dict) -> None:
        """The option "cue" (B,) sets the cues, which else are drawn by chance."""
        cue = options.get("cue")
        drawn = torch.randint(2, (self.batch,), generator=self.generator) if cue is None else cue
        self.cue = drawn.to(self.device)
        self.at = torch.zeros_like(self.cue)

    def _act(self, a: Int[Tensor, "B"], alive: Bool[Tensor, "B"]) -> tuple[Tensor, Tensor]:
        turn, there = a != FORWARD, self.at == self.length
        self.at = self.at + ~(turn | there) * alive
        ends = turn & there
        return (ends & (a == self.cue)).float() - 0.1 * (turn != there), ends

    def _see(self) -> Int[Tensor, "B"]:
        return self.cue if self.time == 0 else CORRIDOR + (self.at == self.length).long()


def best_memoryless(length: int) -> float:
    """The best mean return in the T-maze for whoever acts by what he sees now, and by nothing else.

    Exact: all 81 maps from what is seen to what is done are played with both cues. It is 1/2. Rolling dice
    does not help either: the junction looks the same after both cues, so he who turns left there with
    probability q is paid at most q after one cue and 1 - q after the other.
    """
    maps = torch.cartesian_prod(*[torch.arange(3)] * 4)  # (81, 4)
    world, total = TMaze(length, 2 * len(maps)), torch.zeros(2 * len(maps))
    x, _ = world.reset(options={"cue": torch.arange(2).repeat_interleave(len(maps))})
    while not world.over.all():
        x, reward, *_ = world.step(maps.repeat(2, 1).gather(1, x[:, None])[:, 0])
        total += reward
    return total.view(2, -1).mean(0).max().item()


class CartPole(World):
    """Keep a pole on a cart upright by pushing left (0) or right (1) (Barto, Sutton and Anderson, 1983).

    Each step pays 1, and it ends where the cart leaves +-2.4 m or the pole +-12 degrees, or after `limit`
    steps. One sees the cart's place and the pole's angle, as shares of these bounds; their velocities, which
    one needs, only with `velocities=True`. So whoever cannot compare now with before cannot balance.
    """

    action_space = Discrete(2)

    def __init__(
        self, batch: int = 1, limit: int = 500, velocities: bool = False, device: str | torch.device = "cpu"
    ):
        super().__init__(batch, limit, device)
        self.velocities = velocities
        self.bounds = torch.tensor([2.4, 1.0, torch.pi / 15, 1.0], device=self.device)
        self.observation_space = Box(-float("inf"), float("inf"), 4) if velocities else Box(-2.0, 2.0, 2)

    def _begin(self, options: dict) -> None:
        """The option "state" (B, 4) sets place, velocity, angle and its velocity; else all are nearly 0."""
        small = 0.1 * torch.rand(self.batch, 4, generator=self.generator) - 0.05
        self.state = options.get("state", small).to(self.device)

    def _act(self, a: Int[Tensor, "B"], alive: Bool[Tensor, "B"]) -> tuple[Tensor, Tensor]:
        self.state = torch.where(alive[:, None], swing(self.state, 20.0 * a - 10), self.state)
        return torch.ones(self.batch, device=self.device), (self.state.abs() > self.bounds)[:, ::2].any(1)

    def _see(self) -> Float[Tensor, "B D"]:
        return (self.state / self.bounds)[:, slice(None) if self.velocities else slice(None, None, 2)]


def swing(state: Float[Tensor, "B 4"], force: Float[Tensor, "B"]) -> Float[Tensor, "B 4"]:
    """Place, velocity, angle and its velocity 0.02 s after a push (in newtons): one step of Euler's.

    A cart of 1 kg without friction; a pole of 0.1 kg, whose middle is 0.5 m above the cart (Florian, 2007,
    "Correct equations for the dynamics of the cart-pole system").
    """
    x, v, angle, w = state.unbind(1)
    sin, cos = angle.sin(), angle.cos()
    push = (force + 0.05 * w**2 * sin) / 1.1
    turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    speed_up = push - 0.05 * turn * cos / 1.1
    return state + 0.02 * torch.stack([v, speed_up, w, turn], 1)


def as_gymnasium(world: World) -> Any:
    """The world (of batch 1) as a `gymnasium.Env` for one agent: arrays and numbers instead of tensors.

    It takes the package gymnasium, which nothing else in this library needs.
    """
    import gymnasium

    if world.batch != 1:
        raise ValueError(f"the world has a batch of {world.batch}: Gymnasium takes one at a time")

    class One(gymnasium.Env):
        observation_space, action_space = space(world.observation_space), space(world.action_space)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            x, info = world.reset(int(self.np_random.integers(2**31)), options)
            return self._plain(x), info

        def step(self, action):
            x, reward, terminated, truncated, info = world.step(torch.as_tensor(action)[None])
            return self._plain(x), reward.item(), terminated.item(), truncated.item(), info

        def _plain(self, x):
            return x[0].cpu().numpy() if x.ndim > 1 else x[0].cpu().numpy()[()]

    return One()


def space(of: Discrete | MultiDiscrete | Box) -> Any:
    """The same space as one of Gymnasium's."""
    import gymnasium.spaces

    if isinstance(of, Box):
        return gymnasium.spaces.Box(of.low, of.high, (of.n,))
    return getattr(gymnasium.spaces, type(of).__name__)(*of)
