"""The quizzes: every answer has its feedback, numbers are computed again, and the page works alone."""

import copy
import json
import math
import re

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import quiz as quizzes
from unrolled.model import parameter_count
from unrolled.ngram import NGram
from unrolled.quiz import mixed, problems, questions, quiz
from unrolled.rnn import RNN

ALL = quizzes.chapters()
NAMES = {"math": math, "torch": torch, "parameter_count": parameter_count, "NGram": NGram, "RNN": RNN}


@pytest.mark.parametrize("chapter", ALL)
def test_a_quiz_has_no_faults(chapter):
    assert problems(questions(chapter), chapter) == []


@pytest.mark.parametrize("chapter", ALL)
def test_numbers_are_what_their_expressions_give(chapter):
    for item in questions(chapter):
        for answer in item["answers"]:
            if "compute" in answer:
                computed = float(eval(answer["compute"], dict(NAMES)))
                assert computed == pytest.approx(answer["value"], abs=answer.get("tolerance", 0)), item["id"]


@pytest.mark.parametrize("chapter", ALL)
def test_a_known_wrong_number_is_not_swallowed_by_the_right_one(chapter):
    for item in questions(chapter):
        taken: list[tuple[float, float]] = []
        for answer in item["answers"]:
            if answer.get("type") == "value":
                room = answer.get("tolerance", 0)
                low, high = answer["value"] - room, answer["value"] + room
                assert all(high < a or low > b for a, b in taken), (item["id"], answer["value"])
                taken.append((low, high))


def test_no_question_has_the_id_of_another_one():
    ids = [item["id"] for chapter in ALL for item in questions(chapter)]
    assert len(ids) == len(set(ids))


def test_questions_ask_about_chapters_that_came_before():
    assert all(item["chapter"] <= chapter for chapter in ALL for item in questions(chapter))


# --- the order of the options


def choices(kind):
    """All questions of one kind in the whole book, as they are shown."""
    return [mixed(item) for chapter in ALL for item in questions(chapter) if item["type"] == kind]


def test_the_right_answer_stands_everywhere_and_not_always_first():
    places = [(len(item["answers"]), [a["correct"] for a in item["answers"]].index(True))
              for item in choices("multiple_choice")]
    for size in (3, 4):
        found = [place for n, place in places if n == size]
        assert all(0.1 * len(found) < found.count(place) < 0.5 * len(found) for place in range(size))


def test_the_right_ones_of_many_do_not_come_first():
    rights = [[a["correct"] for a in item["answers"]] for item in choices("many_choice")]
    assert sum(right == sorted(right, reverse=True) for right in rights) <= len(rights) / 2


def asked_with(*options):
    answers = [{"answer": text, "correct": not i, "feedback": "."} for i, text in enumerate(options)]
    return {"id": "an-id", "type": "multiple_choice", "question": "?", "answers": answers}


def shown(*options):
    return [answer["answer"] for answer in mixed(asked_with(*options))["answers"]]


def test_an_order_that_means_something_stays():
    assert shown("1", "2", "3", "All of them") == ["1", "2", "3", "All of them"]
    assert shown("ten", "Both", "three", "five")[-1] == "Both"
    assert shown("none of these", "ten", "three", "five")[-1] == "none of these"
    assert all(mixed(item) == item for chapter in ALL for item in questions(chapter)
               if item["type"] == "numeric")


def test_the_order_depends_on_the_question_and_not_on_the_file():
    assert shown("ten", "three", "five") == shown("five", "ten", "three") == ["three", "ten", "five"]


def test_text_fallback_and_script_show_one_order():
    whole = quiz("04")
    data = json.loads(re.search(r"json\">(.*?)</script>", whole.html).group(1))["questions"]
    blocks, texts = whole.html.split("<li><p>")[1:], whole.text.split("\n\n")
    for item, block, text in zip(data, blocks, texts, strict=True):
        if item["type"] != "numeric":
            options = [answer["answer"] for answer in item["answers"]]
            assert options == re.findall(r"\( \) (.*)", text)
            rich = re.findall(r"<li>(.*?)</li>", block.split("<details>")[0])
            assert rich == [quizzes._rich(option) for option in options]


@pytest.fixture
def good():
    return copy.deepcopy(questions("04"))


BREAK = {
    "no feedback": lambda q: q[0]["answers"][0].pop("feedback"),
    "right answers": lambda q: q[0]["answers"][1].update(correct=True),
    "0 right answers": lambda q: [a.update(correct=False) for a in q[4]["answers"]],
    "does not say if it is correct": lambda q: q[0]["answers"][1].pop("correct"),
    "used twice": lambda q: q[1].update(id=q[0]["id"]),
    "expected 8 to 12": lambda q: q.extend(q[:2]),
    "expected 3 or more": lambda q: [item.update(chapter="04") for item in q],
    "type is 'essay'": lambda q: q[0].update(type="essay"),
    "question is missing": lambda q: q[0].pop("question"),
    "two answers are the same": lambda q: q[0]["answers"][1].update(answer=q[0]["answers"][0]["answer"]),
    "fewer than three": lambda q: q[0].update(answers=q[0]["answers"][:2]),
    "must be the default": lambda q: q[1]["answers"].pop(),
    "needs a value and compute": lambda q: q[1]["answers"][0].pop("compute"),
    "has no value": lambda q: q[1]["answers"][1].pop("value"),
    "expected value, range or default": lambda q: q[1]["answers"][1].update(type="guess"),
}


