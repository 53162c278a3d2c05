"""The figure of the fading message computes what autograd computes."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live

lib = importlib.import_module("unrolled.live.vanishing")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, **settings):
        more = {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.vanishing(**settings)), **more)
        page.ask = lambda code: page.locator("u-vanishing").evaluate(f"figure => {code}")
        return page

    return opened


@pytest.mark.claim("V1", "V2")
@pytest.mark.parametrize("squash", [True, False])
@pytest.mark.parametrize("w", [-1.2, 0.8, 1.0, 2.0])
def test_states_and_gradients_are_those_of_autograd(w, squash):
    first = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    h = first
    for _ in range(lib.STEPS):
        h = torch.tanh(w * h) if squash else w * h
    h.backward()
    states, gradients = lib.run(w, 0.3, squash)
    assert states[-1] == pytest.approx(h.item(), rel=1e-9)
    assert gradients[-1] == pytest.approx(first.grad.item(), rel=1e-9)


@pytest.mark.parametrize("w, h0, squash", [(0.8, 0.5, True), (2.0, 0.001, True), (1.3, 0.5, False)])
def test_the_page_computes_what_the_library_does(show, w, h0, squash):
    page, (h, gradient) = show(w=w, h0=h0, squash=squash), lib.run(w, h0, squash)
    assert page.ask("figure.h") == pytest.approx(h, rel=1e-9)
    assert page.ask("figure.gradient") == pytest.approx(gradient, rel=1e-9)


def test_the_knobs_work_by_keyboard_and_presets_turn_them(show):
    page = show(w=0.5)
    knob = page.get_by_role("slider", name="w =")
    knob.focus()
    knob.press("ArrowRight")
    assert page.ask("figure.w") == pytest.approx(0.55)
    page.get_by_role("button", name="w = 1.3").click()
    assert page.ask("figure.w") == 1.3 and knob.input_value() == "1.3"


def test_the_tanh_can_be_taken_away(show):
    page = show(w=1.3)
    page.get_by_role("radio", name="without").check(force=True)
    assert page.ask("figure.h.at(-1)") == pytest.approx(0.5 * 1.3**100, rel=1e-9)


def test_it_fits_a_phone(show):
    page = show(viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
