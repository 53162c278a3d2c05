"""The figure of order: the page counts, shuffles and measures as the library does, for every reader."""

import importlib
import random

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live, stories
from unrolled.information import bits_saved

lib = importlib.import_module("unrolled.live.order")
STORY = stories.text(1, seed=3).strip()
ODD = "Don’t! 🚂🛶🚂 🛶 naïve e\u0301te\u0301 東京 ½ x² a_b 'twas\tthe\nend--<b>&amp;</b> O'Brien's"
TEXTS = ["", "a", "ab", "abababab", STORY, stories.text(40, seed=3), ODD]


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    """A figure in a bare page; `page.ask(code)` evaluates code that knows it as `figure`."""

    def opened(text=STORY, width=1280, unit="characters", **settings):
        settings["viewport"] = {"width": width, "height": 900}
        page = open_page(browser, tmp_path, bare_page(live.order(text, unit)), **settings)
        page.figure = page.locator("u-order")
        page.ask = lambda code: page.figure.evaluate(f"figure => {code}")
        page.row = lambda: page.locator(".squares span").all_inner_texts()
        return page

    return opened


# --- the same mathematics as the library


@pytest.mark.parametrize("unit", lib.UNITS)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_page_measures_what_the_library_does(show, text, unit):
    page = show(text, unit=unit)
    row = lib.elements(text, unit)
    kinds, x = lib.numbered(row)
    assert page.ask("[figure.row, figure.kinds, figure.x]") == [row, kinds, x.tolist()]
    assert page.ask("figure.saved") == pytest.approx([bits_saved(x), lib.by_chance(x)], abs=1e-9)


def test_the_page_draws_the_random_numbers_of_the_library(show):
    page, x = show(), lib.numbered(list(STORY))[1]
    for seed in (0, 7, 2**31 + 5):
        page.ask(f"(figure.data.seed = {seed}, figure.read(figure.text), null)")
        assert page.ask("figure.chance") == pytest.approx(lib.by_chance(x, seed), abs=1e-9)


def test_a_shuffle_keeps_the_elements_and_all_orders_come_up():
    draws = lib.uniform(0)
    orders = [tuple(lib.shuffled([1, 2, 3], draws)) for _ in range(600)]
    assert {tuple(sorted(order)) for order in orders} == {(1, 2, 3)}
    assert min(orders.count(order) for order in set(orders)) > 60 and len(set(orders)) == 6


def test_random_numbers_are_spread_evenly():
    draws = lib.uniform(1)
    numbers = torch.tensor([next(draws) for _ in range(4000)])
    assert 0 <= numbers.min() and numbers.max() < 1
    assert torch.histc(numbers, 10, 0, 1).min() > 320


def test_a_long_text_saves_little_by_chance_and_a_short_one_much():
    text = stories.text(100, seed=5)
    by_chance = [lib.by_chance(lib.numbered(list(text[:n]))[1]) for n in (100, 1000, 10_000)]
    assert by_chance == sorted(by_chance, reverse=True)
    assert by_chance[0] > 1 and by_chance[-1] < 0.2


# --- handled by a person


def test_what_repeats_is_filled_and_what_stands_once_is_hollow(show):
    page = show("abcabd")
    hollow = page.locator(".squares .once")
    assert page.row() == list("abcabd") and hollow.all_inner_texts() == ["c", "d"]
    assert hollow.first.evaluate("e => getComputedStyle(e).borderStyle") == "dashed"
    assert page.locator(".stats").inner_text().split() == "6 characters 4 different 2 of them repeat".split()


def test_shuffle_mixes_the_row_and_it_can_be_put_back(show):
    page, before = show(), list(STORY.replace(" ", "␣"))
    in_order = page.ask("figure.saved[0]")
    page.get_by_role("button", name="Shuffle").click()
    assert page.row() != before and sorted(page.row()) == sorted(before)
    assert page.ask("figure.saved[0]") != in_order
    page.get_by_role("button", name="Put back in order").click()
    assert page.row() == before and page.ask("figure.saved[0]") == in_order


def test_the_order_of_a_longer_text_is_worth_more_than_chance_until_it_is_shuffled(show):
    page = show(stories.text(20, seed=1))
    order, chance = page.ask("figure.saved")
    assert order > 2 * chance
    page.get_by_role("button", name="Shuffle").click()
    assert page.ask("figure.saved[0]") == pytest.approx(chance, rel=0.1)
    assert "What is left after shuffling is the error of a short text." in page.locator(".note").inner_text()
    assert len(page.row()) == 300 and "the first 300 of" in page.locator(".key").inner_text()


def test_everybody_sees_the_same_shuffle(show):
    rows = []
    for _ in range(2):
        page = show()
        page.get_by_role("button", name="Shuffle").click()
        rows.append(page.row())
    assert rows[0] == rows[1]


