"""Our policies in a T-maze beside sb3-contrib's RecurrentPPO: `python benchmarks/tmaze.py` (ten minutes).

The maze is one and the same: ours steps many at once as tensors, the peer's is plain Python for one agent, as
its library wants it (and this file checks that both tell the same story). The peer learns with the settings
that solved length 10 soonest of the five we tried: one LSTM of 64 for policy and value, 64 environments, 64
steps between updates, 4 epochs, batches of 1,024, learning rate 3e-3, entropy 0.01. Its defaults (two LSTMs
of 256, 10 epochs) are about thirty times slower.

Rules: CPU seconds of this process, one thread, so a budget of 30 s on 2 cores is 60 here. Steps per second
count playing and learning, the best of five repetitions in which the contenders take turns. A maze is
solved when the likeliest actions are paid 0.95 or more on average (for the peer: when its last 100 episodes,
in which it still tries things, were paid 0.9 or more, which comes a little sooner or later). Without memory
nobody is paid more than 0.5.
"""

import argparse
import importlib.metadata
import os
import time
from functools import partial
from itertools import islice

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled.gru import GRUCore  # noqa: E402
from unrolled.plays import learn, plays  # noqa: E402
from unrolled.policy import Policy  # noqa: E402
from unrolled.trainings import maze  # noqa: E402
from unrolled.worlds import TMaze  # noqa: E402

try:
    import gymnasium
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
except ImportError:
    RecurrentPPO = None

NETWORK = {"lstm_hidden_size": 64, "net_arch": [], "enable_critic_lstm": False, "shared_lstm": True}
SETTINGS = {"n_steps": 64, "n_epochs": 4, "batch_size": 1024, "learning_rate": 3e-3, "ent_coef": 0.01}


