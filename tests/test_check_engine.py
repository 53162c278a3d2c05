"""The engine of the checks, on a toy exercise: its guards, its diagnoses, its manners."""

import dataclasses
import math
import os
import random
import re
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import torch
from unrolled.checks import check
from unrolled.checks.compare import describe, digits, same
from unrolled.checks.exercise import Exercise
from unrolled.checks.exercises import EXERCISES
from unrolled.checks.heat import Picture, heat
from unrolled.checks.page import Block, Page
from unrolled.checks.properties import sums_to_one
from unrolled.checks.sandbox import plain

FACTOR = torch.tensor(3.0)


def shares(x, n):
    """Shares along the last axis, to the power n."""
    # a comment above the first line
    p = x.abs() ** n
    return p / p.sum(-1, keepdim=True)


def toy_case(g, i):
    return {"x": torch.randn(2 + i, 3 + 2 * i, generator=g, dtype=torch.float64), "n": 1 + i}


TOY = Exercise(
    chapter="00_toy", tier=1, minutes=1, signature="shares(x, n) -> p", text="Shares.", explain="why?",
    hints=("Look.", "Look again."), worked=shares, cases=toy_case, count=3, seconds=5.0,
    axes={"x": "B T", "return": "B T"}, grads=("x",), picture=Picture(lambda p: p, "batch", "time"),
    properties=(sums_to_one("rows sum to 1"),), right={},
    wrong={
        "not divided": (lambda x, n: x.abs() ** n, "Divide by the sum."),
        "detached": (lambda x, n: shares(x.detach(), n), "Keep the graph."),
    },
)


def toy(function, **changed):
    return dataclasses.replace(TOY, **changed).judge(function)


def seen(function, **changed):
    """What the verdict on a refused function says."""
    verdict = toy(function, **changed)
    assert verdict.status == "not yet", verdict
    return " ".join(repr(verdict).split())


# --- guards, in their order


def test_a_correct_function_is_used():
    def mine(x, n):
        return shares(x, n)

    verdict = toy(mine)
    assert verdict.ok and verdict.use is mine and "why?" in repr(verdict)


def test_the_result_instead_of_the_function():
    assert "without parentheses" in seen(torch.ones(2))


def test_other_arguments():
    assert "hands over 2 arguments, (x, n)" in seen(lambda x: x)


def test_a_forgotten_return_is_not_a_stub():
    def forgot(x, n):
        p = shares(x, n)  # noqa: F841

    assert "is there a `return`" in seen(forgot)


def test_an_error_shows_the_learner_s_line_and_the_sizes():
    def broken(x, n):
        return shares(x, n) @ x

    text = seen(broken)
    assert "it raised RuntimeError, at `return shares(x, n) @ x`" in text
    assert "(2x3 and 2x3)" in text and "needs a `.T`" in text and "n = 1" in text


def test_an_error_whose_message_cannot_be_made():
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    def broken(x, n):
        raise Odd

    assert "it raised Odd" in seen(broken)


def test_addresses_and_colours_do_not_reach_the_text():
    assert plain("\x1b[31m<f at 0x7f00aa11bb>\x1b[0m\x07") == "<f at 0x...>"


def test_inputs_changed_in_place():
    def careless(x, n):
        x.abs_()
        return shares(x, n)

    assert "changed its input x in place" in seen(careless)


def test_too_many_parts():
    assert "expected one tensor, got 2 parts (tensor, tensor)" in seen(lambda x, n: (shares(x, n), x))


def test_another_kind():
    assert "torch.from_numpy" in seen(lambda x, n: shares(x, n).numpy(), grads=())
    assert "expected a tensor, got a text, 'p'" in seen(lambda x, n: "p")


def test_a_missing_axis_has_its_name():
    assert "axis T is missing" in seen(lambda x, n: shares(x, n)[:, 0])


def test_an_axis_one_too_short():
    assert "(B, T) = (2, 3), got (2, 2): axis T has 2 instead of 3" in seen(lambda x, n: shares(x, n)[:, 1:])


def test_another_dtype():
    assert "expected dtype float64, got float32" in seen(lambda x, n: shares(x, n).float())


def test_nan_and_infinity():
    def burnt(x, n):
        return shares(x, n).index_fill(0, torch.tensor(0), math.nan)

    assert "3 of 6 numbers are nan" in seen(burnt)


def test_a_cut_graph_is_named():
    assert "detached" in toy(lambda x, n: shares(x.detach(), n)).looks_like
    assert "cut off" in seen(lambda x, n: shares(x.detach(), n), wrong={})