@pytest.mark.parametrize("fault", BREAK)
def test_each_fault_of_a_quiz_is_named(good, fault):
    BREAK[fault](good)
    assert any(fault in problem for problem in problems(good, "04"))


def test_an_unknown_chapter_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="'99'.*04"):
        quiz("99")


def test_the_plain_text_asks_and_does_not_tell():
    text = quiz("04").text
    assert all(item["question"] in text for item in questions("04"))
    assert questions("04")[0]["answers"][0]["feedback"] not in text


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser, tmp_path):
    return open_page(browser, tmp_path, bare_page(quiz("04")), viewport={"width": 800, "height": 900})


def asked(page, name):
    """The form of one question, and its entry in the file."""
    entry = next(item for item in questions("04") if item["id"] == name)
    return page.locator("form").nth([item["id"] for item in questions("04")].index(name)), entry


def test_a_right_and_a_wrong_answer_get_their_feedback_and_the_score_counts(page):
    form, item = asked(page, "rnn-same-weights")
    form.get_by_label(item["answers"][1]["answer"]).check()
    form.get_by_role("button").click()
    assert form.get_by_role("status").inner_text() == "✗ " + item["answers"][1]["feedback"]
    assert page.locator(".score").inner_text().startswith("0 of")
    form.get_by_label(item["answers"][0]["answer"]).check()
    form.get_by_role("button").click()
    assert form.get_by_role("status").inner_text() == "✓ " + item["answers"][0]["feedback"]
    assert page.locator(".score").inner_text().startswith("1 of")
    assert page.faults == []


def test_many_choices_need_all_of_the_right_ones(page):
    form, item = asked(page, "bag-wishes-again")
    right = [a for a in item["answers"] if a["correct"]]
    form.get_by_label(right[0]["answer"]).check()
    form.get_by_role("button").click()
    assert "at least one more" in form.get_by_role("status").inner_text()
    for answer in right:
        form.get_by_label(answer["answer"]).check()
    form.get_by_role("button").click()
    assert page.locator(".score").inner_text().startswith("1 of")


COUNTS = {"29362": "✓", "29 362": "✓", "29184": "✗ These", "-3": "✗ Add", "many": "✗ Write", "": "✗ Write"}
BITS = {"6": "✓", "6.0": "✓", "6e0": "✓", "12/2": "✓", "2^6": "✗ That is the perp", "4.158": "✗ That is ln"}


@pytest.mark.parametrize("typed, sign", COUNTS.items())
def test_numbers_are_read_as_people_write_them(page, typed, sign):
    form, _ = asked(page, "rnn-count")
    form.get_by_label("Your number").fill(typed)
    page.keyboard.press("Enter")
    assert form.get_by_role("status").inner_text().startswith(sign)


@pytest.mark.parametrize("typed, sign", BITS.items())
def test_powers_fractions_and_ranges_are_understood(page, typed, sign):
    form, _ = asked(page, "rnn-first-loss")
    form.get_by_label("Your number").fill(typed)
    form.get_by_role("button").click()
    assert form.get_by_role("status").inner_text().startswith(sign)


def test_an_empty_answer_is_asked_for(page):
    form, _ = asked(page, "rnn-order")
    form.get_by_role("button").click()
    assert "Choose an answer" in form.get_by_role("status").inner_text()


def test_without_scripts_the_answers_are_behind_folds(browser, tmp_path):
    page = open_page(browser, tmp_path, bare_page(quiz("04")), java_script_enabled=False)
    assert page.locator("details").count() == len(questions("04"))
    assert page.get_by_text(questions("04")[0]["question"]).first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, tmp_path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    narrow = {"width": 360, "height": 800}
    page = open_page(browser, tmp_path, bare_page(quiz("04")), color_scheme=scheme, viewport=narrow)
    for button in page.get_by_role("button").all():
        button.click()
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_text_of_a_quiz_is_never_html(browser, tmp_path, monkeypatch, good):
    bad = "</script><img src=x onerror='window.PWNED=1'> `<b>code</b>`"
    answers = [dict(a, answer=f"{bad} {i}", feedback=bad) for i, a in enumerate(good[0]["answers"])]
    good[0].update(question=bad, answers=answers)
    monkeypatch.setattr(quizzes, "questions", lambda chapter: good)
    for question, settings in [("legend", {}), ("li > p", {"java_script_enabled": False})]:
        page = open_page(browser, tmp_path, bare_page(quiz("04")), **settings)
        assert "</script><img src=x onerror=" in page.locator(question).first.inner_text()
        assert page.locator("img").count() == 0 and page.faults == []


def test_the_output_is_the_same_bytes_every_time():
    assert quiz("04").html == quiz("04").html
    assert json.loads(re.search(r"json\">(.*?)</script>", quiz("04").html).group(1))["chapter"] == "04"
