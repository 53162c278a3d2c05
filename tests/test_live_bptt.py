"""The figure of back-propagation through time computes what the library and autograd compute."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live

lib = importlib.import_module("unrolled.live.bptt")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(**settings):
        page = open_page(browser, tmp_path, bare_page(live.bptt(**settings)))
        page.figure = page.locator("u-bptt")
        page.ask = lambda code: page.figure.evaluate(f"figure => {code}")
        return page

    return opened


@pytest.mark.claim("B2", "B3")
@pytest.mark.parametrize("w", [-1.7, 0.0, 0.5, 0.9, 2.0])
def test_the_shares_add_up_to_the_gradient_of_autograd(w):
    weight, h = torch.tensor(w, dtype=torch.float64, requires_grad=True), torch.tensor(0.0)
    for x in lib.ROW:
        h = torch.tanh(weight * h + x)
    h.backward()
    assert sum(lib.shares(w, lib.ROW)[1]) == pytest.approx(weight.grad.item(), abs=1e-12)


@pytest.mark.parametrize("w, k", [(0.9, 10), (-1.5, 4), (2.0, 1)])
def test_the_page_computes_what_the_library_does(show, w, k):
    page, (h, parts) = show(w=w, k=k), lib.shares(w, lib.ROW)
    assert page.ask("figure.h") == pytest.approx(h, abs=1e-12)
    assert page.ask("figure.parts") == pytest.approx(parts, abs=1e-12)
    assert page.ask("figure.heard") == pytest.approx(sum(parts[-k:]), abs=1e-12)


def test_the_sliders_work_by_keyboard(show):
    page = show(w=0.5)
    knob = page.get_by_role("slider", name="w =")
    knob.focus()
    knob.press("ArrowRight")
    assert page.ask("figure.w") == pytest.approx(0.55)
    assert "w = 0.55" in page.locator(".steps").get_attribute("aria-label")


def test_a_preset_turns_the_slider_and_a_cut_shades_the_steps_before_it(show):
    page = show()
    page.get_by_role("button", name="w = 1.5").click()
    assert page.ask("figure.w") == 1.5 and page.get_by_role("slider", name="w =").input_value() == "1.5"
    page.get_by_role("slider", name="The message goes back").fill("3")
    assert page.locator(".cut").count() == 7


def test_it_fits_a_phone(browser, tmp_path):
    page = open_page(browser, tmp_path, bare_page(live.bptt()), viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("k", [0, 11])
def test_a_cut_outside_the_row_is_refused(k):
    with pytest.raises(ValueError, match="expected 1 to 10"):
        live.bptt(k=k)