def test_two_mistakes_at_once_are_told_by_the_cases_in_which_one_shows_alone():
    def double(x, n):
        return x + n if n == 3 else x.abs() ** n

    said = seen(double)
    assert "In 2 of the 3 wrong cases it looks like: not divided. Divide by the sum." in said


def test_what_looks_like_a_known_mistake_once_only_is_not_called_so():
    def odd(x, n):
        return x.abs() ** n if n == 1 else x + n

    assert "looks like" not in seen(odd)


def test_a_graph_that_is_cut_in_part():
    def partly(x, n):
        p = x.abs() ** n
        return p / p.detach().sum(-1, keepdim=True)

    assert "the gradient of x is not" in seen(partly)


def test_the_first_difference_is_shown_with_two_digits():
    def unfair(x, n):
        p = shares(x, n)
        return torch.cat([p[:, :1], p[:, 1:2] + 0.1, p[:, 2:3] - 0.1, p[:, 3:]], 1)

    x = toy_case(torch.Generator().manual_seed(0), 0)["x"]
    right, wrong = shares(x, 1)[0, 1].item(), unfair(x, 1)[0, 1].item()
    numbers = f"expected {right:.2g}, yours is {wrong:.2g}"
    assert f"4 of 6 numbers differ, first at b = 0, t = 1: {numbers}" in seen(unfair)


def test_a_notebook_s_tensor_is_noted():
    assert "reads `FACTOR` of the notebook" in seen(lambda x, n: shares(x, n) * FACTOR)


def test_what_was_printed_is_shown_and_a_flood_is_cut():
    def flood(x, n):
        for i in range(10**4):
            print("line", i)

    text = seen(flood)
    assert "line 0" in text and "... (cut)" in text and len(text) < 4000


def test_the_smallest_failing_case_is_the_one_shown():
    def wrong_when_large(x, n):
        return shares(x, n) if len(x) < 4 else x

    assert "The smallest case that fails (number 3 of 3)" in seen(wrong_when_large)


# --- what must not get out


class Time:
    """Functions that do not come to an end by themselves."""

    @staticmethod
    def loop(x, n):
        while True:
            pass

    @staticmethod
    def sheltered(x, n):
        while True:
            try:
                time.sleep(0.001)
            except:  # noqa: E722
                pass

    @staticmethod
    def sleeps(x, n):
        time.sleep(60)


@pytest.mark.parametrize("name", ["loop", "sheltered", "sleeps"])
def test_an_endless_function_is_stopped(name):
    verdict = toy(getattr(Time, name), seconds=0.2)
    assert verdict.status == "stopped" and "still running after 0.2 seconds" in repr(verdict)
    assert verdict.use is shares


def test_no_alarm_stays_behind():
    before = signal.getsignal(signal.SIGALRM)
    toy(Time.loop, seconds=0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_check_in_another_thread_works_without_a_limit():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(toy(shares)))
    thread.start()
    thread.join()
    assert verdicts[0].ok


def test_endless_recursion_is_stopped():
    def again(x, n):
        return again(x, n)

    verdict = toy(again)
    assert verdict.status == "stopped" and "calls itself without an end" in repr(verdict)


def test_exit_does_not_end_the_session():
    verdict = toy(lambda x, n: sys.exit(3))
    assert verdict.status == "stopped" and "SystemExit" in repr(verdict)


