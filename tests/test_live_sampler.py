"""The figure of the sampler: the LSTM and the cuts of the library, in the page."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live, stories
from unrolled.evaluate import evaluate
from unrolled.generate import generate, greedy, sample
from unrolled.live import train_writers

lib = importlib.import_module("unrolled.live.sampler")
PROMPT = "Tim was planning to visit "
SETTINGS = [(1.0, None, 1.0), (0.5, 5, 1.0), (1.5, None, 0.9), (0.7, 3, 0.5), (2.0, 20, 0.35), (0, None, 1.0)]


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def writer():
    return lib.trained("lstm")


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, **settings):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.sampler(**settings)), **more)
        page.ask = lambda code, *given: page.locator("u-sampler").evaluate(
            f"(figure, given) => {code}", list(given))
        return page

    return opened


@pytest.mark.claim("G1")
def test_the_page_computes_the_logits_of_torch(show, writer):
    text = stories.text(2, seed=11)[:200]
    ours, _ = writer.model(writer.vocab.encode("\n" + text)[None])
    code = "[...given[0]].map(s => (figure.take(s), [...figure.logits]))"
    theirs = torch.tensor(show(prompt="").ask(code, text))
    assert (theirs - ours[0, 1:]).abs().max() < 1e-4


@pytest.mark.claim("G2")
def test_a_hundred_greedy_symbols_are_those_of_torch(show, writer):
    ids = generate(writer.model, writer.vocab.encode("\n" + PROMPT)[None], 100, greedy)[0, 1:]
    theirs = show(temperature=0).ask("(Array.from({length: 100}, () => figure.write()), figure.text)")
    assert theirs == writer.vocab.decode(ids)


@pytest.mark.parametrize("temperature, top_k, top_p", SETTINGS)
def test_what_is_left_is_what_the_library_draws_from(show, writer, temperature, top_k, top_p):
    with torch.no_grad():
        logits = writer.model(writer.vocab.encode("\n" + PROMPT)[None])[0][0, -1]
    ours = lib.cut(logits, temperature, top_k, top_p)
    page = show(temperature=temperature, top_k=top_k, top_p=top_p)
    assert torch.tensor(page.ask("[...figure.chances()]")).sub(ours).abs().max() < 1e-5
    draws = sample(logits.repeat(4000, 1), temperature, top_k, top_p,
                   generator=torch.Generator().manual_seed(0))
    assert set(draws.tolist()) <= set(ours.nonzero().flatten().tolist())
    assert (torch.bincount(draws, minlength=len(ours)) / 4000 - ours).abs().max() < 0.04


def test_the_sliders_cut_and_the_bars_say_so(show):
    page = show()
    page.get_by_role("slider", name="Top-k").fill("2")
    assert page.ask("[...figure.chances()].filter(p => p > 0).length") == 2
    assert page.locator(".rest").inner_text().startswith("2 symbols stay")
    assert page.get_by_role("button", name="cut off").count() > 0


def test_the_costs_are_the_surprise_of_the_text(show, writer):
    text = stories.sample(1, seed=5)[0]
    theirs = show(prompt=text).ask("figure.bits.reduce((a, b) => a + b) / figure.bits.length")
    assert theirs == pytest.approx(evaluate(writer.model, writer.vocab.encode("\n" + text)).bits, abs=1e-3)


def test_it_writes_by_keyboard_and_fits_a_phone(show):
    page = show(viewport={"width": 360, "height": 800})
    page.get_by_role("button", name="Draw one").focus()
    page.keyboard.press("Enter")
    assert page.ask("figure.text.length") == len(PROMPT) + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("kind", lib.KINDS)
def test_the_networks_of_the_book_are_as_good_as_recorded(kind):
    model, vocab, facts = lib.trained(kind)
    assert all(facts[name] for name in ("device", "date", "seconds", "command"))
    assert facts["seconds"] < 180 and facts["floor"] < facts["bits"]
    now = evaluate(model, vocab.encode("\n" + stories.text(60, seed=99))).bits
    assert now == pytest.approx(facts["bits"], abs=0.05), "the stories have changed: train again"


@pytest.mark.parametrize("kind", lib.KINDS)
def test_the_command_makes_what_the_chapter_loads(kind, tmp_path):
    path = tmp_path / "small.safetensors"
    train_writers.main([kind, "--hidden", "6", "--steps", "4", "--stories", "60", "--out", str(path)])
    model, vocab, facts = lib.trained(kind, path)
    assert (model.core.hidden, model.vocab_size) == (6, len(vocab)) and facts["steps"] == 4


@pytest.mark.parametrize("wrong", [{"top_p": 0}, {"temperature": 3}, {"top_k": 0}, {"top_k": 999}])
def test_what_cannot_happen_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        live.sampler(**wrong)
    with pytest.raises(ValueError, match="expected one of"):
        lib.trained("cnn")
