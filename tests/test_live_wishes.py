"""The figure of the wish list: the page's three models are the library's, and it says who notices what."""

import importlib
import random
import re

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import stories
from unrolled.live import train_wishes
from unrolled.looks import LOOKS
from unrolled.wishlist import distance, predict

lib = importlib.import_module("unrolled.live.wishes")
NEAR, FAR = 1e-9, 1e-4  # exact counts; 32-bit sums in another order


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def trio():
    return lib.trained(lib.TRAINED)


@pytest.fixture(scope="module")
def figure():
    return lib.wishes()


@pytest.fixture
def show(browser, tmp_path, figure):
    """The figure in a bare page; `page.ask(code)` evaluates code that knows it as `figure`."""

    def opened(shown=figure, width=1280, **settings):
        settings["viewport"] = {"width": width, "height": 900}
        page = open_page(browser, tmp_path, bare_page(shown), **settings)
        page.figure = page.locator("u-wishes")
        page.ask = lambda code, *given: page.figure.evaluate(f"(figure, given) => {code}", list(given))
        return page

    return opened


def moved(trio, before: list[int], now: list[int]) -> list[float]:
    """How far the library's three models move from one context to the other."""
    one, other = torch.tensor([before]), torch.tensor([now])
    with torch.no_grad():
        return [float(distance(predict(m, one), predict(m, other))) for m in trio.models.values()]


# --- the same mathematics as the library


def test_the_page_guesses_as_the_library_does(show, trio):
    page, rng = show(), random.Random(0)
    V = len(trio.vocab)
    told = [lib.row(trio.vocab, text) for text in lib.CONTEXTS.values()]
    rows = [x[:n].tolist() for x in told for n in (1, 2, 3, len(x))]
    rows += [[0, *(rng.randrange(V) for _ in range(n))] for n in (1, 2, 9, 30)]
    assert page.ask("figure.symbols") == list(trio.vocab.symbols)
    code = "figure.panels.map(panel => given[0].map(ids => [...panel.model.guess(ids)]))"
    for (name, model), theirs in zip(trio.models.items(), page.ask(code, rows)):
        with torch.no_grad():
            ours = torch.stack([model(torch.tensor([ids]))[0][0, -1].double().softmax(-1) for ids in rows])
        wrong = (torch.tensor(theirs, dtype=torch.float64) - ours).abs().max()
        assert wrong < (NEAR if name == "ngram" else FAR), name


def test_the_network_of_the_page_does_not_mix_up_what_it_read_before(show):
    page = show()
    rows = [[0, 5, 6, 7], [0, 5, 6], [0, 5, 6, 7, 8], [0, 9], [0, 5, 6, 7]]
    one_by_one = "given[0].map(ids => [...figure.panels[2].model.guess(ids)])"
    afresh = one_by_one.replace("[...", "(figure.panels[2].model.read = []) && [...")
    assert page.ask(one_by_one, rows) == page.ask(afresh, rows)


EDITS = [
    "figure.change(figure.others[figure.at][0])",
    "figure.change(figure.others[figure.at][4])",
    "figure.swap()",
    "figure.reverse()",
    "(figure.choose(figure.ids.length - 1), figure.change(figure.others[figure.at][1]))",
    "(figure.choose(figure.ids.length - 4), figure.change(figure.others[figure.at][2]), figure.swap())",
]


@pytest.mark.parametrize("name", lib.CONTEXTS)
def test_each_guess_moves_as_far_as_the_library_says(show, trio, name):
    page = show()
    page.get_by_role("radio", name=name, exact=True).check(force=True)
    x = lib.row(trio.vocab, lib.CONTEXTS[name]).tolist()
    assert page.ask("figure.ids") == x
    for edit in EDITS:  # one upon the other
        now, theirs = page.ask(f"({edit}, [figure.ids, figure.panels.map(panel => panel.moved)])")
        assert now != x
        assert theirs == pytest.approx(moved(trio, x, now), abs=FAR)


