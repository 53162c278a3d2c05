"""The figure of the probe: two networks in the page that are torch's, and readings that are the probe's."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live
from unrolled.live import train_probe
from unrolled.tasks import Brackets

lib = importlib.import_module("unrolled.live.probe")
TEXT = "([()][()([])]"


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, **settings):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.probe(**settings)), **more)
        page.ask = lambda code: page.locator("u-probe").evaluate(f"figure => {code}")
        return page

    return opened


def ids(text):
    return torch.tensor([[Brackets.symbols.index(symbol) for symbol in text]])


def test_the_page_computes_what_torch_computes(show):
    page = show(text=TEXT)
    for k, name in enumerate("ab"):
        model, probe, _ = lib.net(name)
        h = lib.states(model, ids(TEXT))[0]
        states = torch.tensor(page.ask(f"figure.read[{k}].map(s => Array.from(s.h))"))
        logits = torch.tensor(page.ask(f"figure.read[{k}].map(s => Array.from(s.logits))"))
        readings = torch.tensor(page.ask(f"figure.read[{k}].map(s => s.reading)"))
        assert torch.allclose(states, h, atol=1e-5)
        assert torch.allclose(logits, model(ids(TEXT))[0][0], atol=1e-4)
        assert torch.equal(logits.argmax(-1), model(ids(TEXT))[0][0].argmax(-1))
        assert torch.allclose(readings, probe(h), atol=1e-4)


def test_what_is_open_is_known_without_a_network(show):
    page, truth = show(text=TEXT), lib.innermost(ids(TEXT))[0].tolist()
    assert page.ask("figure.truth.map(t => t.open)") == [{1: "(", 0: "[", -1: ""}[value] for value in truth]


def test_what_closes_nothing_is_left_out_while_typing(show):
    page = show()
    page.get_by_role("textbox").fill(")(x[)](")
    assert page.ask("figure.text") == "([]("
    page.get_by_role("textbox").fill("")
    assert "Nothing is open" in page.locator(".sum").inner_text() and page.faults == []


def test_a_unit_is_chosen_by_keyboard_and_shown_as_itself(show):
    page = show(text=TEXT)
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert page.ask("figure.by") == "unit" and page.get_by_role("radio", name="one unit").is_checked()
    h = lib.states(lib.net("b")[0], ids(TEXT))[0, :, 0]
    assert torch.allclose(torch.tensor(page.ask("figure.values[1]")), h, atol=1e-5)


def test_deeper_than_in_training_is_said_to_be_so(show):
    page = show()
    page.get_by_role("textbox").fill("(((((")
    assert "5 deep" in page.locator(".sum").inner_text()


def test_it_fits_a_phone(show):
    page = show(viewport={"width": 360, "height": 800}, text="(" * 20 + ")" * 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.claim("O4")
def test_both_networks_know_it_and_their_units_differ():
    best = {}
    for name in "ab":
        model, probe, _ = lib.net(name)
        h, y = lib.asked(model, 2, "anywhere")
        best[name] = lib.correlations(h, y).abs().topk(4).indices.sort().values.tolist()
        assert probe.accuracy(h, y) > 0.98 and Brackets(lib.DEPTH).accuracy(model) > 0.99
    assert best["a"] != best["b"]


@pytest.mark.claim("O2")
def test_deeper_than_it_was_trained_the_pattern_breaks():
    model = lib.trained()[0]["a"]
    assert Brackets(12).accuracy(model) < 0.9 < Brackets(4).accuracy(model)


def test_a_probe_of_one_kind_of_place_is_lost_at_the_other():
    model = lib.trained()[0]["a"]
    p = lib.fitted(*lib.asked(model, 1, "closing"))
    assert p.accuracy(*lib.asked(model, 2, "closing")) > 0.98
    assert abs(p.accuracy(*lib.asked(model, 2, "opening")) - 0.5) < 0.15


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, tmp_path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(browser, tmp_path, bare_page(live.probe(text="([()[]")), color_scheme=scheme)
    assert [(v["id"], v["nodes"][0]["html"][:80]) for v in axe.run(page).response["violations"]] == []


def test_the_innermost_bracket_by_hand():
    assert lib.innermost(ids("([])[")).tolist() == [[1, 0, 1, -1, 0]]


def test_the_training_command_writes_what_the_figure_loads(tmp_path, monkeypatch):
    path = tmp_path / "two.safetensors"
    train_probe.main(["--steps", "3", "--out", str(path)])
    monkeypatch.setattr(lib, "TRAINED", path)
    models, facts = lib.trained.__wrapped__()
    assert set(models) == {"a", "b"} and {"date", "device", "seconds", "seed", "command"} <= set(facts)


@pytest.mark.parametrize("wrong", [{"text": "x"}, {"text": ""}, {"unit": 16}])
def test_what_cannot_be_read_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        live.probe(**wrong)
