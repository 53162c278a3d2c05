"""The figure of pictures computes what the library's gated PixelCNN computes, and can be drawn on."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import images, live, scenes
from unrolled.generate import greedy
from unrolled.pixelcnn import GatedPixelCNN
from unrolled.trainings.pixels import trained

lib = importlib.import_module("unrolled.live.pixels")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, settings=None, **given):
        more = ({"viewport": viewport} if viewport else {}) | (settings or {})
        page = open_page(browser, tmp_path, bare_page(live.pixels(**given)), **more)
        page.ask = lambda code, *more: page.locator("u-pixels").evaluate(f"(figure, given) => {code}", more)
        return page

    return opened


READ_ALL = """(figure.net.begin(), given[0].map((level) => {
    const logits = Array.from(figure.net.logits()); figure.net.read(level); return logits; }))"""


def halved(model):
    """The model with its weights as the page has them."""
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    return model.eval()


@torch.no_grad()
@pytest.mark.claim("X1")
@pytest.mark.parametrize("seed", [None, 3])
def test_the_page_computes_the_logits_of_the_library(show, seed):
    """Of the trained network, and of one with random weights and another shape."""
    torch.manual_seed(seed or 0)
    model = None if seed is None else halved(GatedPixelCNN(6, (12, 12), 10, 3))
    page = show(model=model)
    net = halved(trained()[0]) if model is None else model
    for picture in scenes.sample(2, seed=11):
        ours = torch.tensor(page.ask(READ_ALL, picture.flatten().tolist()))
        theirs = net(images.tokens(picture[None], 6)[:, :-1])[0][0, :, :6]
        assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.claim("X3")
def test_the_likeliest_completion_is_the_library_s(show):
    page, net = show(), halved(trained()[0])
    sketch = lib._sketch()
    expected = images.complete(net, sketch.clamp(min=0)[None], sketch >= 0, pick=greedy)[0]
    greedily = """(() => { while (figure.p) { const best = figure.p.indexOf(Math.max(...figure.p));
        if (figure.page[figure.next] < 0) figure.page[figure.next] = best; figure.take(); }
        return figure.page; })()"""
    assert page.ask(greedily) == expected.flatten().tolist()


@pytest.mark.claim("X2")
def test_the_map_is_the_entropy_of_the_library(show):
    picture = scenes.sample(1, seed=5)
    page = show(given=picture[0])
    theirs = images.entropy_map(halved(trained()[0]), picture).flatten()
    assert page.ask("figure.doubts") == pytest.approx(theirs.tolist(), abs=1e-4)
    bits = images.surprise_map(halved(trained()[0]), picture).sum().item()
    assert page.ask("figure.surprise") == pytest.approx(bits, abs=1e-2)


def test_what_is_given_stays_and_the_rest_is_filled(show):
    page = show(settings={"reduced_motion": "reduce"})
    page.get_by_role("button", name="Finish").click()
    done, sketch = page.ask("figure.page"), lib._sketch().flatten().tolist()
    assert min(done) >= 0 and [d for d, s in zip(done, sketch) if s >= 0] == [s for s in sketch if s >= 0]
    assert "finished" in page.locator(".sum").inner_text()
    page.get_by_role("button", name="Take back").click()
    assert page.ask("figure.page") == sketch


def test_pixels_are_drawn_with_the_mouse_and_with_keys(show):
    page = show(given=torch.full((12, 12), -1))
    cells = page.get_by_role("gridcell")
    cells.nth(30).click()
    assert page.ask("figure.given[30]") == 3 and "red, yours" in cells.nth(30).get_attribute("aria-label")
    cells.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert page.ask("figure.given[13]") == 3
    page.get_by_role("radio", name="rubber").check(force=True)
    cells.nth(30).click()
    assert page.ask("figure.given[30]") == -1


def test_it_draws_step_by_step_and_plays(show):
    page = show(given=torch.full((12, 12), -1))
    page.get_by_role("button", name="One pixel").click()
    assert page.ask("figure.next") == 1
    page.get_by_role("button", name="Finish").click()
    page.wait_for_function("document.querySelector('u-pixels').next > 5")
    page.get_by_role("button", name="Pause").click()
    stopped = page.ask("figure.next")
    page.wait_for_timeout(200)
    assert page.ask("figure.next") == stopped and page.faults == []


def test_it_fits_a_phone_and_its_pixels_a_finger(show):
    page = show(viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.get_by_role("gridcell").first.bounding_box()["width"] >= 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(show, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(show(settings={"color_scheme": scheme})).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []


def test_it_weighs_little_and_says_what_it_is():
    figure = live.pixels()
    assert len(figure.html.encode()) < 300_000 and "66 of them drawn" in figure.text


@pytest.mark.parametrize("given", [torch.zeros(3, 3, dtype=torch.long), torch.full((12, 12), 6)])
def test_what_cannot_be_drawn_is_refused(given):
    with pytest.raises(ValueError, match="given has shape"):
        live.pixels(given)
