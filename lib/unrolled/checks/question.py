"""Exercises whose answer is a number or a choice: work it out on paper or in code, hand over the result."""

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .compare import describe, kind, numeric, real
from .page import Block
from .sandbox import steady
from .sheet import Sheet
from .verdict import Verdict

_TELLING = {"2": 2, "4": 4, "8": 8, "10": 10, "ln 2": math.log(2)}  # doubled, bytes, bits, digits, nats


@dataclass(kw_only=True)
class Question(Sheet):
    """A question with one right answer, computed by code and never typed in.

    - answer(): the right number, or the right set of names out of `options`;
    - wrong: {name: (value, hint)}: answers with a known reason; accepted: {value: note}: other right ones;
    - way: the lines of the worked solution, ending in an expression whose value is the answer;
    - rtol: how exact a number has to be, relative to its size.
    """

    answer: Callable[[], Any]
    way: str
    wrong: dict[str, tuple[Any, str]]
    accepted: dict[int, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    rtol: float = 0.005

    def __call__(self, answer: Any = None) -> Verdict:
        """Judge the answer, show the verdict, and return it. Never raises."""
        return self.judge(answer).show()

    def judge(self, answer: Any = None, seed: int = 0) -> Verdict:
        """The verdict on the answer, unshown; `seed` is there for the likeness to Exercise. Never raises."""
        try:
            with steady():
                return self._judge(answer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            what = f"The check itself broke over this answer ({type(error).__name__}); please report it."
            return self._verdict("stopped", what)

    def solution_text(self) -> str:
        """How the answer is worked out."""
        return self.way

    def same(self, value: Any, other: Any) -> bool:
        """Whether two answers count as the same one."""
        if self.options:
            return set(value) == set(other)
        a, b = real(value), real(other)
        return a == b or abs(a - b) <= self.rtol * abs(b) < math.inf

    def _judge(self, answer: Any) -> Verdict:
        if answer is None or answer is Ellipsis:
            return self._verdict("not attempted", f"Put your answer in place of the `...`: {self.signature}.")
        value, problem = self._read(answer)
        if problem:
            return self._verdict("not yet", problem)
        for right, note in [(self.answer(), ""), *self.accepted.items()]:
            if self.same(value, right):
                return Verdict(self.id, "correct", answer, [Block("say", note)] * bool(note) + self.go_on())
        for name, (known, hint) in self.wrong.items():
            if self.same(value, known):
                return self._verdict("not yet", f"This looks like: {name}. {hint}", looks_like=name)
        return self._verdict("not yet", self._far(value))

    def _verdict(self, status: str, say: str, looks_like: str = "") -> Verdict:
        blocks = [Block("lead" if looks_like else "say", say), *self.folded_hints()]
        failed = "the answer" if status == "not yet" else ""
        return Verdict(self.id, status, self.answer(), blocks, failed=failed, looks_like=looks_like)

    def _read(self, answer: Any) -> tuple[Any, str]:
        """(the answer as a float or a set of names, "") or (None, what is the matter with it)."""
        if self.options:
            return self._names(answer)
        number = numeric(answer)
        if number is None or kind(answer) == "bool" or number.numel() != 1 or number.is_complex():
            more = "; hand over the number itself" if callable(answer) else ""
            return None, f"The answer is one number; yours is {describe(answer)}{more}."
        return number.item(), "The answer is a number; yours is nan." if number.isnan() else ""

    def _names(self, answer: Any) -> tuple[Any, str]:
        asked = "Hand over the names that apply, as in {'a', 'b'}; the names are " + ", ".join(self.options)
        chosen = [k for k, v in answer.items() if v] if kind(answer) == "dict" else answer
        if kind(chosen) not in ("list", "set", "tuple") or not all(kind(c) == "text" for c in chosen):
            return None, f"{asked}. Yours is {describe(answer)}."
        for name in sorted(chosen):
            if name not in self.options:
                close = difflib.get_close_matches(name, self.options, 1)
                return None, f"{asked}. {name!r} is not one of them" + (f": {close[0]}?" if close else ".")
        return set(chosen), ""

    def _far(self, value: Any) -> str:
        """What is known about an answer that nobody foresaw: the first wrong choice, or the ratio."""
        right = self.answer()
        if self.options:
            off = next(name for name in self.options if (name in value) != (name in right))
            return f"Look again at {off}: {self.options[off]}"
        if factor := self._factor(value, right):
            return f"Your number is the right one times {factor}. Where does the factor come from?"
        far = "large" if value > right else "small"
        if 1 / 1000 < abs(value / right) < 1000:
            return f"Your number is too {far}. Go through your sum again, one step at a time."
        return f"Your number is far too {far}: look at the operation first."

    def _factor(self, value: float | int, right: float | int) -> str:
        """A factor that tells where it comes from, or "": any other ratio would give the answer away."""
        sizes = {k: int(n.replace(",", "")) for k, n in re.findall(r"\b([A-Z]) = (\d[\d,]*)", self.text)}
        known = {f"{name} (here {name} = {n})": n for name, n in sizes.items()} | _TELLING
        known |= {f"1 / {name}": 1 / factor for name, factor in known.items()}
        return next((name for name, factor in known.items() if self.same(value, factor * right)), "")
