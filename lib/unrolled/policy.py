"""A policy is a sequence model over what it sees and does (lecture A1).

It reads observations and scores actions; its memory is the state of its core. In small it is built as
AlphaStar and OpenAI Five are (A3): an encoder of observations, a recurrent core, heads for the actions.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from .generate import sample
from .model import Core, SequenceModel, State, check_tokens
from .shapes import Bool, Float, Int, Tensor

Pick = Callable[[Float[Tensor, "B V"]], Int[Tensor, "B"]]


class Policy(SequenceModel):
    """Which action comes next, after all that was seen: `logits, state = policy(x, state)`.

    - `core` is any of the book's cores; its state is the policy's state, and the law holds.
    - `actions` is how many there are; of an action of several parts, how many of each, in their order.
    - `encoder` says how one sees: a number of symbols (x (B, T) holds ids), or a module that turns
      observations x (B, T, ...) into vectors (B, T, core.inputs).

    An action of several parts is written one part after the other: each head but the first is told what the
    heads before it chose, so p(a) = p(a_1) p(a_2 | a_1) ... as in AlphaStar (Vinyals et al., 2019).
    """

    def __init__(self, core: Core, actions: int | Sequence[int], encoder: int | nn.Module):
        super().__init__()
        sizes = (actions,) if isinstance(actions, int) else tuple(actions)
        symbols = encoder if isinstance(encoder, int) else 1
        if not sizes or min(*sizes, symbols) < 1:
            raise ValueError(f"Policy(actions={actions}, encoder={encoder}): all must be at least 1")
        self.symbols = encoder if isinstance(encoder, int) else None
        self.sizes, self.vocab_size, self.core = sizes, self.symbols or sizes[0], core
        self.encoder = nn.Embedding(encoder, core.inputs) if isinstance(encoder, int) else encoder
        self.heads = nn.ModuleList(nn.Linear(core.hidden, n) for n in sizes)
        self.told = nn.ModuleList(nn.Embedding(n, core.hidden) for n in sizes[:-1])
        self.mix = nn.ModuleList(nn.Linear(core.hidden, core.hidden) for _ in sizes[:-1])
        self.W_v = nn.Linear(core.hidden, 1)

    def forward(self, x: Tensor, state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits of the (first part of the) action after each of x, and the core's state."""
        h, state = self.read(x, state)
        return self.heads[0](h), state

    def read(self, x: Tensor, state: State = None) -> tuple[Float[Tensor, "B T H"], State]:
        """h after each observation, from which the heads speak, and the core's state."""
        if self.symbols is not None:
            check_tokens(x, self.symbols)
        return self.core(self.encoder(x), state)

    def after(self, h: Float[Tensor, "*B H"], i: int, part: Int[Tensor, "*B"]) -> Float[Tensor, "*B H"]:
        """What head i + 1 hears, when head i heard h and chose `part`."""
        return torch.tanh(self.mix[i](h) + self.told[i](part))

    def choose(self, h: Float[Tensor, "B H"], pick: Pick = sample) -> Int[Tensor, "B *P"]:
        """Write an action, part after part, each picked from its logits; (B,), or (B, P) for P > 1 parts."""
        parts: list[Tensor] = []
        for i, head in enumerate(self.heads):
            h = self.after(h, i - 1, parts[-1]) if i else h
            parts.append(pick(head(h)))
        return parts[0] if len(parts) == 1 else torch.stack(parts, -1)

    def judge(
        self, h: Float[Tensor, "B T H"], a: Int[Tensor, "B T *P"]
    ) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"], Float[Tensor, "B T"]]:
        """log p(a | h), how uncertain the choice was (its entropy in nats), and the value of the moment.

        The entropy of the parts after the first is that of the choice which the parts before it left, so it
        is right on average over a.
        """
        logp = entropy = 0
        parts = a[..., None].unbind(-1) if len(self.sizes) == 1 else a.unbind(-1)
        value = self.W_v(h)[..., 0]
        for i, (head, part) in enumerate(zip(self.heads, parts)):
            h = self.after(h, i - 1, parts[i - 1]) if i else h
            scores = head(h).log_softmax(-1)
            logp = logp + scores.gather(-1, part[..., None])[..., 0]
            entropy = entropy - (scores.exp() * scores).sum(-1)
        return logp, entropy, value


