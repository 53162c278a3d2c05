"""The built book in a real browser: complete without a network, usable by everyone, and safe.

The first half holds the measures to pages that are wrong on purpose; the second half holds every page of the
book to the measures.
"""

import json
import re

import pages
import pytest

BUILT = pages.pages() or ["(no pages)"]
pytestmark = pytest.mark.page


@pytest.fixture(scope="module")
def browser():
    pages.require(book=False)
    with pages.chromium() as browser:
        yield browser


# ---- the measures measure

WRONG = """<!doctype html><html lang="en"><head><title>Wrong</title><link rel="icon" href="data:,">
<style>* { box-sizing: border-box }
.unseen:focus { outline: none } .pale:focus { color: red; transition: color 1s }
.s { width: 90px; overflow-x: auto; white-space: pre }
#over { position: fixed; bottom: 0; left: 0; width: 100%%; height: 100px; background: white; z-index: 9 }
@keyframes turn { to { rotate: 1turn } } #turning { animation: turn 1s infinite }</style></head>
<body><main><article><h1>Wrong</h1>%s</article></main></body></html>"""


@pytest.fixture
def shown(browser, tmp_path):
    """Show a page with a given article; the visits are closed when the test ends."""
    opened = []

    def show(article, width=1280, **more):
        page = tmp_path / f"{len(opened)}.html"
        page.write_text(WRONG % article, encoding="utf-8")
        opened.append(pages.visit(browser, page.as_uri(), width, **more))
        return opened[-1].__enter__()
    yield show
    for one in opened:
        one.__exit__(None, None, None)


@pytest.mark.parametrize("article, complaint", [
    ("<script>throw new Error('broken figure')</script>", "script error: broken figure"),
    ("<script>console.error('not well')</script>", "console: not well"),
    ("<img src='missing.png' alt='A picture that is not there'>", "not loaded: "),
    ("<u-lost></u-lost>", "<u-lost> is never defined"),
])
def test_what_goes_wrong_while_a_page_opens_is_noted(shown, article, complaint):
    assert any(error.startswith(complaint) for error in shown(article).errors)


def test_a_page_that_is_not_there_is_no_good_page(browser, tmp_path):
    with pages.served(tmp_path) as address, pytest.raises(AssertionError, match="is not there"):
        with pages.visit(browser, address + "lost.html"):
            pass


def test_a_page_that_the_browser_never_draws_is_no_good_page(shown, monkeypatch):
    monkeypatch.setattr(pages, "WALK", pages.WALK.replace("10_000", "50"))
    with pytest.raises(AssertionError, match="three times the browser did not draw"):
        shown("<script>window.requestAnimationFrame = () => 0</script>")


@pytest.mark.parametrize("article", [
    "<script src='https://example.org/x.js'></script>", "<img src='https://192.0.2.1/x.png' alt=''>",
    "<script>fetch('https://example.org/')</script>", "<style>@import 'https://example.org/x.css';</style>",
])
def test_a_request_to_another_host_is_noted_and_refused(shown, article):
    assert shown(article).strangers


@pytest.mark.parametrize("article, rule", [
    ("<p style='color:#aaa'>pale</p>", "color-contrast"), ("<img src='data:,'>", "image-alt"),
    ("<input>", "label"), ("<button></button>", "button-name"),
    ("<button aria-label='a' style='width:9px;height:9px;padding:0'></button>" * 2, "target-size"),
    ("<x-y><template shadowrootmode='open'><input></template></x-y>", "label"),
])
def test_axe_sees_what_is_not_accessible(shown, article, rule):
    assert any(v.startswith(rule) for v in pages.axe(shown(article).page))


@pytest.mark.parametrize("article", [
    "<svg width=9 height=9></svg>", "<img src='data:,' alt='_images/0a1b.png'>",
    "<svg role=img aria-label='too short'></svg>", "<canvas></canvas>",
    "<svg role=img aria-label='These are five good words'></svg>" * 2,
    "<div><template shadowrootmode='open'><svg width=9 height=9></svg></template></div>",
])
def test_a_picture_without_words_of_its_own_is_seen(shown, article):
    assert pages.wordless(shown(article).ask("figures"))


def test_pictures_with_words_and_icons_beside_words_are_fine(shown):
    good = ("<svg role=img aria-label='A line that falls from left to right'></svg>"
            "<img src='data:,' alt='Four blue circles in a row'>"
            "<button><svg></svg> Play</button><span aria-hidden=true><svg></svg></span>")
    assert pages.wordless(shown(good).ask("figures")) == []


@pytest.mark.parametrize("question, article", [
    ("stuck", "<div class=s>" + "long " * 40 + "</div>"),
    ("small", "<button style='width:20px;height:20px;padding:0'>x</button>"),
    ("mouse_only", "<div onclick='go()'>click</div>"),
    ("mouse_only", "<span style='cursor:pointer'>click</span>"),
    ("restless", "<p id=turning>round and round</p>"),
    ("restless", "<audio autoplay></audio>"),
])
def test_what_keys_fingers_or_calm_readers_cannot_use_is_seen(shown, question, article):
    assert shown(article).ask(question)


@pytest.mark.parametrize("article, complaint", [
    ("<button class=unseen>x</button>", "the focus on"),
    ("<button class='unseen pale'>x</button>", "the focus on"),
    ("<button style='position:fixed;bottom:9px'>x</button><div id=over></div>", "is covered"),
    ("<button>a</button><button onfocus='this.blur()'>b</button><button>c</button>", "does not reach"),
    ("<button onkeydown='event.preventDefault()'>trap</button><button>x</button>", "does not reach"),
])
def test_the_walk_with_the_tab_key_notes_what_is_wrong(shown, article, complaint):
    assert any(complaint in c for c in pages.tab_walk(shown(article)))


