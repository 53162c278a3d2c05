"""One trial: a seeded case, what the reference makes of it, and what the learner's function makes of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .compare import Leaf, beside, clone, leaves
from .sandbox import Broken, Outcome, broken, call


class Again(Exception):
    """The learner's function broke when a property called it once more; it carries the Broken."""

    def __init__(self, broken: Broken):
        super().__init__(str(broken))
        self.broken = broken


class Hindered(Exception):
    """A property could not be looked at, for a reason that lies in the answer; it carries the sentence."""


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
        """(name, expected, got) of each part, named as in the signature; nothing where nesting differs."""
        both = beside(self.expected, self.got) or []
        names = self.names(len(both)) or [want.place for want, _ in both]
        return [(name, *pair) for name, pair in zip(names if len(both) > 1 else [""], both)]

    def names(self, parts: int) -> list[str]:
        """What the signature calls so many parts of the answer; nothing where it names more or fewer."""
        found = [n.strip() for n in self.exercise.signature.partition("->")[2].split(",")]
        return found if len(found) == parts else []

    def letters(self) -> list[list[str]]:
        """The axis letters of each part of the answer; empty lists where the author gave none."""
        parts = [p.split() for p in self.exercise.axes.get("return", "").split(",")]
        return parts + [[]] * (len(leaves(self.expected)) - len(parts))


class Property(NamedTuple):
    """A named demand. `test(trial)` returns None where it is met, else what was seen, in a sentence."""

    name: str
    test: Callable[[Trial], str | None]


class Failure(NamedTuple):
    """The first unmet demand: which, on which trial, what was seen, and whether its test broke over that."""

    place: int
    name: str
    trial: Trial
    message: str
    broke: bool = False


def first_failure(
    trials: list[Trial], demands: list[Property], done: list[str] | None = None
) -> Failure | None:
    """Go through the demands in order, each over all trials from small to large; stop at the first unmet one.

    The names of the demands that were met are added to `done`, which survives a TimeUp.
    """
    for place, demand in enumerate(demands):
        found = next(((t, seen) for t in trials if (seen := _seen(demand, t))), None)
        if found:
            trial, (message, broke) = found
            return Failure(place, demand.name, trial, message, broke)
        if done is not None:
            done.append(demand.name)
    return None


def _seen(demand: Property, trial: Trial) -> tuple[str, bool] | None:
    """What was seen of an unmet demand, and if its test broke; None where the demand is met."""
    try:
        message = demand.test(trial)
        return (message, False) if message else None
    except Again as again:
        return f"called once more for this, {again.broken}", True
    except Exception as error:
        if _breaks_anyhow(demand, trial):
            raise
        said = broken(error, trial.function)
        other = f"this cannot be tested on your answer ({said.error}: {said.message})"
        return str(error) if isinstance(error, Hindered) else other, True


def _breaks_anyhow(demand: Property, trial: Trial) -> bool:
    """Whether the test breaks over the reference, too: then it is at fault, and not the answer."""
    try:
        demand.test(trial.exercise.again(trial.exercise.model, trial))
    except Exception:
        return True
    return False
