"""The figure of captions: the page's network is the library's, and glyphs can be chosen, drawn and read."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live
from unrolled.captions import describe
from unrolled.glyphs import SIZE, words
from unrolled.trainings.captions import trained

lib = importlib.import_module("unrolled.live.captions")
CHARS = "éЖA7ὦ"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, **settings):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.captions(**settings)), **more)
        page.ask = lambda code: page.locator("u-captions").evaluate(f"figure => {code}")
        return page

    return opened


def numbers(array):
    return f"Array.from({array})"


@pytest.mark.claim("C1")
@torch.no_grad()
def test_the_page_computes_what_torch_does(show):
    page, (model, _) = show(chars=CHARS), trained()
    for n in range(len(CHARS)):
        page.ask(f"figure.show({n})")
        picture = lib.page_of(page.ask(f"figure.data.pages[{n}]"))[None]
        state, x = model.start(picture), torch.tensor([[0, 5, 17]])
        logits, where = model(x, state)[0][0], model.weights(x, state)[0].flatten(1)
        page.ask("(figure.steps = [figure.net.start(figure.page)]) && 0")
        for t, id in enumerate(x[0].tolist()):
            page.ask(f"(figure.steps = [(figure.got = figure.net.step(figure.steps[0], {id})).state]) && 0")
            theirs = torch.tensor(page.ask(numbers("figure.got.logits")))
            torch.testing.assert_close(theirs, logits[t], atol=1e-4, rtol=1e-4)
            looked = torch.tensor(page.ask(numbers("figure.got.weights")))
            torch.testing.assert_close(looked, where[t], atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_it_says_what_the_library_says(show):
    page, (model, _) = show(chars=CHARS), trained()
    for n, char in enumerate(CHARS):
        page.get_by_role("button", name=f"Show {char}", exact=True).click()
        picture = lib.page_of(page.ask(f"figure.data.pages[{n}]"))[None]
        said = page.ask("figure.said.filter(w => w.id).map(w => figure.data.symbols[w.id]).join(' ')")
        assert said == words().decode(describe(model, picture)[0])


def test_a_picture_is_drawn_by_keyboard_and_by_pointer(show):
    page = show(chars="é")
    page.get_by_role("button", name="Blank page").click()
    assert page.ask("figure.page.reduce((a, b) => a + b)") == 0
    paper = page.get_by_role("application")
    paper.focus()
    for key in ("ArrowUp", "Space", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.ask("figure.page.reduce((a, b) => a + b)") == 2
    paper.click(position={"x": 20, "y": 20})
    assert page.ask("figure.page.reduce((a, b) => a + b)") == 3
    page.get_by_role("radio", name="rubber").check(force=True)
    paper.click(position={"x": 20, "y": 20})
    assert page.ask("figure.page.reduce((a, b) => a + b)") == 2


def test_a_word_can_be_chosen_to_see_where_it_looked(show):
    page = show(chars="é")
    first = page.get_by_role("group", name="What it says").get_by_role("button").first
    first.click()
    assert first.get_attribute("aria-pressed") == "true" and page.ask("figure.chosen") == 0


def test_it_fits_a_phone(show):
    page = show(viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_pictures_travel_as_digits_and_the_figure_is_small():
    figure = live.captions("é")
    assert "LATIN SMALL LETTER E WITH ACUTE" in repr(figure) and len(figure.html) < 450_000
    assert lib.page_of("9" * (SIZE[0] * SIZE[1])).equal(torch.ones(SIZE))


@pytest.mark.parametrize("wrong", ["", "\U0001f984"])
def test_what_cannot_be_shown_is_refused(wrong):
    with pytest.raises(ValueError, match="expected one character"):
        live.captions(wrong)
