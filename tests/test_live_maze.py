"""The figure of the maze: the page's world is the library's, and its walkers are torch's (A1)."""

import importlib

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live
from unrolled.trainings.maze import trained
from unrolled.worlds import TMaze

lib = importlib.import_module("unrolled.live.maze")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(viewport=None, cue=0, length=12, **more):
        more |= {"viewport": viewport} if viewport else {}
        page = open_page(browser, tmp_path, bare_page(live.maze(cue, length)), **more)
        page.ask = lambda code, *given: page.locator("u-maze").evaluate(f"(figure, given) => {code}", given)
        return page

    return opened


@torch.no_grad()
def torch_walk(policy, cue, length):
    """The logits (T, 3), states (T, H) and actions of a walk by the likeliest actions."""
    world, state, steps = TMaze(length), None, []
    x, _ = world.reset(options={"cue": torch.tensor([cue])})
    while not world.over.all():
        h, state = policy.read(x[:, None], state)
        logits = policy.heads[0](h)[0, 0]
        x, reward, *_ = world.step(logits.argmax()[None])
        steps.append((logits, h[0, 0], logits.argmax()))
    return [torch.stack(column) for column in zip(*steps)], reward.item()


WALK = """{
  const seen = {gru: [], none: [], state: []};
  for (let more = true; more; ) {
    for (const who of ['gru', 'none']) {
      if (!figure.lanes[who].maze.over) seen[who].push([...figure.lanes[who].logits]);
    }
    more = figure.step();
  }
  seen.state = figure.columns.map((h) => [...h]);
  return {seen, did: ['gru', 'none'].map((w) => figure.lanes[w].did),
          paid: ['gru', 'none'].map((w) => figure.lanes[w].maze.paid)};
}"""


@pytest.mark.claim("A1")
@pytest.mark.parametrize("cue", [0, 1])
@pytest.mark.parametrize("length", [1, 12, 30])
def test_the_walkers_of_the_page_are_those_of_torch(show, cue, length):
    page, (walkers, _) = show(cue=cue, length=length), trained()
    found = page.ask(WALK)
    for who, policy in walkers.items():
        (logits, states, actions), paid = torch_walk(policy, cue, length)
        theirs = torch.tensor(found["seen"][who])
        assert theirs.shape == logits.shape and (theirs - logits).abs().max() < 1e-4
        assert theirs.argmax(-1).equal(actions)
        assert found["paid"][["gru", "none"].index(who)] == pytest.approx(paid)
        if who == "gru":
            assert (torch.tensor(found["seen"]["state"]) - states).abs().max() < 1e-4


def test_the_maze_of_the_page_keeps_the_rules_of_the_library(show):
    page, chance = show(), torch.Generator().manual_seed(0)
    for cue, length in ((0, 1), (1, 3), (0, 4)):
        route = torch.randint(3, (12,), generator=chance).tolist()
        world, seen, paid = TMaze(length, limit=99), [], 0.0
        x, _ = world.reset(options={"cue": torch.tensor([cue])})
        for a in route:
            seen.append(x.item())
            x, reward, *_ = world.step(torch.tensor([a]))
            paid += reward.item()
            if world.over.all():
                break
        page.ask("(figure.set({cue: given[0], length: given[1]}), null)", cue, length)
        theirs = page.ask("given[0].map((a) => { const m = figure.lanes.you.maze; const x = m.see();"
                          " figure.move(a); return x; })", route[: len(seen)])
        assert theirs == seen
        assert page.ask("figure.lanes.you.maze.paid") == pytest.approx(paid, abs=1e-6)


def test_only_the_walker_with_memory_notices_the_sign(show):
    page, turned = show(length=8), []
    for sign in ("left", "right"):
        page.get_by_role("radio", name=sign).check(force=True)
        page.ask(WALK)
        page.ask("(figure.look(), null)")
        turned.append([page.ask(f"figure.lanes.{who}.maze.exit") for who in ("gru", "none")])
    assert [with_it for with_it, _ in turned] == [0, 1]
    assert turned[0][1] == turned[1][1]


def test_a_reader_walks_by_the_keyboard_and_is_told_what_it_was_paid(show):
    page = show(cue=1, length=2)
    assert "the sign: right" in page.locator(".says").last.inner_text()
    for name in ("Forward", "Forward", "Turn right"):
        page.get_by_role("button", name=name, exact=True).focus()
        page.keyboard.press("Space")
    assert "Paid: 1" in page.locator(".says").last.inner_text()
    page.get_by_role("button", name="Forward", exact=True).click()
    assert "Paid: 1" in page.locator(".says").last.inner_text() and page.faults == []
    page.get_by_role("button", name="Start again").click()
    assert "the sign: right" in page.locator(".says").last.inner_text()


def test_they_walk_and_stop_by_themselves_and_at_once_for_less_motion(show):
    page = show(length=3)
    page.get_by_role("button", name="Walk").click()
    page.wait_for_function("document.querySelector('u-maze').lanes.gru.maze.over")
    page.get_by_role("button", name="Walk").wait_for()
    still = show(length=20, reduced_motion="reduce")
    still.get_by_role("button", name="Walk").click()
    assert still.ask("figure.lanes.gru.maze.over") and "Paid: 1" in still.locator(".says").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_and_a_phone_does_not_scroll_sideways(show, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = show({"width": width, "height": 900}, length=30, color_scheme=scheme)
    page.ask("(figure.step(), figure.look(), null)")
    found = axe.run(page).response["violations"]
    assert [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert min(b.bounding_box()["height"] for b in page.locator("button").all()) >= 24


@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_does_not_jump(show, width):
    page = show({"width": width, "height": 900})
    height = page.locator("u-maze").bounding_box()["height"]
    page.ask(WALK)
    page.ask("(figure.look(), null)")
    assert page.locator("u-maze").bounding_box()["height"] == height
    reserved = page.evaluate(f"""(() => {{ const box = document.createElement('div');
      box.style.minHeight = {lib.HEIGHT!r}; document.body.append(box);
      return parseFloat(getComputedStyle(box).minHeight); }})()""")
    assert abs(height - reserved) < 60


def test_the_figure_says_in_words_what_it_shows_weighs_little_and_names_wrong_settings():
    figure = live.maze(cue=1, length=5)
    assert "sign says right" in figure.text and "with memory is paid 1," in figure.text
    assert len(figure.html.encode()) < 100_000
    with pytest.raises(ValueError, match="length 31"):
        live.maze(length=31)
    with pytest.raises(ValueError, match="cue is 2"):
        live.maze(cue=2)
