"""The tests of the checks. Whoever writes an exercise adds nothing here: each is held to all of it."""

import ast
import copy
import dataclasses
import html
import inspect
import itertools
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from unrolled.checks import check
from unrolled.checks.exercise import Exercise
from unrolled.checks.exercises import EXERCISES
from unrolled.checks.question import Question

BOOK = Path(__file__).resolve().parents[1] / "book"
ALL = list(EXERCISES.values())
FUNCTIONS = [e for e in ALL if isinstance(e, Exercise)]
QUESTIONS = [e for e in ALL if isinstance(e, Question)]
WRONG = [(e, name) for e in FUNCTIONS for name in e.wrong]
NAMESPACE = {"torch": torch, "math": math, "itertools": itertools, "nn": torch.nn, "F": torch.nn.functional}


def every(exercises):
    return pytest.mark.parametrize("exercise", exercises, ids=lambda e: e.id)


each_wrong = pytest.mark.parametrize(("exercise", "name"), WRONG, ids=[f"{e.id}: {n}" for e, n in WRONG])


def texts(exercise):
    """All that an author wrote for people to read."""
    hints = [hint for _, hint in exercise.wrong.values()]
    return [exercise.text, exercise.explain, *exercise.hints, *hints, *exercise.wrong]


def written(exercise):
    """The solution that `solution()` shows, as a function."""
    space = dict(NAMESPACE)
    exec(exercise.solution_text(), space)
    return space[exercise.id]


def test_every_chapter_has_four_exercises_at_least():
    written = {path.stem for path in BOOK.glob("[0-9][0-9]_*.md")}
    count = Counter(e.chapter for e in ALL)
    assert set(count) == written
    assert min(count.values()) >= 4, count


# --- what is not attempted, and what is right


def stub_that_raises(*arguments):
    raise NotImplementedError


def stub_of_dots(*arguments):
    """The exercise's words may stay."""
    ...  # your turn


def stub_with_a_frame(*arguments):
    ...  # your turn
    return torch.stack(states_of_the_learner)  # noqa: F821


@every(FUNCTIONS)
@pytest.mark.parametrize("stub", [None, ..., stub_that_raises, stub_of_dots, stub_with_a_frame],
                         ids=lambda stub: getattr(stub, "__name__", str(stub)))
def test_a_stub_is_not_attempted(exercise, stub):
    verdict = exercise.judge(stub)
    assert (verdict.status, verdict.ok) == ("not attempted", False)
    assert verdict.use is exercise.model


@every(ALL)
def test_an_open_place_is_not_attempted_and_its_text_is_stable(exercise):
    first, second = exercise.judge(...), exercise.judge(...)
    assert first.status == "not attempted"
    assert repr(first) == repr(second) and first._repr_html_() == second._repr_html_()


@every(FUNCTIONS)
def test_the_reference_is_right_on_ten_seeds(exercise):
    assert [exercise.judge(exercise.model, seed).status for seed in range(10)] == ["correct"] * 10


@every(FUNCTIONS)
def test_the_shipped_solution_is_right_as_it_is_shown(exercise):
    for seed in range(3):
        verdict = exercise.judge(written(exercise), seed)
        assert verdict.ok, verdict


@every(FUNCTIONS)
def test_other_right_answers_are_right(exercise):
    assert exercise.right
    for seed in range(3):
        for name, function in exercise.right.items():
            verdict = exercise.judge(function, seed)
            assert verdict.ok, (name, verdict)
            assert verdict.use is function


# --- what is wrong


@each_wrong
def test_a_wrong_answer_is_refused_and_named(exercise, name):
    function = exercise.wrong[name][0]
    for seed in range(3):
        verdict = exercise.judge(function, seed)
        assert verdict.status in ("not yet", "stopped"), seed
        assert verdict.looks_like == name, verdict
        assert "cannot be tested" not in repr(verdict), verdict
        assert verdict.use is exercise.model


@every(FUNCTIONS)
def test_no_two_wrong_answers_are_taken_for_each_other(exercise):
    """With the list turned round, another of two alike would be named."""
    turned = dataclasses.replace(exercise, wrong=dict(reversed(exercise.wrong.items())))
    for name, (function, _) in exercise.wrong.items():
        assert turned.judge(function).looks_like == name


@every(FUNCTIONS)
def test_every_property_is_needed(exercise):
    """Without it some wrong answer would slip through, or be told another reason."""
    decided = {exercise.judge(function).failed for function, _ in exercise.wrong.values()}
    assert {p.name for p in (*exercise.early, *exercise.properties)} <= decided


@every(QUESTIONS)
def test_wrong_numbers_are_refused_and_named(exercise):
    assert exercise.judge(exercise.answer()).ok
    for name, (value, _) in exercise.wrong.items():
        verdict = exercise.judge(value)
        assert (verdict.status, verdict.looks_like) == ("not yet", name)
        assert verdict.use == exercise.answer()


@every(QUESTIONS)
def test_the_shown_way_leads_to_the_answer(exercise):
    *lines, last = exercise.way.split("\n")
    space = dict(NAMESPACE)
    exec("\n".join(lines), space)
    assert exercise.same(eval(last, space), exercise.answer())


def test_torch_s_second_bias_is_accepted_with_a_note():
    torch_has = sum(p.numel() for p in torch.nn.RNN(2, 4).parameters())
    verdict = check.rnn_param_count.judge(torch_has)
    assert verdict.ok and "two biases" in repr(verdict)


