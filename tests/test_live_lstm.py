"""The figure of the cell computes what the library's LSTM step computes with its gates set by hand."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live
from unrolled.lstm import step

lib = importlib.import_module("unrolled.live.lstm")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, **settings):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.lstm(**settings)), **more)
        page.ask = lambda code: page.locator("u-lstm").evaluate(f"figure => {code}")
        return page

    return opened


@pytest.mark.claim("M2", "M3", "M4", "M5")
@pytest.mark.parametrize("f, o", [(0.95, 1.0), (0.5, 0.3)])
def test_the_cell_is_the_lstm_step_with_gates_set_by_hand(f, o):
    logit = lambda p: torch.tensor(p).logit(eps=1e-12).item()  # noqa: E731
    start = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    h, c, cells, views = torch.zeros_like(start), start, [], []
    for event in lib.ROW:
        gates = [50.0 if event == "w" else -50.0, -50.0 if event == "e" else logit(f), 50.0, logit(o)]
        h, c = step(h, c, torch.tensor([gates], dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64))
        cells.append(c.item())
        views.append(h.item())
    ours = lib.run(f, lib.ROW, o)
    assert ours[0] == pytest.approx(cells, abs=1e-6) and ours[1] == pytest.approx(views, abs=1e-6)


def test_the_pull_is_the_gradient_along_the_cell():
    f = torch.tensor([0.9, 0.9, 0.0, 0.9, 0.9])
    c = [torch.zeros((), requires_grad=True)]
    for gate in f:
        c.append(gate * c[-1])
    whole = torch.autograd.grad(c[-1], c[1:])
    assert lib.run(0.9, "··e··")[2] == pytest.approx([float(g) for g in whole], abs=1e-6)


def test_the_page_computes_what_the_library_does(show):
    page, (c, h, pull) = show(f=0.9, o=0.7), lib.run(0.9, lib.ROW, 0.7)
    assert page.ask("figure.c") == pytest.approx(c, abs=1e-12)
    assert page.ask("figure.h") == pytest.approx(h, abs=1e-12)
    assert page.ask("figure.pull") == pytest.approx(pull, abs=1e-12)


def test_a_step_is_written_erased_and_left_alone_by_keyboard(show):
    page = show(row="····")
    first = page.get_by_role("button").first
    first.focus()
    for said, cell in (("written", 1), ("erased", 0), ("left alone", 0)):
        page.keyboard.press("Enter")
        assert said in first.get_attribute("aria-label") and page.ask("figure.c[0]") == cell


def test_the_forget_gate_has_a_slider(show):
    page = show(row="w···")
    page.get_by_role("slider", name="Forget gate").fill("0.5")
    assert page.ask("figure.c") == [1, 0.5, 0.25, 0.125]


def test_it_fits_a_phone(show):
    page = show(viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("wrong", [{"row": "x"}, {"row": ""}, {"f": 1.5}])
def test_what_cannot_happen_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        live.lstm(**wrong)
