"""From a wrong result to its reason: the known wrong answers of the exercise.

A known wrong answer runs on the same seeded cases. Where it gives what the learner's function gives, and is
refused for the same reason, its hint is the one to show. Who made two mistakes at once does so in some cases
only: then the verdict says in how many.
"""

from collections.abc import Callable, Iterator
from typing import Any

from .compare import same
from .sandbox import Outcome
from .trial import Failure, Trial, first_failure


def known(exercise: Any, trials: list[Trial], failure: Failure) -> tuple[str, str] | None:
    """(name, hint) of the known wrong answer that does the same on every case, or None."""
    for name, (wrong, hint) in exercise.wrong.items():
        theirs = list(_while_alike(exercise, wrong, trials))
        found = first_failure(theirs, exercise.demands()) if len(theirs) == len(trials) else None
        if found and (found.name, found.broke) == (failure.name, failure.broke):
            return name, hint
    return None


def mostly(exercise: Any, trials: list[Trial], failure: Failure) -> tuple[str, str, str] | None:
    """(name, hint, "2 of the 3") of the known wrong answer that does the same in most of the wrong cases.

    The case that is shown is among them, and one more at least.
    """
    missed = [t for t in trials if not (t.outcome.broken or same(t.expected, t.got, strict=False))]
    best = None
    for name, (wrong, hint) in exercise.wrong.items():
        alikes = [t.index for t in missed if alike(exercise.again(wrong, t).outcome, t.outcome)]
        if failure.trial.index in alikes and len(alikes) > max(1, len(missed) / 2, best[0] if best else 0):
            best = len(alikes), name, hint
    return best and (best[1], best[2], f"{best[0]} of the {len(missed)}")


def _while_alike(exercise: Any, wrong: Callable[..., Any], trials: list[Trial]) -> Iterator[Trial]:
    """The wrong answer's trials, up to the first on which it does something else than the learner's."""
    for trial in trials:
        theirs = exercise.again(wrong, trial)
        if not alike(theirs.outcome, trial.outcome):
            return
        yield theirs


def alike(a: Outcome, b: Outcome) -> bool:
    """Two outcomes are the same: equal values, of whatever dtype, or the same error with the same message."""
    if a.broken or b.broken:
        return bool(a.broken and b.broken and a.broken[:2] == b.broken[:2])
    return same(a.value, b.value, strict=False)