def test_the_reader_s_own_interrupt_comes_through():
    def interrupted(x, n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy(interrupted)


def vandal(x, n):
    torch.manual_seed(99), random.seed(99), np.random.seed(99)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.abs = torch.Tensor.abs = torch.nn.functional.softmax = lambda *a, **k: None
    math.log = None
    os.chdir("/")
    sys.setrecursionlimit(5000)
    warnings.simplefilter("error")
    return None


def state():
    return (
        torch.rand(1).item(), np.random.rand(), torch.get_default_dtype(), os.getcwd(),
        torch.get_default_device(), torch.is_grad_enabled(), torch.abs, torch.Tensor.abs, math.log,
        torch.nn.functional.softmax, sys.getrecursionlimit(), torch.get_num_threads(), list(warnings.filters),
    )


def seeded_state():
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    return state()


def test_a_vandal_changes_nothing():
    before = seeded_state()
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    toy(vandal)
    assert random.random() != random.Random(99).random()
    assert state() == before


def test_a_verdict_does_not_depend_on_the_session():
    def random_answer(x, n):
        return shares(x, n) + torch.rand(x.shape[1], dtype=torch.float64) + torch.zeros(1)

    before = repr(toy(random_answer))
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            assert repr(toy(random_answer)) == before
            assert toy(shares).ok
    finally:
        torch.set_default_dtype(torch.float32)


class Hostile:
    """An answer whose every method fails."""

    def __call__(self, *a):
        return self

    def __eq__(self, other):
        raise ValueError

    __hash__ = None
    __repr__ = __len__ = __iter__ = __bool__ = __float__ = __getitem__ = __eq__


ODD = [
    3, "x", [], {}, torch.ones(1), print, len, type, range, lambda *a: a, lambda *a: {}, lambda *a: (),
    lambda *a: [[]], lambda *a: float("nan"), lambda *a: 10**400, lambda *a: 1j, lambda *a: iter(()),
    lambda *a: torch.ones(1, device="meta"), lambda *a: torch.eye(2).to_sparse(), lambda *a: np.ones(2),
    lambda *a: torch.ones(2, dtype=torch.complex64),
]
HOSTILE = [Hostile(), Hostile, lambda *a: Hostile()]


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda e: e.id)
def test_no_answer_makes_a_check_raise(exercise):
    for answer in HOSTILE:
        assert exercise.judge(answer).status in ("not yet", "stopped")
    for answer in ODD:
        verdict = exercise.judge(answer)
        assert verdict.status in ("not yet", "stopped", "not attempted"), answer
        assert verdict._repr_html_() and "itself broke" not in repr(verdict), answer
        assert "cannot be tested" not in repr(verdict), answer  # better words are due


# --- near misses


NEAR = {
    "transposed: axis B and axis T have changed places": lambda x, n: shares(x, n).T,
    "backwards along axis T": lambda x, n: shares(x, n).flip(1),
    "one place too late along axis T": lambda x, n: shares(x, n).roll(1, 1),
    "one place too early along axis T": lambda x, n: shares(x, n).roll(-1, 1),
    "opposite sign": lambda x, n: -shares(x, n),
    "times T (here T = 3)": lambda x, n: shares(x, n) * x.shape[1],
    "times 1 / √B (here B = 2)": lambda x, n: shares(x, n) / len(x) ** 0.5,
    "1 / ln 2 (bits against nats)": lambda x, n: shares(x, n) / math.log(2),
    "times 7": lambda x, n: shares(x, n) * 7,
    "plus 0.5, everywhere": lambda x, n: shares(x, n) + 0.5,
    "are the logarithm": lambda x, n: shares(x, n).log(),
    "proportional": lambda x, n: x.abs() ** n,
    "another order": lambda x, n: shares(x, n).flatten().sort()[0].view_as(x),
}


@pytest.mark.parametrize("words", NEAR)
def test_near_misses_are_named(words):
    text = seen(NEAR[words], wrong={}, properties=(), grads=())
    assert "A near miss:" in text and words in text


def test_no_near_miss_where_there_is_none():
    assert "near miss" not in seen(lambda x, n: torch.cos(x), wrong={})


# --- showing