# --- what people read


@every(ALL)
def test_there_is_enough_help_and_it_does_not_give_the_solution(exercise):
    assert 2 <= len(exercise.wrong) <= 10
    assert len(exercise.hints) >= 2
    lines = [line.split("  #")[0].strip() for line in exercise.solution_text().splitlines()]
    core = [line for line in lines if len(line) > 24 and not line.startswith(("def ", "#"))]
    for line in core:
        assert not any(line in text for text in texts(exercise)), line


@every(ALL)
def test_the_words_are_kind_and_plain(exercise):
    for text in texts(exercise):
        assert not re.search(r"\b(just|simply|obviously|of course|trivial|easy|clearly)\b", text, re.I), text
        assert "\u2014" not in text
    assert all(text.strip()[-1] in ".?" for text in (exercise.text, exercise.explain, *exercise.hints))
    assert all(hint[-1] in ".?" and len(hint) > 40 for _, hint in exercise.wrong.values())


@every(FUNCTIONS)
def test_signature_solution_and_cases_agree(exercise):
    named = re.findall(r"\w+", exercise.signature.partition("(")[2].partition(")")[0])
    case = exercise.cases(torch.Generator().manual_seed(0), 0)
    assert named == list(inspect.signature(exercise.worked).parameters) == list(case)
    assert exercise.id == exercise.worked.__name__


@every(ALL)
def test_task_hints_and_solution_can_be_asked_for(exercise):
    fresh = copy.copy(exercise)
    asked = [fresh.hint() for _ in exercise.hints]
    assert [h.blocks[-1].text for h in asked] == list(exercise.hints)
    assert repr(fresh.hint(1)) == repr(asked[0])
    assert "solution()" in repr(fresh.hint())
    assert exercise.signature in repr(exercise.task())
    assert exercise.solution_text().splitlines()[-1] in repr(exercise.solution())
    assert not exercise.harder or exercise.harder in EXERCISES


def words(page):
    """What a page says in HTML, without the folded hints and the drawings."""
    text = re.sub(r"<(details|svg).*?</\1>", "", page._repr_html_(), flags=re.S)
    return re.sub(r"[\s`]+", "", html.unescape(re.sub(r"<[^>]*>", "", text)))


@every(ALL)
def test_html_and_text_say_the_same(exercise):
    wrong = next(iter(exercise.wrong.values()))[0]
    for page in (exercise.judge(wrong), exercise.judge(...), exercise.task(), exercise.solution()):
        assert words(page) == re.sub(r"[\s`]+", "", repr(page))


# --- what it costs, and that it is the same everywhere


@every(FUNCTIONS)
def test_a_check_takes_less_than_half_a_second_of_cpu(exercise):
    last = list(exercise.wrong.values())[-1][0]
    for function in (exercise.model, last):
        assert min(cpu_time(exercise, function) for _ in range(2)) < 0.5


def cpu_time(exercise, function):
    start = time.process_time()
    exercise.judge(function)
    return time.process_time() - start


SAY_ALL = """
from unrolled.checks.exercises import EXERCISES
for e in EXERCISES.values():
    wrong = [w for w, _ in e.wrong.values()]
    for answer in (None, len, getattr(e, "worked", 3), wrong[0], wrong[-1]):
        verdict = e.judge(answer)
        print(verdict, verdict._repr_html_())
"""


def test_two_processes_with_other_hash_seeds_say_the_same():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SAY_ALL],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (run.communicate()[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert len(first) > 100_000
    assert first == second


# --- mutants of the solutions: wrong answers that nobody wrote


SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.MatMult: ast.Mult,
         ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.GtE: ast.Gt, ast.Gt: ast.GtE, ast.Eq: ast.NotEq,
         ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult}
NAMES = {"sum": "mean", "mean": "sum", "log_softmax": "softmax", "exp": "log", "any": "all", "all": "any",
         "append": "count", "clamp": "add", "abs": "neg", "tanh": "sigmoid", "entr": "exp2"}
# What these change is left open by the task: any number of tries, any change of the first element.
HARMLESS = (
    "range(21)", "x[:1] - 1", "x[:1] + 2", "x[:2] + 1", "len(x) + 2", "shift <= len(x)",
    "> statistic(x) - 1e-12", "statistic(x) + 1e-12",
)


def mutants(source):
    """The source with one operator, one name, one True or False, or one whole number changed."""
    for place in range(len(list(ast.walk(ast.parse(source))))):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[place]
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
            node.op = SWAPS[type(node.op)]()
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            node.ops[0] = SWAPS[type(node.ops[0])]()
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            node.attr = NAMES[node.attr]
        elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
            node.value = (not node.value) if type(node.value) is bool else node.value + 1
        else:
            continue
        if not any(part in ast.unparse(tree) for part in HARMLESS):
            yield ast.unparse(tree)


@pytest.mark.slow
def test_95_of_100_mutants_of_the_solutions_are_refused():
    survivors, total = [], 0
    for exercise in FUNCTIONS:
        quick = dataclasses.replace(exercise, seconds=2.0)
        for source in mutants(exercise.solution_text()):
            space = dict(NAMESPACE)
            exec(source, space)
            total += 1
            survivors += [source] if quick.judge(space[exercise.id]).ok else []
    print(f"{total} mutants, {len(survivors)} survive", *survivors, sep="\n\n")
    assert len(survivors) <= 0.05 * total
