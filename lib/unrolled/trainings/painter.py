"""A policy that copies drawings, stroke by stroke: `python -m unrolled.trainings.painter` (three minutes).

Each drawing of `canvas.Canvas` is a few strokes by chance, and the policy has as many actions as were needed
to make it. It is built as AlphaStar is, in small: an encoder for the two pictures, one for the pen, an LSTM,
and two heads, of which the second hears what the first one chose. It learns by PPO alone: nobody shows it
how to draw. Chapter 13 loads the result, with 16 bits a weight. With `--memoryless` another one is trained
without an LSTM, and the record `painter_memory` compares them.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import records, runtime
from ..canvas import Canvas
from ..checkpoint import load, save
from ..generate import greedy
from ..lstm import LSTMCore
from ..model import parameter_count, reading
from ..plays import learn, plays
from ..policy import Memoryless, Policy, play
from ..shapes import Float, Tensor

COMMAND = "python -m unrolled.trainings.painter"
TRAINED = Path(__file__).parent.parent / "live_models" / "painter.safetensors"


class Eyes(nn.Module):
    """Two encoders: one looks at canvas and target as pictures, the other knows where the pen is."""

    def __init__(self, size: int, outputs: int):
        super().__init__()
        self.size = size
        self.picture = nn.Conv2d(2, 8, 3, padding=1)
        self.whole = nn.Linear(8 * size**2, outputs)
        self.pen = nn.Linear(size**2, outputs, bias=False)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T O"]:
        """What the core is told about each observation."""
        pictures, pen = x.split([2 * self.size**2, self.size**2], -1)
        seen = self.picture(pictures.reshape(-1, 2, self.size, self.size)).relu()
        return (self.whole(seen.view(*x.shape[:2], -1)) + self.pen(pen)).relu()


def fresh(size: int, hidden: int, memory: bool = True) -> Policy:
    """A painter that has never drawn: Eyes, an LSTM, and the heads for the pen and for the place."""
    core = LSTMCore(hidden, hidden, fused=True) if memory else Memoryless(hidden, hidden)
    return Policy(core, (2, size**2), Eyes(size, hidden))


def likeness(policy: Policy, size: int, limit: int, n: int = 500, seed: int = 1) -> float:
    """How much n new drawings, made by the likeliest actions, are like their targets, on average."""
    with reading(policy):
        return play(policy, Canvas(size, n, limit), greedy, seed).reward.sum(1).mean().item()


@torch.no_grad()
def forgetful(policy: Policy, size: int, limit: int, n: int = 500, seed: int = 1) -> float:
    """The same for a painter whose state is thrown away before each stroke."""
    world, total = Canvas(size, n, limit), 0.0
    x, _ = world.reset(seed)
    for _ in range(limit):
        h, _ = policy.read(x[:, None])
        x, reward, *_ = world.step(policy.choose(h[:, -1], greedy))
        total += reward.mean().item()
    return total


def train(a: argparse.Namespace) -> tuple[Policy, dict[str, Any]]:
    """Play and learn so many updates, with ever smaller steps; the painter, and how it went."""
    runtime.start(a.seed)
    policy, start, course = fresh(a.size, a.hidden, not a.memoryless), time.process_time(), []
    before = likeness(policy, a.size, a.limit)
    source = plays(policy, Canvas(a.size, a.batch, a.limit), gamma=1, entropy=0.005)
    for step in islice(learn(policy, source, lambda i: a.lr * max(0.05, 1 - i / a.updates)), a.updates):
        if step.index % 100 == 0:
            course.append([step.frames, round(step.score, 3)])
    policy.load_state_dict({name: t.half().float() for name, t in policy.state_dict().items()})
    facts = {k: getattr(a, k) for k in ("size", "limit", "hidden", "batch", "updates", "seed")}
    return policy, facts | {
        "cpu_seconds": round(time.process_time() - start), "device": records.device(), "course": course,
        "before": before, "likeness": likeness(policy, a.size, a.limit), "frames": source.frames,
        "parameters": parameter_count(policy),
    }  # fmt: skip


def trained(path: str | Path = TRAINED) -> tuple[Policy, dict[str, Any]]:
    """The painter that the command saved, and the facts of its training."""
    tensors, facts = load(path)
    policy = fresh(facts["size"], facts["hidden"])
    policy.load_state_dict({name: t.float() for name, t in tensors.items()})
    return policy.eval(), facts


def compared(a: argparse.Namespace) -> list[list[Any]]:
    """The book's painter, the same without its state, and one that was trained without any."""
    policy, facts = trained()
    size, limit, updates = (facts[k] for k in ("size", "limit", "updates"))
    alike = {k: facts[k] for k in ("size", "limit", "hidden", "batch")}
    other, _ = train(argparse.Namespace(**vars(a) | alike))
    return [
        ["LSTM", parameter_count(policy), updates, likeness(policy, size, limit)],
        ["LSTM, its state thrown away before each stroke", parameter_count(policy), updates,
         forgetful(policy, size, limit)],
        ["memoryless from the start", parameter_count(other), a.updates, likeness(other, size, limit)],
    ]  # fmt: skip


def main(given: Sequence[str] | None = None) -> dict[str, Any]:
    """The command: learn, say how good it is, save."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__.split("\n")[0])
    defaults = {"size": 6, "limit": 4, "hidden": 96, "batch": 256, "seed": 0, "updates": 6000}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--lr", type=float, default=3e-3, help="learning rate at first; default: 3e-3")
    parser.add_argument("--out", default=str(TRAINED), help="where the painter goes")
    parser.add_argument("--memoryless", action="store_true", help="compare with one without memory: a record")
    a = parser.parse_args(given)
    if a.memoryless:
        columns = ["painter", "parameters", "updates", "likeness to 500 new drawings"]
        title, said = "What a painter's memory is worth", f"{COMMAND} --memoryless"
        print(made := records.make("painter_memory", title, columns, lambda _: compared(a), said, a.seed))
        return made._asdict()
    policy, facts = train(a)
    save(a.out, policy.half(), command=COMMAND, **facts)
    print(f"likeness to 500 new drawings: {facts['before']:.3f} before, {facts['likeness']:.3f} after")
    return facts


if __name__ == "__main__":
    main()