def test_the_charts_show_the_mean_effect_of_the_words_that_the_list_offers(show, trio):
    page = show()
    x = lib.row(trio.vocab, lib.CONTEXTS["country"])
    others = [lib.options(trio, x, i) for i in range(1, len(x))]
    assert page.ask("figure.others.slice(1)") == [ids.tolist() for ids in others]
    for model, theirs in zip(trio.models.values(), page.ask("figure.panels.map(p => p.effects.slice(1))")):
        ours = [lib.effect(model, x, i, ids) for i, ids in enumerate(others, start=1)]
        assert theirs == pytest.approx(ours, abs=FAR)


def test_each_model_looks_as_on_every_plot():
    for name, (_, colour, dashes, marker) in lib.looks().items():
        assert (colour, marker) == (LOOKS[name].colour, LOOKS[name].marker)
        assert bool(dashes) == (LOOKS[name].dash != "-")


# --- what was trained


def test_the_command_makes_what_the_figure_loads(tmp_path):
    path = tmp_path / "small.safetensors"
    train_wishes.main(["--hidden", "6", "--steps", "8", "--stories", "40", "--out", str(path)])
    trio = lib.trained(path)
    assert trio.models["rnn"].hidden == 6
    assert {"device", "date", "seed", "command", "bag_seconds", "rnn_seconds", "rnn_bits"} <= set(trio.facts)
    assert "trigram" in lib.wishes(path=path).text


def test_the_stories_are_those_that_the_models_were_trained_on(trio):
    fresh = stories.sample(60, seed=99, lag=lib.LAG)
    for name, model in trio.models.items():
        now = train_wishes.bits(model, trio.vocab, fresh)
        assert now == pytest.approx(trio.facts[f"{name}_bits"], abs=0.2), "the stories changed: train again"


def test_the_network_is_best_and_nothing_is_better_than_possible(trio):
    f = trio.facts
    assert f["floor"] < f["rnn_bits"] < min(f["bag_bits"], f["ngram_bits"])
    assert f["rnn_seconds"] + f["bag_seconds"] < 90


def test_batches_begin_where_stories_begin():
    x = torch.tensor([0, 1, 2, 0, 3, 0])
    rows = next(train_wishes.beginnings(x, length=7, batch=20))
    assert rows.shape == (20, 8)
    assert {tuple(row) for row in rows.tolist()} == {(0, 1, 2, 0, 3, 0, 1, 2), (0, 3, 0, 1, 2, 0, 3, 0)}


# --- handled by a person


def test_a_far_change_is_lost_on_the_trigram_only(show):
    page = show()
    page.get_by_label("Change “France”").select_option("Spain")
    said = page.locator(".verdict").inner_text()
    assert said.startswith("“France” became “Spain”, 23 words back. The trigram did not notice: it sees two")
    assert re.search(r"The bag noticed \(0\.\d\d\): now “Madrid”, no longer “Paris”\.", said)
    assert re.search(r"The network noticed \(\d\.\d\d\): now “Madrid”, no longer “Paris”\.", said)
    assert page.locator(".moved b").first.inner_text() == "0.00"


def test_another_order_is_lost_on_the_bag_only(show):
    page = show()
    page.get_by_role("button", name="Reverse all").click()
    said = page.locator(".verdict").inner_text()
    assert "The bag did not notice: the same words are in it." in said
    assert "The trigram noticed" in said and "The network noticed" in said


def test_everything_can_be_put_back(show):
    page = show()
    before = page.locator(".words").inner_text()
    for name in ("Swap with the next", "Swap with the next", "Reverse all"):
        page.get_by_role("button", name=name).click()
        assert page.locator(".words").inner_text() != before
    page.get_by_role("button", name="Put back").click()
    assert page.locator(".words").inner_text() == before
    assert page.locator(".verdict").inner_text().startswith("Nothing is changed yet")
    assert page.ask("figure.panels.map(panel => panel.moved)") == [0, 0, 0]