class Memoryless(Core):
    """A core that keeps nothing, h_t = tanh(W a_t + b): a policy on it acts by what it sees now only."""

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.inputs, self.hidden = inputs, hidden
        self.W = nn.Linear(inputs, hidden)

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T H"], State]:
        """h of each input alone; the state stays None."""
        return torch.tanh(self.W(a)), state


class Episode(NamedTuple):
    """What B players saw, did and got in T steps. After a player's end, `alive` is False and `reward` 0."""

    x: Tensor  # (B, T) or (B, T, D)
    a: Int[Tensor, "B T *P"]
    reward: Float[Tensor, "B T"]
    alive: Bool[Tensor, "B T"]


@torch.no_grad()
def play(policy: Policy, world: Any, pick: Pick = sample, seed: int | None = None) -> Episode:
    """Act in the world until all of it is over: generation, but the world writes every other symbol.

    In `generate.continuation` the picked symbol is what is read next. Here it goes into the world, and what
    the world shows then is read next. That is all the difference between a sampler and a policy.
    """
    (x, _), state, steps = world.reset(seed), None, []
    while (alive := ~world.over).any():
        h, state = policy.read(x[:, None], state)
        a = policy.choose(h[:, -1], pick)
        seen, (x, reward, *_) = x, world.step(a)
        steps.append((seen, a, reward, alive))
    return Episode(*(torch.stack(column, 1) for column in zip(*steps)))


def returns_to_go(reward: Float[Tensor, "B T"], gamma: float | int = 1.0) -> Float[Tensor, "B T"]:
    """What is still to come: R_t = r_t + gamma R_{t+1}. An action is judged by what follows it, only."""
    R, out = reward.new_zeros(len(reward)), []
    for r in reversed(reward.unbind(1)):
        R = r + gamma * R
        out.append(R)
    return torch.stack(out[::-1], 1) if out else reward


def advantages(
    reward: Float[Tensor, "B T"],
    value: Float[Tensor, "B T"],
    gamma: float | int = 1.0,
    lam: float | int = 1.0,
) -> Float[Tensor, "B T"]:
    """How much better than expected each step turned out (GAE: Schulman et al., 2016, arXiv 1506.02438).

    The surprise of one step is r_t + gamma v_{t+1} - v_t; an advantage sums up the surprises from t on, each
    later one counting gamma lam times less. lam = 1 compares the whole return with v_t; lam = 0 trusts the
    values. The value is 0 where the world is over; running out of time is an end like any other.
    """
    after = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], 1)[:, : value.shape[1]]
    return returns_to_go(reward + gamma * after - value, gamma * lam)


def policy_gradient(logp: Float[Tensor, "B T"], gain: Float[Tensor, "B T"]) -> Float[Tensor, ""]:
    """REINFORCE (Williams, 1992): the loss whose gradient is, on average, that of minus the expected return.

    Each choice is made likelier by as much as it gained: - sum_t gain_t log p(a_t | x_1 ... x_t), the mean
    over the episodes. It is the loss of chapter 4 on what the policy itself wrote, weighted by the reward.
    """
    return -(logp * gain.detach()).sum() / len(logp)


def clipped(
    logp: Float[Tensor, "B T"], old: Float[Tensor, "B T"], gain: Float[Tensor, "B T"], clip: float = 0.2
) -> Float[Tensor, ""]:
    """PPO (Schulman et al., 2017, arXiv 1707.06347): REINFORCE that may learn from an episode several times.

    `old` is log p(a) when the episode was played. No choice is pushed further once it is 1 + clip times as
    likely as then, or pushed back further below 1 - clip. At the first step it is `policy_gradient`.
    """
    ratio = (logp - old.detach()).exp()
    worst = torch.minimum(ratio * gain.detach(), ratio.clamp(1 - clip, 1 + clip) * gain.detach())
    return -worst.sum() / len(logp)
