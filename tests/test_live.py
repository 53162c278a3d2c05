"""The live figures: the same numbers as the library, in a bare page, by mouse and by keyboard."""

import math
import random
from types import SimpleNamespace

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live, stories
from unrolled.checkpoint import save
from unrolled.evaluate import evaluate
from unrolled.generate import generate, greedy
from unrolled.information import bits_saved
from unrolled.live import page as pages
from unrolled.live import train_rnn
from unrolled.ngram import NGram
from unrolled.rnn import RNN
from unrolled.vocab import Vocab

TEXT = stories.text(40, seed=3)
ESCAPES = 'a</script><img src=x onerror="window.PWNED=1">&amp;<!--<script>\u2028$x$'

OUTLINES = """(() => { const now = figure.shadowRoot.activeElement;
    const drawn = [now, now?.nextSibling].filter((node) => node instanceof Element);
    return drawn.map((node) => getComputedStyle(node).outlineWidth) })()"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def figures():
    """All figures, made once."""
    return SimpleNamespace(ngram=live.ngram(TEXT, seed=2), rnn=live.rnn(), order=live.order())


@pytest.fixture
def show(browser, tmp_path):
    """Open figures in a bare page of some width; the element of the first is `page.figure`."""

    def opened(*outputs, width=1280, **settings):
        settings["viewport"] = {"width": width, "height": 900}
        page = open_page(browser, tmp_path, bare_page(*outputs), **settings)
        page.figure = page.locator("main > div > *").first
        page.model = lambda code, *given: page.figure.evaluate(f"(figure, given) => {code}", list(given))
        return page

    return opened


# --- the same mathematics as the library


def contexts(text: str, count: int) -> list[str]:
    """Pieces of the text, pieces with a wrong last symbol, and soup: seen and unseen, short and long."""
    rng = random.Random(0)
    start = [rng.randrange(len(text) - 12) for _ in range(count)]
    seen = [text[i : i + rng.randrange(1, 12)] for i in start]
    wrong = [c[:-1] + rng.choice(text) for c in seen]
    return ["", *seen, *wrong, *("".join(rng.choices(text, k=8)) for _ in range(count))]


@pytest.mark.parametrize("smoothing", live.SMOOTHINGS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_the_page_counts_as_the_library_does(show, figures, n, smoothing):
    page = show(figures.ngram)
    text = "\n" + TEXT
    vocab = Vocab.chars(text)
    kind, alpha = live.SMOOTHINGS[smoothing]
    model = NGram(n, len(vocab), kind, alpha).fit(vocab.encode(text)).double()
    asked = contexts(TEXT, 30)
    ours = [model(vocab.encode("\n" + c)[None])[0][0, -1].exp() for c in asked]
    code = "given[0].map(c => [...figure.model.row(figure.model.encode(c), given[1], given[2]).p])"
    theirs = torch.tensor(page.model(code, asked, n, smoothing), dtype=torch.float64)
    assert page.model("figure.model.symbols") == list(vocab.symbols)
    assert torch.allclose(theirs, torch.stack(ours), atol=1e-9)


def test_symbols_beyond_the_basic_plane_are_one_symbol_in_the_page_too(show):
    text = "🚂 🚂 ride\n🚂 stop, 🛶 go\n"
    page = show(live.ngram(text, n=2, smoothing="none", prompt="🚂"))
    assert page.model("figure.model.symbols.filter((_, i) => figure.row().p[i] == 1)") == [" "]


def test_the_page_computes_the_logits_of_torch(show, figures):
    page = show(figures.rnn)
    model, vocab, _ = live.trained(live.TRAINED)
    text = stories.text(3, seed=11)[:400]
    ids = vocab.encode("\n" + text)
    page.locator("textarea").fill(text)
    theirs = torch.tensor(page.model("figure.steps.map(s => Array.from(s.logits))"))
    ours, _ = model(ids[None])
    assert theirs.shape == ours[0].shape
    assert (theirs - ours[0]).abs().max() < 1e-4


def test_two_hundred_greedy_symbols_are_those_of_torch(show, figures):
    page = show(figures.rnn)
    model, vocab, _ = live.trained(live.TRAINED)
    prompt = "Tim was planning to visit "
    ours = vocab.decode(generate(model, vocab.encode("\n" + prompt)[None], 200, pick=greedy)[0])
    page.model("(figure.temperature = 0, figure.read(given[0]), null)", prompt)
    theirs = page.model("(Array.from({length: 200}, () => figure.write()), figure.text)")
    assert "\n" + theirs == ours


def test_half_precision_arrives_bit_by_bit(show, figures):
    page = show(figures.rnn)
    model, _, _ = live.trained(live.TRAINED)
    theirs = page.model("Array.from(figure.model.W_h)")
    assert torch.equal(torch.tensor(theirs).view(model.W_h.shape), model.W_h.detach())


def test_numbers_too_small_for_half_precision_s_leading_one_arrive_too(show, tmp_path):
    model = RNN(2, 2)
    model.W_h.data = torch.tensor([[6e-8, -3e-5], [-65504.0, 0.1]])
    save(tmp_path / "odd.safetensors", model, Vocab.chars("\na"))
    page = show(live.rnn(tmp_path / "odd.safetensors", prompt="a"))
    assert page.model("Array.from(figure.model.W_h)") == model.W_h.half().flatten().tolist()


def test_another_order_of_the_units_changes_nothing_but_the_picture():
    model, x = RNN(7, 12), torch.randint(7, (2, 9))
    before, _ = model(x)
    train_rnn.reorder(model, train_rnn.slow_to_fast(model, x[0]))
    after, _ = model(x)
    assert torch.allclose(before, after, atol=1e-6)
    assert torch.equal(train_rnn.slow_to_fast(model, x[0]), torch.arange(12))


def test_the_training_command_makes_what_the_figure_loads(tmp_path):
    path = tmp_path / "small.safetensors"
    train_rnn.main(["--hidden", "6", "--steps", "6", "--stories", "60", "--out", str(path)])
    model, vocab, facts = live.trained(path)
    assert (model.hidden, model.vocab_size) == (6, len(vocab))
    assert {"device", "date", "seed", "seconds", "bits", "floor", "command"} <= set(facts)
    assert "6 numbers" in live.rnn(path).text


def test_the_network_of_the_book_says_what_it_is_and_comes_close_to_the_floor():
    model, vocab, facts = live.trained(live.TRAINED)
    assert facts["floor"] < facts["bits"] < facts["floor"] + 0.25
    assert all(facts[name] for name in ("device", "date", "seconds", "command"))
    now = evaluate(model, vocab.encode("\n" + stories.text(60, seed=99))).bits
    assert now == pytest.approx(facts["bits"], abs=0.05), "the stories have changed: train again"


@pytest.mark.parametrize("text", ["", "a", "abababab", TEXT, "🚂🛶🚂 🛶"])
def test_the_page_saves_as_many_bits_by_order_as_the_library_says(show, text):
    page = show(live.order(text))
    theirs, shuffled = page.model("figure.saved")
    assert theirs == pytest.approx(bits_saved(Vocab.chars(text + "x").encode(text)), abs=1e-9)
    if text == TEXT:
        assert shuffled < theirs / 2


def test_an_alternating_row_saves_the_whole_bit_and_a_shuffle_keeps_its_symbols(show):
    page = show(live.order("ab" * 500 + "a"))
    assert page.model("figure.saved[0]") == pytest.approx(1, abs=1e-3)
    mixed = page.locator(".squares")
    before = mixed.inner_text()
    page.get_by_role("button", name="Shuffle").click()
    assert mixed.inner_text() != before and set(mixed.inner_text().split()) == {"a", "b"}
    page.locator("textarea").fill("ccc")
    assert page.locator(".stats b").first.inner_text() == "3"


# --- handled by a person


def test_a_figure_shows_bars_before_anything_is_touched(show, figures):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure)
        assert page.locator("ol button").filter(has_text="%").count() == 8
        assert page.faults == []


def test_choosing_a_bar_writes_its_symbol(show, figures):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure)
        symbol = page.locator("ol kbd").nth(1).inner_text()
        page.locator("ol button").nth(1).click()
        assert page.locator("textarea").input_value() == "Tim was planning to visit " + symbol


def test_one_symbol_then_a_line_then_the_start_again(show, figures):
    page = show(figures.ngram)
    page.get_by_role("button", name="Write one").click()
    assert len(page.locator("textarea").input_value()) == len("Tim was planning to visit ") + 1
    page.get_by_role("button", name="Write a line").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Write a line").wait_for()
    assert page.locator("textarea").input_value().endswith("\n")
    page.get_by_role("button", name="Restart").click()
    assert page.locator("textarea").input_value() == "Tim was planning to visit "


def test_the_network_plays_and_pauses(show, figures):
    page = show(figures.rnn)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('u-rnn').text.length > 30")
    page.get_by_role("button", name="Pause").click()
    text = page.locator("textarea").input_value()
    page.wait_for_timeout(300)
    assert page.locator("textarea").input_value() == text


def test_everybody_who_presses_the_same_buttons_reads_the_same_story(show, figures):
    lines = []
    for _ in range(2):
        page = show(figures.ngram)
        page.model("(figure.player.rush(99), null)")
        lines.append(page.locator("textarea").input_value())
    assert lines[0] == lines[1] != "Tim was planning to visit "


def test_typing_is_read_at_once(show, figures):
    page = show(figures.ngram)
    page.locator("textarea").fill("Paris")
    assert page.locator(".seen").all_inner_texts() == list("ris")
    page.get_by_role("radio", name="n = 6").check(force=True)
    assert page.locator(".seen").all_inner_texts() == list("Paris")


def test_a_context_that_was_never_seen_is_said_to_be_unknown(show, figures):
    page = show(figures.ngram)
    page.get_by_role("radio", name="none").check(force=True)
    page.locator("textarea").fill("uuuu")
    assert "never seen" in page.locator(".note").inner_text()
    assert "nothing to say" in page.locator(".rest").inner_text()
    assert page.locator("ol button:visible").count() == 0
    page.get_by_role("button", name="Write one").click()
    assert page.locator("textarea").input_value() == "uuuu"


def test_symbols_that_a_model_does_not_know_are_named(show, figures):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure)
        page.locator("textarea").fill("Tim é ß")
        assert "é ß" in page.locator(".note").inner_text()
        assert page.faults == []


def test_the_keyboard_reaches_and_moves_everything(show, figures):
    page = show(figures.ngram)
    page.get_by_role("radio", name="n = 4").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".seen").count() == 4
    page = show(figures.rnn)
    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    assert page.model("figure.temperature") == 2
    page.get_by_role("button", name="Step").focus()
    page.keyboard.press("Space")
    assert len(page.locator("textarea").input_value()) == len("Tim was planning to visit ") + 1


def test_a_figure_keeps_its_keys_from_the_notebook_and_shows_where_the_focus_is(show, figures):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure)
        assert page.figure.get_attribute("data-lm-suppress-shortcuts") == "true"  # it asks the element
        for _ in range(13):  # the text, three buttons, eight bars, and at least one control more
            page.keyboard.press("Tab")
            assert "3px" in page.model(OUTLINES)


def test_less_motion_means_a_line_at_once_and_no_transitions(show, figures):
    page = show(figures.ngram, reduced_motion="reduce")
    page.get_by_role("button", name="Write a line").click()
    assert page.locator("textarea").input_value().endswith("\n")
    assert page.locator(".track i").first.evaluate("e => getComputedStyle(e).transitionProperty") == "none"


def test_nothing_moves_on_its_own(show, figures):
    page = show(figures.rnn)
    before = page.locator("textarea").input_value()
    page.wait_for_timeout(400)
    assert page.locator("textarea").input_value() == before


# --- for every reader


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(show, figures, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show(*vars(figures).values(), width=width, color_scheme=scheme)
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []


def test_a_narrow_page_does_not_scroll_sideways_and_targets_are_large(show, figures):
    page = show(*vars(figures).values(), width=320)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    for box in [c.bounding_box() for c in page.locator("button:visible, input").all()]:
        assert box["height"] >= 24 and box["width"] >= 24


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_jump(show, figures, width):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure, width=width)
        height = page.figure.bounding_box()["height"]
        page.model("(Array.from({length: 300}, () => (figure.write(), figure.refresh())), null)")
        assert page.figure.bounding_box()["height"] == height
        reserved = page.figure.evaluate("e => parseFloat(getComputedStyle(e).minHeight)")
        assert abs(height - reserved) < 60  # what the page kept free before the script ran


def test_a_screen_reader_hears_one_sentence_when_things_have_come_to_rest(show, figures):
    page = show(figures.rnn)
    voice = page.locator("[aria-live=polite]").last
    page.get_by_role("button", name="Play").click()
    page.evaluate("heard = []")
    voice.evaluate("v => new MutationObserver(() => heard.push(v.textContent)).observe(v, {childList: true})")
    page.wait_for_function("document.querySelector('u-rnn').text.length > 36")
    assert page.evaluate("heard.length") == 0
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function("heard.length == 1")
    assert page.evaluate("heard[0]").startswith("After “") and "%" in page.evaluate("heard[0]")


def test_without_scripts_the_figure_is_a_snapshot_in_words(show, figures):
    for figure in (figures.ngram, figures.rnn):
        page = show(figure, java_script_enabled=False)
        words = page.locator("main").inner_text()
        assert "After Tim␣was␣planning␣to␣visit␣ it expects" in words and "%" in words
        assert "expects" in figure.text and "<" not in figure.text


def test_the_theme_of_the_page_wins(show, figures):
    page = show(figures.ngram, color_scheme="light")
    assert not page.model("figure.hasAttribute('dark')")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function("document.querySelector('u-ngram').hasAttribute('dark')")


# --- how it travels


def test_nothing_in_the_data_is_ever_run_as_html(show):
    page = show(live.ngram(ESCAPES * 3 + "\n", n=2, prompt=ESCAPES), live.ngram(TEXT))
    page.get_by_role("button", name="Write one").first.click()
    assert page.evaluate("window.PWNED") is None
    assert page.faults == []
    assert page.locator("textarea").first.input_value().startswith(ESCAPES[:20])


def test_ten_outputs_in_one_page_define_each_element_once(show, figures):
    page = show(*[figures.ngram] * 9, figures.rnn)
    for figure in page.locator("u-ngram, u-rnn").all():
        figure.scroll_into_view_if_needed()  # figures start when a reader comes near
    assert page.locator("textarea").count() == 10
    assert page.faults == []


def test_a_figure_weighs_little():
    sizes = {figure: len(figure().html.encode()) for figure in (live.order, live.ngram, live.rnn)}
    assert max(sizes.values()) <= 300_000, sizes


def test_the_bundle_has_a_page_and_words():
    figure = pages.Figure("<p>1</p>", "one")
    assert figure._repr_mimebundle_() == {"text/html": "<p>1</p>", "text/plain": "one"}
    assert repr(figure) == "one"


def test_a_wrong_setting_is_named():
    with pytest.raises(ValueError, match="n = 7"):
        live.ngram(TEXT, n=7)
    with pytest.raises(ValueError, match="witten_bell"):
        live.ngram(TEXT, smoothing="witten_bell")


def test_chances_are_sorted_probabilities(figures):
    model, vocab, _ = live.trained(live.TRAINED)
    rows = [p for _, p in live.chances(model, vocab, "Tim")]
    assert rows == sorted(rows, reverse=True) and math.fsum(rows) <= 1 + 1e-6