def test_words_are_elements_too(show):
    page = show("the cat, the dog")
    page.get_by_role("radio", name="words").check(force=True)
    assert page.row() == ["the", "cat", ",", "the", "dog"]
    assert page.locator(".most button").get_attribute("aria-label") == "the, 2 times"


def test_typing_is_counted_at_once(show):
    page = show()
    for text, said in (("ccc", "3 characters"), ("xyz", "0 of them repeat"), ("", "0 characters")):
        page.locator("textarea").fill(text)
        assert said in page.locator(".stats").inner_text()
    assert page.locator(".most").inner_text().endswith("Nothing repeats.")
    assert page.faults == []


def test_an_element_is_marked_by_its_button_or_its_square(show):
    page = show("banana")
    assert page.locator(".squares .marked").all_inner_texts() == ["a"] * 3
    page.get_by_role("button", name="n, 2 times").press("Enter")
    assert page.locator(".squares .marked").all_inner_texts() == ["n"] * 2
    assert page.locator("[aria-pressed=true]").get_attribute("aria-label") == "n, 2 times"
    page.locator(".squares span").first.click()
    assert page.locator(".squares .marked").all_inner_texts() == ["b"]
    page.locator(".squares span").first.click()
    assert page.locator(".squares .marked").count() == 0


@pytest.mark.parametrize("motion, moving", [("no-preference", True), ("reduce", False)])
def test_squares_glide_unless_the_reader_wants_less_motion(show, motion, moving):
    page = show(reduced_motion=motion)
    page.get_by_role("button", name="Shuffle").click()
    assert (page.ask("figure.squares.lastChild.getAnimations().length") > 0) == moving
    page.wait_for_function("document.querySelector('u-order').shadowRoot.getAnimations().length == 0")


def test_the_keyboard_reaches_everything_and_focus_shows(show):
    page, seen = show("banana"), []
    for _ in range(7):
        page.keyboard.press("Tab")
        now = "figure.shadowRoot.activeElement"
        drawn = f"[{now}, {now}.nextSibling].filter(e => e instanceof Element)"
        assert "3px" in page.ask(f"{drawn}.map(e => getComputedStyle(e).outlineWidth)")
        seen.append(page.ask(f"{now}.tagName"))
    assert seen == ["TEXTAREA", "INPUT", "DIV", "BUTTON", "BUTTON", "BUTTON", "BUTTON"]


def test_a_screen_reader_hears_one_sentence(show):
    page = show()
    page.wait_for_timeout(900)
    page.evaluate("heard = []")
    watch = "v => new MutationObserver(() => heard.push(v.textContent)).observe(v, {childList: true})"
    page.locator("[aria-live=polite]").evaluate(watch)
    page.locator("textarea").press_sequentially("abc")
    page.wait_for_function("heard.length == 1")
    assert page.evaluate("heard[0]").startswith(f"{len(STORY) + 3} characters, ")


# --- for every reader


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(show, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show(stories.text(9), width=width, color_scheme=scheme)
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []


@pytest.mark.parametrize("unit", lib.UNITS)
def test_a_narrow_page_does_not_scroll_sideways_and_targets_are_large(show, unit):
    page = show("A" * 60 + " " + STORY, width=320, unit=unit)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    boxes = [control.bounding_box() for control in page.locator("button, input").all()]
    assert min(min(box["height"], box["width"]) for box in boxes) >= 24


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_jump(show, width):
    reserved = show(width=width, java_script_enabled=False).figure.bounding_box()["height"]
    page = show(width=width)
    height = page.figure.bounding_box()["height"]
    assert abs(height - reserved) < 80  # what the page kept free before the script ran
    for name in ("Shuffle", "Shuffle", "Put back in order"):
        page.get_by_role("button", name=name).click()
        assert page.figure.bounding_box()["height"] == height


def test_without_scripts_the_figure_says_what_was_measured(show):
    words = show(java_script_enabled=False).locator("main").inner_text()
    x = lib.numbered(list(STORY))[1]
    assert f"saves {bits_saved(x):.2f} bits" in words and f"row, {lib.by_chance(x):.2f}" in words
    assert live.order(STORY).text in words


# --- how it travels


def test_nothing_in_the_text_is_ever_run_as_html(show):
    page = show('</script><img src=x onerror="window.PWNED=1">&amp;\u2028<!--<script>', unit="words")
    page.get_by_role("button", name="Shuffle").click()
    assert page.evaluate("window.PWNED") is None
    assert page.locator("img").count() == 0 and page.faults == []


def test_the_figure_weighs_little():
    assert len(live.order().html.encode()) <= 60_000


def test_a_long_text_is_counted_up_to_a_limit(show):
    text = "".join(random.Random(0).choices("abc", k=lib.LONGEST + 500))
    assert show(text).ask("figure.row.length") == len(lib.elements(text)) == lib.LONGEST


def test_an_unknown_unit_is_named():
    with pytest.raises(ValueError, match="'syllables'"):
        live.order("a", unit="syllables")
