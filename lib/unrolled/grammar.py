"""A grammar that writes texts and knows the exact probability of every next word.

How it is exact: while a text is read, the *belief* holds each configuration that the writer could be in
(what is still to be written, which rows of the tables are in use, how many words ago the clock started)
with its probability. A word moves each of them on, or rules it out; where two ways lead to the same text,
their probabilities add up. The writer walks through the same configurations, so that writer and reader
cannot disagree. (This is the forward algorithm of Rabiner 1989, over the stacks of a parser.)
"""

import math
import random
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple, no_type_check

from .vocab import WORD

END = "\n"
MARKS = ".,?" + END  # they stand close to the word before, and are no words themselves
STOPS = ".?"  # after them a sentence begins
CAPITAL = "^"  # among the things to be written: the next word begins a sentence
ALTERNATIVE = re.compile(r"(.*?)(?: \* (\d+))?(?: (until|after) lag)?")
SYMBOL = re.compile(r"<\w+>|\{[^}]+\}|[\w']+|[.,?]")

Todo = tuple[str, ...]  # rules, slots and words, the next one first
Rows = tuple[int, ...]  # for each table the row in use; -1: not chosen yet


class Config(NamedTuple):
    """What the writer has in mind at one moment."""

    todo: Todo
    rows: Rows
    since: int  # words since the clock started, counted up to the lag; -1: not yet; -2: nothing said yet


Belief = dict[Config, float]  # the configurations that agree with what was read, with their probabilities