if RecurrentPPO:

    class Plain(gymnasium.Env):
        """The maze in plain Python."""

        observation_space, action_space = gymnasium.spaces.Discrete(4), gymnasium.spaces.Discrete(3)

        def __init__(self, length):
            self.resize(length)

        def resize(self, length):
            self.length, self.limit = length, 3 * length + 10

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.cue, self.at, self.time = int(self.np_random.integers(2)), 0, 0
            return self.cue, {}

        def step(self, a):
            turn, there = int(a) != 2, self.at == self.length
            ended = turn and there
            self.time += 1
            self.at += not turn and not there
            reward = float(ended and int(a) == self.cue) - 0.1 * (turn != there)
            seen = 3 if self.at == self.length else 2
            return seen, reward, ended, not ended and self.time >= self.limit, {}

    class Until(BaseCallback):
        """Stop when solved or out of time; with `target`, let the maze grow as ours does."""

        def __init__(self, seconds, length, target):
            super().__init__()
            self.seconds, self.length, self.target = seconds, length, target
            self.start, self.solved = time.process_time(), 0

        def spent(self):
            return time.process_time() - self.start

        def _on_step(self):
            last = [e["r"] for e in self.model.ep_info_buffer or ()]
            if len(last) == 100 and sum(last) >= 90:
                self.solved = self.length
                self.length = min(self.target, -(-self.length * 3 // 2))
                self.training_env.env_method("resize", self.length)
                self.model.ep_info_buffer.clear()
            return self.spent() < self.seconds and self.solved < self.target


def peer(length, seed=0, defaults=False):
    if defaults:
        return RecurrentPPO("MlpLstmPolicy", make_vec_env(partial(Plain, length), 8, seed=seed), seed=seed)
    envs = make_vec_env(partial(Plain, length), 64, seed=seed)
    return RecurrentPPO("MlpLstmPolicy", envs, seed=seed, policy_kwargs=NETWORK, device="cpu", **SETTINGS)


def same_story(length=4, rounds=20):
    """The plain maze and ours agree on every step of random lives."""
    chance = torch.Generator().manual_seed(0)
    for seed in range(rounds):
        plain, ours = Plain(length), TMaze(length)
        cue, _ = plain.reset(seed=seed)
        assert cue == ours.reset(options={"cue": torch.tensor([cue])})[0].item()
        over = False
        while not over:
            a = torch.randint(3, (1,), generator=chance)
            theirs, mine = plain.step(a.item())[:4], [t.item() for t in ours.step(a)[:4]]
            assert abs(theirs[1] - mine[1]) < 1e-6 and [*theirs[:1], *theirs[2:]] == [*mine[:1], *mine[2:]]
            over = theirs[2] or theirs[3]


def player(hidden, batch, length):
    """A training of ours that can be asked for so many updates more; it returns the steps lived through."""
    torch.manual_seed(0)
    policy = Policy(GRUCore(8, hidden, fused=True), 3, 4)
    source = plays(policy, TMaze(length, batch))
    steps = learn(policy, source, 1e-2)

    def more(updates=80):
        before = source.frames
        for _ in islice(steps, updates):
            pass
        return source.frames - before

    return more


def their_player(model):
    def more(rollouts=2):
        steps = model.n_steps * model.n_envs * rollouts
        model.learn(steps, reset_num_timesteps=False)
        return steps

    return more


def speeds(length=10, repetitions=5):
    """Steps a CPU second of each contender, the best of the repetitions in which they take turns."""
    work = {f"ours, GRU of {h}, {b} worlds": player(h, b, length)
            for h, b in ((32, 64), (64, 64), (32, 1024), (64, 1024))}
    if RecurrentPPO:
        work["RecurrentPPO, its best settings here, 64 environments"] = their_player(peer(length))
        work["RecurrentPPO, defaults, 8 environments"] = partial(their_player(peer(length, defaults=True)), 1)
    best = dict.fromkeys(work, 0.0)
    for _ in range(repetitions):
        for name, more in work.items():
            start = time.process_time()
            best[name] = max(best[name], more() / (time.process_time() - start))
    return best


def ours(length, seconds, seed=0, grow=1.0):
    given = f"--length {length} --seconds {seconds} --seed {seed} --grow {grow}".split()
    _, r = maze.train(maze.arguments(given))
    reached = length if r["solved"] else max([0, *(int(n) for n, *_ in r["course"])])
    return reached, r["used_seconds"], r["frames"]


def theirs(length, seconds, first=None):
    until = Until(seconds, first or length, length)
    model = peer(first or length)
    model.learn(10**9, callback=until)
    return until.solved, until.spent(), model.num_timesteps


def line(who, length, runs):
    """A row: solved in how many seconds, each run's."""
    cells = [f"{spent:.1f}" if solved >= length else f"not in {spent:.0f} (mastered: {solved or 'none'})"
             for solved, spent, _ in runs]
    print(f"| {who} | {length:,} | {', '.join(cells)} | {max(frames for *_, frames in runs):,} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--longest", type=int, default=10_000, help="the corridor to grow to, in 180 CPU-s")
    parser.add_argument("--seeds", type=int, default=3, help="runs of ours at each fixed length")
    o = parser.parse_args()
    torch.set_num_threads(1)
    version = importlib.metadata.version("sb3-contrib") if RecurrentPPO else "missing: left out"
    print(f"torch {torch.__version__}, CPU, one thread; sb3-contrib {version}\n")
    best = speeds()
    base = best.get("RecurrentPPO, its best settings here, 64 environments")
    print("| length 10, playing and learning, 4 epochs | steps/s | x peer |\n|---|---|---|")
    for name, speed in best.items():
        print(f"| {name} | {speed:,.0f} | {f'{speed / base:.1f}' if base else ''} |")
    print("\n| who | length | CPU seconds until solved | steps lived, at most |\n|---|---|---|---|")
    for length, seconds in ((10, 60), (50, 60), (200, 180)):
        line("ours", length, [ours(length, seconds, seed) for seed in range(o.seeds)])
    for length in (1000, o.longest):
        line("ours, growing maze", length, [ours(length, 180, 0, grow=1.5)])
    if RecurrentPPO:
        same_story()
        for length in (10, 50):
            line("RecurrentPPO", length, [theirs(length, 60)])
        line("RecurrentPPO, growing maze", 1000, [theirs(1000, 180, first=10)])


if __name__ == "__main__":
    main()
