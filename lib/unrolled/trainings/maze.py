"""How long a T-maze can a recurrent policy solve? `python -m unrolled.trainings.maze --help`.

    python -m unrolled.trainings.maze --length 1000 --save maze.safetensors --out maze.json
    python -m unrolled.trainings.maze --table --length 100 --hidden 16 --seconds 20

With `--grow 1.5` (the default) the corridor is short at first, and half as long again whenever the policy
has mastered it, up to `--length`; with `--grow 1` it has its full length from the start. The maze counts as
solved when 500 new corridors of full length, walked by the likeliest actions, pay 0.95 or more on average;
without memory nobody gets more than 0.5. A run that was stopped goes on where it was, if it has the same
--save. It runs where `runtime.device` says, so on a GPU where there is one.

With `--table` each core is trained so, and a policy without memory beside them. What they are paid in
corridors of other lengths becomes the record `maze_by_length`; two of them are kept, with 16 bits a weight,
as the policies that walk in chapter 13.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import init, records, runtime
from ..checkpoint import load, save
from ..generate import greedy
from ..gru import GRUCore
from ..lstm import LSTMCore
from ..model import Core, parameter_count, reading
from ..plays import learn, plays
from ..policy import Episode, Memoryless, Policy, play
from ..runs import Run
from ..shapes import Tensor
from ..ssm import SSMCore
from ..worlds import TMaze

FIRST, MASTERED, SOLVED = 10, 0.9, 0.95  # the first corridor; the return that makes it grow, and that will do
COMMAND = "python -m unrolled.trainings.maze"
TRAINED = Path(__file__).parent.parent / "live_models" / "maze_walkers.safetensors"
LENGTHS = (10, 100, 400, 1600)  # the corridors of the table
KEPT = ("gru", "none")  # the policies that walk in the book


def gated(kind: Callable[..., Core], hidden: int, longest: int) -> Core:
    """An LSTM or a GRU with memories of 2 to `longest` steps to begin with."""
    core = kind(8, hidden, fused=True)
    init.chrono(core, longest)
    return core


CORES = {
    "gru": partial(gated, GRUCore),
    "lstm": partial(gated, LSTMCore),
    "mingru": lambda hidden, longest: SSMCore(8, hidden, 1, longest=longest),
    "none": lambda hidden, longest: Memoryless(8, hidden),
}


class growing(plays):
    """Episodes in a maze that grows by `factor`, up to `length`, whenever it has been mastered.

    `course` tells for each length that was mastered: the length, the steps lived by then, and the seconds.
    """

    def __init__(self, policy: Policy, world: TMaze, length: int, factor: float, clock: Callable[[], float]):
        super().__init__(policy, world)
        self.length, self.factor, self.clock = length, factor, clock
        self.course: list[list[float]] = []

    def _play(self) -> Episode:
        if self.score > MASTERED and self.world.length < self.length:
            self.course.append([self.world.length, self.frames, round(self.clock(), 1)])
            self.world.resize(min(self.length, math.ceil(self.world.length * self.factor)))
        return super()._play()

    def ready(self) -> bool:
        """Whether the corridor has its full length, and it is time to look how good the policy is."""
        return self.turn % self.epochs == 0 and self.world.length == self.length and self.score > MASTERED

    def state_dict(self) -> dict[str, Tensor]:
        """Where the playing stands, the corridor's length and the seconds spent among it."""
        here = torch.tensor([self.world.length, self.clock()], dtype=torch.float64)
        course = torch.tensor(self.course, dtype=torch.float64).view(-1, 3)
        return super().state_dict() | {"here": here, "course": course}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken; the clock goes on too."""
        super().load_state_dict(tensors)
        length, spent = tensors["here"].tolist()
        self.world.resize(int(length))
        self.course, clock = tensors["course"].tolist(), self.clock
        self.clock = lambda: clock() + spent


def stopwatch(device: torch.device) -> Callable[[], float]:
    """Seconds from now on: of this processor's work, or of the wall clock where a GPU does it."""
    watch = time.process_time if device.type == "cpu" else time.perf_counter
    start = watch()
    return lambda: watch() - start


def mean_return(policy: Policy, length: int, n: int = 500, seed: int = 1) -> float:
    """What n new mazes of this length pay on average, walked by the likeliest actions."""
    world = TMaze(length, n, device=policy.W_v.weight.device)
    with reading(policy):
        return play(policy, world, greedy, seed).reward.sum(1).mean().item()