@no_type_check  # no tensors in here, and a check of every call would make reading many times slower
class Grammar:
    """Weighted rules and tables that write lines of text, beginning with the rule "story".

    rules: name -> alternatives, written as in `stories_grammar`. tables: name -> rows, each a dict from slot
    to word; the first slot needed picks the row, all rows being equally likely. The alternatives marked
    "after lag" open `lag` words after the slot named `clock`.
    """

    def __init__(
        self, rules: dict[str, str], tables: dict[str, list[dict[str, str]]], lag: int = 0, clock: str = ""
    ):
        if lag < 0:
            raise ValueError(f"lag is {lag}: it takes a number of words, 0 or more")
        self.rules = {f"<{name}>": parse(text) for name, text in rules.items()}
        self.tables = list(tables.values())
        self.table_of = {slot: i for i, rows in enumerate(self.tables) for slot in rows[0]}
        self.lag, self.clock = lag, f"{{{clock}}}"
        self.start = Config((CAPITAL, "<story>"), (-1,) * len(tables), -2)
        self.first, self.odds = cache(self._first), cache(self._odds)  # todo takes few different values

    def next(self, belief: Belief) -> dict[str, float]:
        """The distribution of the next symbol: a word with the space before it, a mark, or the end."""
        found: dict[str, float] = {}
        for config, p in belief.items():
            for slot, q in self.odds(config.todo, config.since >= self.lag).items():
                ways = self._fill(slot, config.rows).items()
                _add(found, ((_spell(word, config), r) for (word, _), r in ways), p * q)
        return found

    def read(self, belief: Belief, symbol: str) -> tuple[float, Belief]:
        """The probability of the symbol, and the belief after it (empty where it is impossible)."""
        found: Belief = {}
        for config, p in belief.items():
            for slot, rows, q in self._fits(config, symbol):
                lefts = self.first(config.todo, config.since >= self.lag)[slot].items()
                _add(found, ((self._after(config, slot, rows, left), r) for left, r in lefts), p * q)
        total = math.fsum(found.values())
        return total, {config: p / total for config, p in found.items()}

    def write(self, rng: random.Random) -> str:
        """One line, without its end."""
        config, text = self.start, ""
        while True:
            late = config.since >= self.lag
            slot = _pick(rng, self.odds(config.todo, late))
            word, rows = _pick(rng, self._fill(slot, config.rows))
            if word == END:
                return text
            text += _spell(word, config)
            config = self._after(config, slot, rows, _pick(rng, self.first(config.todo, late)[slot]))

    def log2_prob(self, text: str) -> float:
        """The log-probability of whole lines, in bits; minus infinity where the grammar cannot write them."""
        belief, bits = {self.start: 1.0}, 0.0
        for symbol in WORD.findall(text):
            p, belief = self.read(belief, symbol)
            if not belief:
                return -math.inf
            bits += math.log2(p)
        return bits

    def _first(self, todo: Todo, late: bool) -> dict[str, dict[Todo, float]]:
        """For each word or slot that todo can begin with: what may be left, with the probability of both."""
        if todo in ((), (CAPITAL,)):
            return {END: {self.start.todo: 1.0}}  # the next line is the next story
        if todo[0] == CAPITAL:
            return {_capital(word): lefts for word, lefts in self.first(todo[1:], late).items()}
        if todo[0] not in self.rules:
            left = (CAPITAL, *todo[1:]) if todo[0] in STOPS else todo[1:]
            return {todo[0]: {left: 1.0}}
        found: dict[str, dict[Todo, float]] = {}
        for share, symbols in self._open(todo[0], late):
            for word, lefts in self.first(symbols + todo[1:], late).items():
                _add(found.setdefault(word, {}), lefts.items(), share)
        return found

    def _open(self, rule: str, late: bool) -> list[tuple[float, Todo]]:
        """(probability, symbols) of the alternatives that the lag leaves open."""
        closed = "until" if late else "after"
        options = [(weight, symbols) for weight, when, symbols in self.rules[rule] if when != closed]
        total = sum(weight for weight, _ in options)
        return [(weight / total, symbols) for weight, symbols in options]

    def _odds(self, todo: Todo, late: bool) -> dict[str, float]:
        """The probability of each word or slot that todo can begin with."""
        return {word: sum(lefts.values()) for word, lefts in self.first(todo, late).items()}

    def _fill(self, slot: str, rows: Rows) -> dict[tuple[str, Rows], float]:
        """The probability of each (word, rows in use) that a slot can become; a word stays what it is."""
        if slot[0] != "{":
            return {(slot, rows): 1.0}
        name = slot[1:-1].lower()
        i = self.table_of[name]
        table = self.tables[i]
        picks = [rows[i]] if rows[i] >= 0 else range(len(table))
        fix = _capital if slot[1].isupper() else str
        return {(fix(table[k][name]), (*rows[:i], k, *rows[i + 1 :])): 1 / len(picks) for k in picks}

    def _fits(self, config: Config, symbol: str) -> list[tuple[str, Rows, float]]:
        """(slot, rows, probability) of each way that writes this symbol from here."""
        odds = self.odds(config.todo, config.since >= self.lag)
        word = symbol.removeprefix(" ")
        if symbol != _spell(word, config):
            return []
        slots = [slot for slot in odds if slot == word or slot[0] == "{"]
        ways = [(slot, way, p) for slot in slots for way, p in self._fill(slot, config.rows).items()]
        return [(slot, rows, p) for slot, (filled, rows), p in ways if filled == word]

    def _after(self, config: Config, slot: str, rows: Rows, left: Todo) -> Config:
        """The configuration once the slot is written."""
        if slot == END:
            return self.start
        since = max(config.since, -1)
        if slot.lower() == self.clock:
            since = 0
        elif since >= 0 and slot not in MARKS:
            since = min(since + 1, self.lag)
        return Config(left, rows, since)


def parse(text: str) -> list[tuple[int, str | None, Todo]]:
    """The alternatives of a rule: (weight, "until", "after" or None, symbols)."""
    parts = [part.strip() for part in re.split(r"[|\n]", text) if part.strip()]
    found = [ALTERNATIVE.fullmatch(part).groups() for part in parts]
    return [(int(weight or 1), when, tuple(SYMBOL.findall(words))) for words, weight, when in found]


@no_type_check
def _spell(word: str, config: Config) -> str:
    """The word as it stands in the text: with the space before it, unless it begins the line."""
    return word if word in MARKS or config.since == -2 else " " + word


@no_type_check
def _capital(word: str) -> str:
    """The word, or the slot, with a capital: Nobody, {His}."""
    i = word.startswith("{")
    return word[:i] + word[i].upper() + word[i + 1 :]


@no_type_check
def _add(found: dict, options: Iterable[tuple], share: float) -> None:
    """Add the options, weighted by their share, to what was found; ways to the same end add up."""
    for key, p in options:
        found[key] = found.get(key, 0.0) + share * p


@no_type_check
def _pick(rng: random.Random, options: dict) -> Any:
    """One key of the options, by its weight. (Only `random()` is the same in every version of Python.)"""
    at = rng.random() * sum(options.values())
    for key, p in options.items():
        at -= p
        if at < 0:
            return key
    return key  # the last one, should rounding leave a crumb
