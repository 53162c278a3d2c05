"""What every exercise has, whether it asks for a function or for a number: task, hints, worked solution."""

from dataclasses import dataclass, field

from .page import Block, Page


@dataclass(kw_only=True)
class Sheet:
    """The part of an exercise that people read.

    - chapter: the chapter's file name, such as "04_rnn"; tier: the level, 1 (warm-up) to 4 (research-like);
    - minutes: what it takes a reader of that chapter; text: the task, in plain sentences;
    - hints: from a nudge to almost there, pulled one by one; explain: the question to think on after a pass;
    - harder: the id of the exercise to do next, if there is one.
    """

    chapter: str
    tier: int
    minutes: int
    signature: str
    text: str
    hints: tuple[str, ...]
    explain: str
    harder: str = ""
    _pulled: int = field(default=0, init=False, repr=False)

    @property
    def id(self) -> str:
        """The name after `check.`"""
        return self.signature.partition("(")[0].strip()

    def hint(self, number: int | None = None) -> Page:
        """The next hint, or hint `number` (from 1). Hints are free: nothing is counted against anyone."""
        every = len(self.hints)
        if number is None:
            self._pulled = min(self._pulled + 1, every + 1)
        n = self._pulled if number is None else int(number)
        if not 1 <= n <= every:
            words = f"There are {every} hints, `check.{self.id}.hint(1)` to `hint({every})`."
            return Page(Block("title", f"? {self.id}"), Block("say", f"{words} {self._where_solution()}"))
        return Page(Block("title", f"? {self.id}: hint {n} of {every}"), Block("say", self.hints[n - 1]))

    def solution(self) -> Page:
        """One way to do it, with comments. It is one of several."""
        return Page(
            Block("title", f"? {self.id}: one solution"),
            Block("code", self.solution_text()),
            Block("lead", f"Before you go on: {self.explain}"),
        )

    def solution_text(self) -> str:
        """The text of the worked solution; exercises say what it is."""
        raise NotImplementedError

    def task(self) -> Page:
        """What to do: the signature, the task, its tier and the minutes that it takes."""
        facts = f"Chapter {self.chapter}, level {self.tier} of 4, about {self.minutes} minutes."
        said = [Block("say", p) for p in self.text.strip().split("\n\n")]
        return Page(Block("title", f"? {self.id}"), Block("code", self.signature), *said, Block("say", facts))

    def go_on(self) -> list[Block]:
        """What to say after a pass: think about why, then a harder one."""
        said = [Block("lead", f"Now explain why, in a sentence of your own: {self.explain}")]
        return said + ([Block("say", f"A harder one: `check.{self.harder}.task()`.")] if self.harder else [])

    def folded_hints(self) -> list[Block]:
        """The hints for a verdict: folded in HTML, by name in text, so that nobody reads them by accident."""
        n = len(self.hints)
        folds = [Block("fold", f"Hint {i} of {n}\n{hint}") for i, hint in enumerate(self.hints, 1)]
        return [Block("say", f"{n} hints: `check.{self.id}.hint()`. {self._where_solution()}"), *folds]

    def _where_solution(self) -> str:
        return f"A solution: `check.{self.id}.solution()`."