def test_swapping_carries_a_word_to_the_end_and_stops_there(show):
    page = show()
    last = page.ask("(figure.choose(figure.ids.length - 2), figure.swap(), [figure.at, figure.ids.length])")
    assert last[0] == last[1] - 1
    assert page.ask("(figure.swap(), figure.at)") == last[0] - 1


def test_the_keyboard_chooses_and_changes_a_word(show):
    page = show()
    page.get_by_role("radio", name="France").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("Change “with”").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("radio", name="changed").count() == 1
    for _ in range(6):
        page.keyboard.press("Tab")
        drawn = "[figure.shadowRoot.activeElement, figure.shadowRoot.activeElement?.nextSibling]"
        outlines = f"{drawn}.filter(e => e instanceof Element).map(e => getComputedStyle(e).outlineWidth)"
        assert "3px" in page.ask(outlines) or page.ask("figure.shadowRoot.activeElement === null")


def test_a_finger_chooses_a_word(show):
    page = show(has_touch=True, width=390)
    page.get_by_role("radio", name="London").tap(force=True)
    assert page.get_by_label("Change “London”, 2 words back").count() == 1


def test_a_screen_reader_hears_the_verdict_once(show):
    page = show()
    page.wait_for_timeout(900)
    page.evaluate("heard = []")
    watch = "v => new MutationObserver(() => heard.push(v.textContent)).observe(v, {childList: true})"
    page.locator("[aria-live=polite]").evaluate(watch)
    page.ask(f"({EDITS[0]}, figure.swap(), figure.reverse(), null)")
    page.wait_for_function("heard.length == 1")
    assert page.evaluate("heard[0]") == page.locator(".verdict").inner_text()


# --- for every reader


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(show, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show(width=width, color_scheme=scheme)
    page.ask(f"({EDITS[0]}, null)")
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
    assert page.faults == []


def test_a_narrow_page_does_not_scroll_sideways_and_targets_are_large(show):
    page = show(width=320)
    for name in lib.CONTEXTS:
        page.get_by_role("radio", name=name, exact=True).check(force=True)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        boxes = [control.bounding_box() for control in page.locator("button, input, select").all()]
        assert min(min(box["height"], box["width"]) for box in boxes) >= 24


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_jump(show, width):
    reserved = show(width=width, java_script_enabled=False).figure.bounding_box()["height"]
    page = show(width=width)
    height = page.figure.bounding_box()["height"]
    assert abs(height - reserved) < 60  # what the page kept free before the script ran
    for edit in EDITS[:1] + EDITS[3:4]:
        page.ask(f"({edit}, null)")
        assert abs(page.figure.bounding_box()["height"] - height) < 40  # words may need one line more


def test_without_scripts_the_figure_says_what_was_measured(show, figure, trio):
    words = show(java_script_enabled=False).locator("main").inner_text()
    x = lib.row(trio.vocab, lib.CONTEXTS["country"])
    moves = [lib.effect(m, x, 6, lib.options(trio, x, 6)) for m in trio.models.values()]
    assert f"trigram {moves[0]:.2f}, bag {moves[1]:.2f}, network {moves[2]:.2f}" in words
    assert "change “France”, 23 words back" in figure.text and "<" not in figure.text


# --- how it travels


def test_the_figure_weighs_little(figure):
    assert len(figure.html.encode()) <= 300_000


def test_a_name_is_never_run_as_html(show):
    page = show(lib.wishes({'</script><img src=x onerror="window.PWNED=1">': "Tim was"}))
    assert page.evaluate("window.PWNED") is None
    assert page.locator("img").count() == 0 and page.faults == []


def test_a_word_that_the_models_do_not_know_is_named():
    with pytest.raises(ValueError, match="xylophone"):
        lib.wishes({"odd": "Tim took the xylophone"})
    with pytest.raises(ValueError, match="'short' has 1 word"):
        lib.wishes({"short": "Tim"})