def solve(run: Run, source: growing, seconds: float, save: str | None) -> float | None:
    """Learn until the maze is solved or the time is over; what it pays then, or None if it was not solved."""
    for step in learn(run.model, source, optimiser=run.optimiser):
        run.losses.append(step.loss)
        if step.index % 100 == 99 and save:
            run.keep(save)
        if source.ready() and (paid := mean_return(run.model, source.length)) >= SOLVED:
            return paid
        if source.clock() > seconds:
            return None


def fresh(core: str, hidden: int, length: int) -> Policy:
    """A policy that has learned nothing yet, with memories about as long as the corridor."""
    return Policy(CORES[core](hidden, 2 * length + 1), 3, 4)


def train(a: argparse.Namespace) -> tuple[Policy, dict[str, Any]]:
    """One training; returns the policy, what it was, and what came out."""
    runtime.start(a.seed)
    device = runtime.device()
    policy = fresh(a.core, a.hidden, a.length).to(device)
    world = TMaze(min(FIRST, a.length) if a.grow > 1 else a.length, a.batch, device=device)
    source = growing(policy, world, a.length, a.grow, stopwatch(device))
    run = Run(policy, source, None, a.lr)
    run.facts = {name: getattr(a, name) for name in ("core", "length", "grow", "hidden", "batch", "seed")}
    if a.save and Path(a.save).exists():
        run.load(a.save)
    paid = solve(run, source, a.seconds, a.save)
    if a.save:
        run.keep(a.save)
    return policy, {
        "command": COMMAND, **vars(a), "parameters": parameter_count(policy), "device": records.device(),
        "date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "solved": paid is not None,
        "mean_return": paid, "best_without_memory": 0.5, "reached": world.length, "frames": source.frames,
        "updates": source.turn, "used_seconds": round(source.clock(), 1), "course": source.course,
    }  # fmt: skip


def table(a: argparse.Namespace, lengths: Sequence[int] = LENGTHS) -> list[list[Any]]:
    """Train all cores, keep two of the policies, and tell what each is paid in corridors of other lengths."""
    rows, kept, facts = [], {}, {}
    for core in CORES:
        policy, r = train(argparse.Namespace(**vars(a) | {"core": core}))
        policy.load_state_dict({name: t.half().float() for name, t in policy.state_dict().items()})
        paid = [round(mean_return(policy, n), 3) for n in lengths]
        rows.append([core, r["parameters"], r["reached"], r["frames"], *paid])
        print(*rows[-1], flush=True)
        if core in KEPT:
            kept[core] = policy
            facts[core] = {k: r[k] for k in ("reached", "frames", "used_seconds", "parameters", "updates")}
    facts |= {"length": a.length, "hidden": a.hidden, "seed": a.seed, "device": records.device()}
    save(a.out or TRAINED, nn.ModuleDict(kept).half(), command=f"{COMMAND} --table", **facts)
    return rows


def trained(path: str | Path = TRAINED) -> tuple[dict[str, Policy], dict[str, Any]]:
    """The policies that the table kept, "gru" and "none", and the facts of their training."""
    tensors, facts = load(path)
    kept = nn.ModuleDict({core: fresh(core, facts["hidden"], facts["length"]) for core in KEPT})
    kept.load_state_dict({name: t.float() for name, t in tensors.items()})
    return dict(kept.eval().items()), facts


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--core", choices=CORES, default="gru")
    for name, default in {"length": 200, "batch": 64, "hidden": 32, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--grow", type=float, default=1.5, help="how much longer a mastered corridor becomes")
    parser.add_argument("--lr", type=float, default=1e-2, help="learning rate; default: 1e-2")
    parser.add_argument("--seconds", type=float, default=180.0, help="of the processor; with a GPU by clock")
    parser.add_argument("--table", action="store_true", help="train all cores, and write the book's record")
    parser.add_argument("--save", help="x.safetensors: where the training is kept, and taken up again")
    parser.add_argument("--out", help="x.json: where the result is written; of a table, its policies")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> dict[str, Any]:
    """Train as the command line says, print the result, and write it where --out says."""
    a = arguments(given)
    if a.table:
        columns = ["core", "parameters", "reached", "steps lived", *map(str, LENGTHS)]
        title = f"Mean return by the corridor's length, {a.hidden} numbers of state, trained up to {a.length}"
        said = f"{COMMAND} --table --length {a.length} --hidden {a.hidden} --seconds {a.seconds:g}"
        return records.make("maze_by_length", title, columns, lambda _: table(a), said, a.seed)._asdict()
    _, result = train(a)
    text = json.dumps(result, indent=1)
    if a.out:
        Path(a.out).write_text(text + "\n", encoding="utf-8")
    print(text)
    return result


if __name__ == "__main__":
    main()
