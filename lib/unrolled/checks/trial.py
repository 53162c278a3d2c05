"""One trial: a seeded case, what the reference makes of it, and what the learner's function makes of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .compare import Leaf, clone, leaves
from .sandbox import Broken, Outcome, call


class Again(Exception):
    """The learner's function broke when a property called it once more; it carries the Broken."""

    def __init__(self, broken: Broken):
        super().__init__(str(broken))
        self.broken = broken


class Trial(NamedTuple):
    """One case and its outcome. `after` holds the arguments as the call left them."""

    exercise: Any
    function: Callable[..., Any]
    index: int
    case: dict[str, Any]
    expected: Any
    outcome: Outcome
    after: list[Any]

    @property
    def got(self) -> Any:
        """What the learner's function returned."""
        return self.outcome.value

    def call(self, **changed: Any) -> Any:
        """The learner's answer to this case with some arguments changed; raises Again where it breaks."""
        arguments = {**self.case, **changed}
        return self.run([v if k in changed else clone(v) for k, v in arguments.items()])

    def run(self, arguments: list[Any]) -> Any:
        """The learner's answer to these arguments, handed over as they are; raises Again where it breaks."""
        outcome = call(self.function, arguments, self.exercise.observe_with(self.case))
        if outcome.broken:
            raise Again(outcome.broken)
        return outcome.value

    def sizes(self) -> dict[str, int]:
        """Named sizes of this case: axis letters from `exercise.axes`, and whole-number arguments."""
        found = {k: v for k, v in self.case.items() if type(v) is int}
        shapes = {k: v.shape for k, v in self.case.items() if isinstance(v, torch.Tensor)}
        for name, shape in shapes.items():
            letters = self.exercise.axes.get(name, "").split()
            found.update(zip(letters, shape))
        for part, leaf in zip(self.letters(), leaves(self.expected)):
            found.update(zip(part, getattr(leaf.value, "shape", ())))
        return found

    def parts(self) -> list[tuple[str, Leaf, Leaf]]:
        """(name, expected, got) of each part, named as in the signature; nothing where the numbers differ."""
        want, have = leaves(self.expected), leaves(self.got)
        if len(want) != len(have):
            return []
        names = [n.strip() for n in self.exercise.signature.partition("->")[2].split(",")]
        if len(names) != len(want):
            names = [w.place for w in want]
        return list(zip(names if len(want) > 1 else [""], want, have))

    def letters(self) -> list[list[str]]:
        """The axis letters of each part of the answer; empty lists where the author gave none."""
        parts = [p.split() for p in self.exercise.axes.get("return", "").split(",")]
        return parts + [[]] * (len(leaves(self.expected)) - len(parts))


class Property(NamedTuple):
    """A named demand. `test(trial)` returns None where it is met, else what was seen, in a sentence."""

    name: str
    test: Callable[[Trial], str | None]


class Failure(NamedTuple):
    """The first demand that was not met: which, on which trial, and what was seen."""

    place: int
    name: str
    trial: Trial
    message: str


def first_failure(
    trials: list[Trial], demands: list[Property], done: list[str] | None = None
) -> Failure | None:
    """Go through the demands in order, each over all trials from small to large; stop at the first unmet one.

    The names of the demands that were met are added to `done`, which survives a TimeUp.
    """
    for place, demand in enumerate(demands):
        found = next(((t, message) for t in trials if (message := _seen(demand, t))), None)
        if found:
            return Failure(place, demand.name, *found)
        if done is not None:
            done.append(demand.name)
    return None


def _seen(demand: Property, trial: Trial) -> str | None:
    try:
        return demand.test(trial)
    except Again as again:
        return f"called once more for this, {again.broken}"