PAYLOADS = ["<script>PWNED=1</script>", "<img src=x onerror=PWNED()>", '"><svg onload=PWNED()>', "`<b>`"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_is_escaped(payload):
    def prints(x, n):
        print(payload)
        raise ValueError(payload)

    def returns(x, n):
        return payload

    known = {"div", "p", "ul", "li", "code", "pre", "details", "summary", "strong"}
    questions = check.table_size.judge(payload), check.param_growth.judge({payload})
    for page in (toy(prints), toy(returns), *questions):
        tags = set(re.findall(r"<(\w+)([^>]*)", page._repr_html_()))
        assert {tag for tag, _ in tags} <= known
        assert not any(re.search(r"\son\w+=", inside) for _, inside in tags)


def test_a_page_in_code_marks_only_what_stands_between_backticks():
    page = Page(Block("title", "t"), Block("say", "`a < b` and <c>"))
    assert "a &lt; b</code> and &lt;c&gt;" in page._repr_html_()


def test_heat_maps_are_described_and_escape_their_labels():
    sentence, drawing = heat(Picture(lambda m: m, "<rows>", "columns"), torch.eye(2), torch.zeros(2, 2))
    assert "2 of 4 numbers differ, first at [0, 0]: expected 1, yours is 0" in sentence
    assert drawing.count("×") == 2 and "&lt;rows&gt;" in drawing


def test_there_is_no_heat_map_of_what_is_no_matrix():
    picture = Picture(lambda m: m[0], "rows", "columns")
    assert heat(picture, torch.ones(2), "x") is None
    assert heat(picture, torch.ones(2, 2, 2), torch.ones(2, 3, 3)) is None
    assert heat(picture, torch.ones(1, 2, 2), torch.ones(1, 2, 2).cfloat()) is None


def test_a_verdict_is_shown_once_in_a_cell(capsys):
    ipython = pytest.importorskip("IPython.core.interactiveshell")
    shell = ipython.InteractiveShell.instance()
    try:
        shell.run_cell("from unrolled.checks import check")
        shell.run_cell("verdict = check.table_size(10**20)\nverdict")
        assert capsys.readouterr().out.count("table_size: correct") == 1
    finally:
        ipython.InteractiveShell.clear_instance()


def test_outside_a_notebook_a_verdict_is_printed(capsys):
    verdict = check.table_size(1)
    assert capsys.readouterr().out == f"{verdict!r}\n"


# --- finding an exercise


@pytest.mark.parametrize(("typed", "meant"), [("rnn_foward", "rnn_forward"), ("ngram_count", "ngram_counts")])
def test_a_misspelt_exercise_is_guessed(typed, meant):
    with pytest.raises(AttributeError, match=f"Did you mean check.{meant}"):
        getattr(check, typed)


def test_an_unknown_exercise_leads_to_the_list():
    with pytest.raises(AttributeError, match="check.list()"):
        _ = check.qqqqqqqq


def test_the_list_names_every_exercise_and_completion_offers_it():
    assert all(f"check.{name} " in repr(check.list()) for name in EXERCISES)
    assert set(EXERCISES) < set(dir(check))
    assert "rnn_forward" in repr(check.list("04")) and "kneser_ney" not in repr(check.list("04"))


def test_the_shown_solution_keeps_its_comments_and_drops_its_docstring():
    first = ["def shares(x, n):", "    # a comment above the first line"]
    assert TOY.solution_text().splitlines()[:2] == first


# --- questions


def test_a_number_may_come_in_many_forms():
    for answer in (10**20, 1e20, torch.tensor(1e20, dtype=torch.float64), np.float64(1e20)):
        assert check.table_size.judge(answer).ok


NUMBERLESS = ["1e20", True, [1], torch.ones(2), float("nan"), lambda: 1e20]


@pytest.mark.parametrize("answer", NUMBERLESS, ids=lambda a: type(a).__name__)
def test_what_is_not_a_number_is_said_to_be_none(answer):
    assert "number" in repr(check.table_size.judge(answer))


def test_a_number_that_nobody_foresaw_gets_its_ratio_where_that_tells_something():
    assert "the right one times 10." in repr(check.table_size.judge(1e21))
    assert "too large" in repr(check.table_size.judge(3e20))
    assert "far too small" in repr(check.table_size.judge(0))


def test_a_choice_may_come_in_many_forms():
    for answer in ({"table", "mlp"}, ["mlp", "table"], {"table": True, "mlp": True, "rnn": False}):
        assert check.param_growth.judge(answer).ok


def test_a_misspelt_choice_is_guessed_and_an_unforeseen_one_gets_its_reason():
    assert "attention?" in repr(check.param_growth.judge({"attentoin"}))
    assert "Look again at table" in repr(check.param_growth.judge({"bag"}))


# --- the small parts


def test_two_digits_are_enough_until_they_are_not():
    assert digits(0.123456) == ["0.12"]
    assert digits(1.0001, 1.0002) == ["1.0001", "1.0002"]
    assert digits(10**20, math.inf, 3.0) == ["1e+20", "inf", "3"]


def test_descriptions_are_short_and_harmless():
    assert describe(torch.tensor([[1.0, 0.123]])) == "[[1, 0.12]]"
    assert describe(torch.zeros(5, 5)) == "(5, 5) float32"
    assert describe("a" * 200).endswith(" ...") and len(describe(["word"] * 99)) <= 72
    assert describe(Hostile()) == "a function"
    assert describe((True, [1, "a"])) == "(True, [1, 'a'])" and describe(zip()) == "a zip"


def test_sameness_tells_kinds_apart_and_forgives_rounding():
    assert same(torch.tensor(1.0), torch.tensor(1.0 + 1e-6)) and not same(1.0, 1.0 + 1e-5)
    assert same(1, 1.0) and not same(True, 1) and same(torch.tensor(2.0), 2.0, strict=False)
    assert same({"a": [1, 2]}, {"a": (1, 2)}) and not same({"a": 1}, {"b": 1})
    assert not same(torch.ones(2), torch.ones(2, dtype=torch.bool))
