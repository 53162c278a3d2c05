"""The author's object: everything there is to say about one exercise, in one place.

A wrong answer does double duty. It tests the check (it must be refused, and named as itself), and at run time
it is the diagnosis: a learner whose function does the same on the seeded cases reads its hint.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from . import attempt, gradients
from .compare import clone, describe, same
from .diagnose import known, mostly
from .guards import BEFORE, SHAPE, values
from .heat import Picture, heat
from .nearmiss import near
from .page import Block
from .sandbox import Outcome, TimeUp, call, steady, time_limit
from .sheet import Sheet
from .trial import Failure, Property, Trial, first_failure
from .verdict import Verdict

_SOLVE_ON = "Until then `verdict.use` is the course's own function, so the chapter runs on without it."


@dataclass(kw_only=True)
class Exercise(Sheet):
    """An exercise whose answer is a function.

    - worked: the solution that learners may look at, a function named as the exercise; also the reference
      unless `reference` gives one, which should be THE function of the library where there is one;
    - cases(g, i): the arguments of case i, by name, drawn from the generator g; case 0 is the smallest;
    - properties: named demands beyond "equals the reference"; each must be the one that refuses some wrong
      answer. `early` ones are looked at before shapes are, where what they say is more to the point;
    - right: {name: other functions that must pass}; wrong: {name: (function, hint)}, refused and named;
    - grads: the arguments that a gradient must reach; axes: their axis letters, and those of "return";
    - observe(answer, **case): turns an answer that cannot be compared (functions) into one that can;
    - both_shown: whether a verdict prints what was expected and what came, where they are small.
    """

    worked: Callable[..., Any]
    cases: Callable[[torch.Generator, int], dict[str, Any]]
    wrong: dict[str, tuple[Callable[..., Any], str]]
    right: dict[str, Callable[..., Any]]
    early: tuple[Property, ...] = ()
    properties: tuple[Property, ...] = ()
    reference: Callable[..., Any] | None = None
    grads: tuple[str, ...] = ()
    axes: dict[str, str] = field(default_factory=dict)
    picture: Picture | None = None
    observe: Callable[..., Any] | None = None
    both_shown: bool = True
    count: int = 4
    seconds: float = 5.0

    def __call__(self, answer: Any = None) -> Verdict:
        """Judge the answer, show the verdict, and return it. Never raises."""
        return self.judge(answer).show()

    def judge(self, answer: Any = None, seed: int = 0) -> Verdict:
        """The verdict on the answer, unshown; the seed chooses the random cases. Never raises."""
        try:
            with steady():
                return self._judge(answer, seed)
        except KeyboardInterrupt:  # the reader's own stop
            raise
        except BaseException as error:
            what = f"The check itself broke over this answer ({type(error).__name__}); please report it."
            return Verdict(self.id, "stopped", self.model, [Block("say", what)])

    @property
    def model(self) -> Callable[..., Any]:
        """The function that answers are compared with."""
        return self.reference or self.worked

    def solution_text(self) -> str:
        """The source of the worked solution, without its annotations, which would need imports."""
        lines = inspect.getsource(self.worked).splitlines()
        body = ast.parse("\n".join(lines)).body[0].body
        head = f"def {self.id}({', '.join(inspect.signature(self.worked).parameters)}):"
        return "\n".join([head, *lines[body[1].lineno - 1 - _comments_before(lines, body[1].lineno) :]])

    def demands(self) -> list[Property]:
        """All demands in the order in which they decide."""
        reach, size = gradients.demands(self.grads)
        equal = Property(f"equals the reference on {self.count} cases", values)
        return [*BEFORE, *self.early, *SHAPE, *self.properties, *reach, equal, *size]

    def trials(self, function: Callable[..., Any], seed: int = 0) -> Iterator[Trial]:
        """The function's trials on the seeded cases, one by one."""
        for i in range(self.count):
            case = self.cases(torch.Generator().manual_seed(1000 * seed + i), i)
            expected = self.observed(case, *map(clone, case.values()))
            yield self.again(function, Trial(self, function, i, case, expected, Outcome(), []))

    def again(self, function: Callable[..., Any], trial: Trial) -> Trial:
        """The same trial with another function."""
        arguments = [clone(v) for v in trial.case.values()]
        outcome = call(function, arguments, self.observe_with(trial.case))
        return trial._replace(function=function, outcome=outcome, after=arguments)

    def observed(self, case: dict[str, Any], *arguments: Any) -> Any:
        """What the reference makes of the arguments, in the form in which answers are compared."""
        look = self.observe_with(case)
        value = self.model(*arguments)
        return value if look is None else look(value)

    def observe_with(self, case: dict[str, Any]) -> Callable[[Any], Any] | None:
        """`observe` with the case filled in, or None where answers are compared as they are."""
        return None if self.observe is None else lambda value: self.observe(value, **case)

    def _judge(self, answer: Any, seed: int) -> Verdict:
        if attempt.nothing(answer):
            return self._unwritten()
        names = list(self.cases(torch.Generator().manual_seed(0), 0))
        if message := attempt.misfit(answer, names):
            return self._verdict("not yet", [Block("say", message)])
        done: list[str] = []
        try:
            with time_limit(self.seconds):
                trials = list(self.trials(answer, seed))
                stub = attempt.unwritten(answer, trials[0].outcome)
                failure = None if stub else first_failure(trials, self.demands(), done)
        except TimeUp:
            return self._time_up(done)
        if stub:
            return self._unwritten()
        return self._refused(answer, trials, failure) if failure else self._passed(answer)

    def _unwritten(self) -> Verdict:
        say = f"Write `{self.signature}` in place of the `...` and run the cell again. {_SOLVE_ON}"
        return self._verdict("not attempted", [Block("say", say)])

    def _verdict(self, status: str, blocks: list[Block], **found: Any) -> Verdict:
        use = found.pop("use", self.model)
        return Verdict(self.id, status, use, [*blocks, *self.folded_hints()], **found)

    def _passed(self, answer: Callable[..., Any]) -> Verdict:
        return Verdict(self.id, "correct", answer, [self._marks(len(self.demands())), *self.go_on()])

    def _time_up(self, done: list[str]) -> Verdict:
        say = (
            f"It was still running after {self.seconds:g} seconds, where the course's own function takes a "
            "fraction of one: is there a loop whose condition never becomes false, or one over far too much?"
        )
        return self._verdict("stopped", [self._marks(len(done), "■"), Block("say", say)])

    def _refused(self, answer: Callable[..., Any], trials: list[Trial], failure: Failure) -> Verdict:
        broken = failure.trial.outcome.broken
        match = known(self, trials, failure)
        end = "" if failure.message[-1] in ".?!" else "."
        say = [Block("lead", f"What happened: {failure.message}{end}")]
        say += self._diagnosis(match, trials, failure) + self._evidence(failure)
        say += _asides(answer, failure.trial)
        return self._verdict(
            "stopped" if broken and broken.stopped else "not yet",
            [self._marks(failure.place, "✗"), *say],
            failed=failure.name,
            looks_like=match[0] if match else "",
        )

    def _diagnosis(self, match: tuple[str, str] | None, trials: list[Trial], failure: Failure) -> list[Block]:
        """One diagnosis at most: the known wrong answer, else the near miss, else what it mostly is."""
        if match:
            return [Block("lead", f"This looks like: {match[0]}. {match[1]}")]
        if message := near(trials):
            return [Block("lead", f"A near miss: {message}")]
        if part := mostly(self, trials, failure):
            return [Block("lead", f"In {part[2]} wrong cases it looks like: {part[0]}. {part[1]}")]
        return []

    def _marks(self, met: int, unmet: str = "") -> Block:
        """The list of demands: met, the one that decided (with the sign `unmet`), and those not looked at."""
        signs = [*("✓" * met), unmet or "·", *("·" * len(self.demands()))]
        return Block("marks", "\n".join(f"{s} {d.name}" for s, d in zip(signs, self.demands())))

    def _evidence(self, failure: Failure) -> list[Block]:
        trial = failure.trial
        lines = [f"{k} = {describe(v)}" for k, v in trial.case.items()]
        for name, want, have in trial.parts() if self.both_shown and not trial.outcome.broken else []:
            lines += _two_lines(f" {name}" if name else "", want.value, have.value)
        head = Block("say", f"The smallest case that fails (number {trial.index + 1} of {self.count}):")
        drawn = heat(self.picture, trial.expected, trial.got) if self.picture else None
        picture = [Block("say", drawn[0]), Block("svg", drawn[1])] if drawn else []
        return [head, Block("code", "\n".join(lines)), *picture]


def _two_lines(name: str, want: Any, have: Any) -> list[str]:
    """One part of an answer as expected and as it came; nothing where it is right."""
    texts = describe(want), describe(have)
    if same(want, have, strict=False) or texts[0] == texts[1]:
        return []
    yours = f"{'your' if name else 'yours'}{name}:"
    return [f"expected{name}: {texts[0]}", f"{yours:{10 + len(name)}}{texts[1]}"]


def _asides(answer: Callable[..., Any], trial: Trial) -> list[Block]:
    blocks = []
    if names := attempt.notebook_data(answer):
        listed = ", ".join(f"`{n}`" for n in names)
        note = f"Note: beside its arguments, the function reads {listed} of the notebook."
        blocks.append(Block("say", note))
    if trial.outcome.printed:
        blocks += [Block("say", "It printed:"), Block("code", trial.outcome.printed)]
    return blocks


def _comments_before(lines: list[str], lineno: int) -> int:
    """How many comment lines stand above line `lineno`: they belong to it."""
    above = lines[: lineno - 1][::-1]
    return next((i for i, line in enumerate(above) if not line.strip().startswith("#")), 0)