def test_a_page_that_is_right_has_no_complaints(shown):
    style = "<style>button, input, label, summary { min-height: 24px; min-width: 24px }</style>"
    visit = shown(f"{style}<p>Words with <a href='#x'>a link</a>.</p><button>One</button>"
                  "<label>n <input type=range></label><details><summary>More</summary>x</details>"
                  "<fieldset><legend>Pick</legend><label><input type=radio name=r> a</label>"
                  "<label><input type=radio name=r> b</label></fieldset>"
                  f"<x-y><template shadowrootmode=open>{style}<button>Shadow</button></template></x-y>"
                  f"<div class=s tabindex=0>{'long ' * 40}</div>")
    assert visit.errors == ["<x-y> is never defined"] and visit.strangers == []
    assert pages.tab_walk(visit) == []
    assert [visit.ask(q) for q in ("stuck", "small", "mouse_only", "restless")] == [[]] * 4


def test_links_that_lead_nowhere_and_hosts_that_are_asked_are_seen(tmp_path):
    (tmp_path / "a.html").write_text(
        "<link rel=canonical href='https://example.org/a.html'><a href='b.html#there'>x</a>"
        "<a href='b.html#no'>x</a><a href='c.html'>x</a><img src='p.png'>"
        "<script src='https://example.org/x.js'></script>", encoding="utf-8")
    (tmp_path / "b.html").write_text("<p id=there></p><a href='.'>x</a><a href='#'>x</a>", encoding="utf-8")
    (tmp_path / "s.css").write_text("@font-face { src: url('//example.org/f.woff2') }", encoding="utf-8")
    (tmp_path / "index.html").write_text("", encoding="utf-8")
    assert pages.broken(tmp_path) == ["a.html: <a> b.html#no", "a.html: <a> c.html", "a.html: <img> p.png"]
    asked = ["a.html: <script> https://example.org/x.js", "s.css: //example.org/f.woff2"]
    assert pages.remote(tmp_path) == asked


# ---- the book

@pytest.fixture(scope="module")
def book():
    pages.require()
    with pages.served(pages.HTML) as address:
        yield address


@pytest.fixture(scope="module")
def opened(request, browser, book):
    """A page of the book at a width and in a scheme; tests that ask for the same one share it."""
    page, width, scheme = request.param
    with pages.visit(browser, book + page, width, scheme) as visit:
        yield visit


def at(*variants):
    """Run a test on every page, in the given widths and schemes."""
    every = [pytest.param((p, w, s), id=f"{p}-{w}-{s}") for p in BUILT for w, s in variants]
    return pytest.mark.parametrize("opened", every, indirect=True)


DESK, PHONE = (1280, "light"), (320, "light")


@at(DESK)
def test_a_page_opens_without_an_error_and_asks_no_other_host(opened):
    assert (opened.errors, opened.strangers) == ([], [])


@pytest.mark.parametrize("page", BUILT)
def test_a_page_opens_from_a_file_as_well(browser, page):
    pages.require()
    with pages.visit(browser, (pages.HTML / page).resolve().as_uri()) as visit:
        assert (visit.errors, visit.strangers) == ([], [])


@at(DESK, PHONE, (1280, "dark"), (320, "dark"))
def test_axe_finds_no_violation_of_wcag_22_aa(opened):
    assert pages.axe(opened.page) == []


@at(PHONE)
def test_a_phone_never_scrolls_sideways(opened):
    assert opened.page.evaluate("document.scrollingElement.scrollWidth") <= 320


@at(DESK)
def test_every_picture_says_in_words_what_is_to_be_seen(opened):
    assert pages.wordless(opened.ask("figures")) == []


@at(DESK, PHONE)
def test_keys_reach_all_that_scrolls_and_all_that_can_be_clicked(opened):
    assert opened.ask("stuck") + opened.ask("mouse_only") == []


@at(DESK)
def test_the_tab_key_goes_through_the_page_and_the_focus_can_be_seen(opened):
    assert pages.tab_walk(opened) == []


@pytest.mark.parametrize("opened", [pytest.param((BUILT[0], *v), id=f"{v[0]}") for v in (DESK, PHONE)],
                         indirect=True)
def test_the_tab_key_goes_through_what_stands_around_a_page_as_well(opened):
    assert pages.tab_walk(opened, whole=True) == []


@at(DESK, PHONE)
def test_a_finger_hits_every_control(opened):
    assert opened.ask("small") == []


@at(DESK)
def test_nothing_moves_for_ever_or_plays_by_itself(opened):
    assert opened.ask("restless") == []


def test_links_within_the_book_lead_somewhere():
    pages.require(browser=False)
    assert pages.broken(pages.HTML) == []


@pytest.mark.parametrize("page", [page for page in BUILT if page.startswith("book/0")])
def test_a_notebook_numbers_exercises_and_equations_as_the_page_does(page):
    pages.require(browser=False)
    built = pages.read(pages.HTML / page)
    exercises = [e.text.split()[1] for e in built.select("div.exercise > p.admonition-title")]
    equations = [re.search(r"[\d.]+", e.text)[0] for e in built.select("span.eqno")]
    path = pages.ROOT / "notebooks" / f"{page[5:-5]}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert re.findall(r"^\*\*Exercise ([\d.]+)\. ", prose, re.M) == exercises
    assert re.findall(r"\\tag\{(.*?)\}", prose) == equations


def test_the_book_asks_no_other_host_for_scripts_styles_fonts_or_pictures():
    pages.require(browser=False)
    assert pages.remote(pages.HTML) == []
