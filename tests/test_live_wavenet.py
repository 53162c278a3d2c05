"""The figure of sound: it sees what the library's stack sees, and sings what the library's network sings."""

import importlib
import json

import numpy as np
import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import audio, live
from unrolled.trainings import vowels
from unrolled.wavenet import receptive_field
from unrolled.wavenet_fast import fast_generate

lib = importlib.import_module("unrolled.live.wavenet")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    """A figure in a bare page; `page.ask(code)` evaluates code that knows it as `figure`."""

    def opened(width=1280, settings=None, **arguments):
        more = {"viewport": {"width": width, "height": 900}} | (settings or {})
        page = open_page(browser, tmp_path, bare_page(live.wavenet(**arguments)), **more)
        page.ask = lambda code: page.locator("u-wavenet").evaluate(f"figure => {code}")
        return page

    return opened


@pytest.fixture(scope="module")
def singer():
    return vowels.trained()[0]


def sing(page):
    page.get_by_role("button", name="Sing").click()
    page.wait_for_function("document.querySelector('u-wavenet').levels.length == 4800", timeout=60_000)
    page.wait_for_function("!document.querySelector('u-wavenet').singing")


# --- the same numbers as the library


@torch.no_grad()
@pytest.mark.parametrize("name, f0", [("heed", 100), ("hod", 137.5), ("who'd", 200)])
def test_the_page_is_told_what_the_network_was_told(show, singer, name, f0):
    told = singer.start(vowels.condition(name, f0)).condition[0]
    expected = told + torch.stack([layer.bias for layer in singer.core.W])
    biases = show().ask(f"figure.begin({json.dumps(name)}, {f0}).biases.map(b => [...b])")
    torch.testing.assert_close(torch.tensor(biases), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_logits_are_those_of_torch(show, singer):
    ids = torch.randint(256, (1, 700), generator=torch.Generator().manual_seed(0))
    expected = singer(ids, singer.start(vowels.condition("head", 150)))[0][0, -3:]
    code = f"""(() => {{
        const state = figure.begin("head", 150);
        return {ids[0].tolist()}.map((id) => [...figure.singer.step(state, id)]).slice(-3);
    }})()"""
    torch.testing.assert_close(torch.tensor(show().ask(code)), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_likeliest_levels_are_those_that_the_library_writes(show, singer):
    told = vowels.condition("hod", 120)
    expected = fast_generate(singer, torch.tensor([[vowels.SILENCE]]), 300, 0, state=singer.start(told))
    code = f"""(() => {{
        const state = figure.begin("hod", 120);
        const wrote = [{vowels.SILENCE}];
        for (let i = 0; i < 300; i++) {{
            const logits = figure.singer.step(state, wrote.at(-1));
            wrote.push(logits.indexOf(Math.max(...logits)));
        }}
        return wrote;
    }})()"""
    assert show().ask(code) == expected[0].tolist()


@pytest.mark.claim("W2")
@pytest.mark.parametrize("kind, layers", [("doubling", 4), ("doubling", 9), ("tripling", 3), ("all 1", 7)])
def test_an_output_sees_what_the_library_draws(show, kind, layers):
    page = show(layers=layers)
    page.get_by_role("radio", name=f"gaps {kind}").check(force=True)
    for t in (31, 12):
        page.get_by_role("slider", name="Output").fill(str(t + 1))
        rows = page.ask("figure.rows.map(row => [...row].sort((a, b) => a - b))")
        assert rows == lib.sees(kind, layers, 32, t)
    said = page.locator(".sum").inner_text()
    assert f"horizon is {receptive_field(2, lib.gaps(kind, layers)):,} samples" in said
    assert ("with holes" in said) == (kind == "tripling")


# --- handled by a person


def test_it_sings_what_it_is_asked(show):
    page = show(vowel="hawed", f0=150)
    page.get_by_role("radio", name="ah, as in hod").check(force=True)
    page.get_by_role("slider", name="Pitch").fill("125")
    sing(page)
    wave = audio.mu_decode(np.array(page.ask("figure.levels")))
    assert vowels.heard(wave[800:], "hod", 125)[-1], vowels.heard(wave[800:], "hod", 125)
    assert not vowels.heard(wave[800:], "heed", 125)[-1]
    assert "4,800 samples" in page.locator(".told").inner_text()
    assert page.ask("figure.source.buffer.duration") == pytest.approx(0.6)
    assert page.locator("progress").evaluate("bar => bar.value") == 1 and page.faults == []


def test_it_can_be_stopped_and_played_again(show):
    page = show()
    again = page.get_by_role("button", name="Play again")
    assert again.is_disabled()
    page.get_by_role("button", name="Sing").press("Enter")
    page.get_by_role("button", name="Stop").press("Enter")
    some = page.ask("figure.levels.length")
    assert "Stopped after" in page.locator(".told").inner_text() and some < 4800
    sing(page)
    before = page.ask("figure.levels")
    again.click()
    assert page.ask("figure.levels") == before and page.faults == []


def test_an_output_is_chosen_by_keyboard_and_by_pointing(show):
    page = show()
    slider = page.get_by_role("slider", name="Output")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.ask("figure.t") == 30
    page.locator("svg.stack").click(position={"x": 5, "y": 100})
    assert page.ask("figure.t") == 0 and slider.input_value() == "1"


def test_with_less_motion_the_wave_is_drawn_once(show):
    page = show(settings={"reduced_motion": "reduce"})
    page.evaluate("shown = 0")
    page.ask("(figure.line.setAttribute = () => { shown += 1 }, 0)")
    sing(page)
    assert page.evaluate("shown") == 1


# --- for every reader


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (320, "dark")])
def test_axe_finds_nothing_and_it_fits(show, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show(width=width, settings={"color_scheme": scheme})
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_jump(show, width):
    reserved = show(width=width, settings={"java_script_enabled": False})
    kept = reserved.locator("u-wavenet").bounding_box()["height"]
    page = show(width=width)
    height = page.locator("u-wavenet").bounding_box()["height"]
    assert abs(height - kept) < 80
    sing(page)
    assert page.locator("u-wavenet").bounding_box()["height"] == height


def test_without_scripts_it_says_what_is_seen(show):
    words = show(settings={"java_script_enabled": False}).locator("main").inner_text()
    assert "4 layers with gaps 1, 2, 4, 8 see 16 samples, 2 milliseconds" in words


def test_it_weighs_little():
    assert len(live.wavenet().html.encode()) <= 230_000


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"temperature": 0.0}, {"f0": 90}, {"vowel": "hid"}])
def test_what_cannot_be_asked_for_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        live.wavenet(**wrong)
