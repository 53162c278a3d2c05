"""Opening the built book in a browser that can reach nothing else, and asking what is wrong with a page.

Chromium is the one that UNROLLED_CHROMIUM (or CHROMIUM) names, or the system's; the book is in _build/html
or where UNROLLED_HTML says. Without either the page tests are not run, which is a failure under CI.
"""

import functools
import os
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HTML = Path(os.environ.get("UNROLLED_HTML") or ROOT / "_build" / "html")
NAMED = os.environ.get("UNROLLED_CHROMIUM") or os.environ.get("CHROMIUM")
CHROMIUM = NAMED or shutil.which("chromium") or "no chromium"
QUIET = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
         " --disable-component-update --disable-sync").split()
PROBE = Path(__file__).with_name("probe.js").read_text(encoding="utf-8")
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
        "rules": {"target-size": {"enabled": True}}}
SETTLED = """() => document.readyState === "complete" && document.fonts.status === "loaded"
    && (window.typeset || !document.querySelector("script[src*=mathjax]")
        || !document.querySelector(".math"))"""
# The script for formulas and the figures wait until a reader comes near: go down the page once, and back.
# Now and then a Chromium without a window draws a new page not even once: the answer is false then.
WALK = """async () => {
    const drawn = () => new Promise((then) => {
        requestAnimationFrame(() => setTimeout(then, 0, true));
        setTimeout(then, 10_000, false);
    });
    for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
        scrollTo({ top: y, behavior: "instant" });
        if (!await drawn()) return false;
    }
    scrollTo({ top: 0, behavior: "instant" });
    const done = () => { window.typeset = true };
    const set = () => window.MathJax?.startup?.promise?.then(done) ?? setTimeout(set, 20);
    if (document.querySelector("script[src*=mathjax]")) set();
    return true;
}"""


def pages(root: Path = HTML) -> list[str]:
    """The pages that people read, as paths below root; a page that only sends on to another is left out."""
    return [page.relative_to(root).as_posix() for page in files(root)
            if 'http-equiv="refresh"' not in page.read_text(encoding="utf-8").lower()]


def files(root: Path) -> list[Path]:
    """All pages; what a theme keeps in _static are its templates."""
    return [page for page in sorted(root.rglob("*.html")) if "_static" not in page.relative_to(root).parts]


def require(browser: bool = True, book: bool = True) -> None:
    """Say why page tests cannot run here: they are skipped, and under CI they fail."""
    missing = []
    if browser and not Path(CHROMIUM).is_file():
        missing.append("there is no Chromium (set UNROLLED_CHROMIUM)")
    if book and not pages():
        missing.append("the book is not built (make book)")
    if missing and (os.environ.get("CI") or os.environ.get("UNROLLED_REQUIRE_CHROMIUM")):
        pytest.fail(f"cannot run: {' and '.join(missing)}")
    if missing:
        pytest.skip(f"not run: {' and '.join(missing)}")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """A server for a folder, on this machine only; yields its address."""
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Visit(NamedTuple):
    """An open page, what went wrong while it opened, and the requests that it made to other places."""

    page: Page
    errors: list[str]
    strangers: list[str]

    def ask(self, question: str, *about):
        """The answer of one of the probe's functions."""
        return self.page.evaluate(f"about => probe.{question}(...about)", about)


@contextmanager
def visit(browser: Browser, url: str, width: int = 1280, scheme: str = "light", **context) -> Iterator[Visit]:
    """Open a page and wait until its mathematics and its live figures stand. No other host is reached."""
    for _ in range(3):
        opened = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **context)
        visit = Visit(opened.new_page(), [], [])
        _guard(opened, visit, url)
        answer = visit.page.goto(url)
        assert answer and answer.ok, f"{url} is not there: every question about it would be answered well"
        if visit.page.evaluate(WALK):
            break
        opened.close()
    else:
        raise AssertionError(f"three times the browser did not draw {url}")
    visit.page.wait_for_function(SETTLED, timeout=60_000, polling=50)
    visit.page.evaluate(PROBE)
    visit.errors.extend(f"<{name}> is never defined" for name in visit.ask("undefined_elements"))
    yield visit
    opened.close()


def _guard(context: BrowserContext, visit: Visit, url: str) -> None:
    home = re.match(r"http://[^/]+/|file://", url)[0]

    def route(request):
        if request.request.url.startswith((home, "data:", "blob:")):
            return request.continue_()
        visit.strangers.append(request.request.url)
        return request.abort()

    context.route("**/*", route)
    visit.page.on("pageerror", lambda error: visit.errors.append(f"script error: {error}"))
    visit.page.on("console", lambda m: m.type == "error" and visit.errors.append(f"console: {m.text}"))
    visit.page.on("requestfailed", lambda r: visit.errors.append(f"not loaded: {r.url}"))


# ---- questions to an open page; each answers with a list of complaints

def axe(page: Page) -> list[str]:
    """The violations of WCAG 2.0 to 2.2 A and AA that axe sees, outputs included, nothing excepted."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("rules => axe.run(document, rules)", WCAG)["violations"]
    return [f"{v['id']}: {v['help']}: {node['html'][:200]}" for v in found for node in v["nodes"]]


def wordless(figures: list[dict]) -> list[str]:
    """Pictures without 5 to 60 words of their own that say what is to be seen."""
    seen = Counter(f["words"].strip() for f in figures)
    complaints = []
    for words, what in ((f["words"].strip(), f["what"]) for f in figures):
        if re.search(r"\.(?:png|svg|jpe?g|gif|webp)\b", words) or not 5 <= len(words.split()) <= 60:
            complaints.append(f"{what} says {words!r}")
        elif seen[words] > 1:
            complaints.append(f"{what} says the same as another: {words!r}")
    return complaints


def tab_walk(visit: Visit, whole: bool = False) -> list[str]:
    """Go through the article, or the whole page, with the Tab key: what is not reached, or not seen then."""
    complaints = []
    for _ in range(2 * visit.ask("begin", whole) + 20):        # boxes that scroll are stops of Chromium's own
        visit.page.keyboard.press("Tab")
        here = visit.ask("step")
        if here is None:
            break
        complaints += [] if here["seen"] else [f"the focus on {here['what']} cannot be seen"]
        complaints += [f"{here['what']} is covered when it has the focus"] if here["covered"] else []
    return complaints + [f"the Tab key does not reach {what}" for what in visit.ask("missed")]


# ---- questions to the files

LOADS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}


class Link(NamedTuple):
    """Where a page points, from which element, and whether a browser goes there by itself."""

    page: Path
    element: str
    to: str
    loads: bool


@functools.cache
def read(page: Path) -> BeautifulSoup:
    """A built page, parsed."""
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def links(root: Path) -> list[Link]:
    """Every href and src of the built pages."""
    found = []
    for page in files(root.resolve()):
        for key in "href", "src":
            found += [Link(page, e.name, e[key], key == "src" or bool(LOADS & set(e.get("rel", []))))
                      for e in read(page).find_all(attrs={key: True})]
    return found


def remote(root: Path) -> list[str]:
    """Scripts, styles, fonts, pictures and frames that come from another host."""
    found = [f"{x.page.name}: <{x.element}> {x.to}" for x in links(root) if x.loads and urlsplit(x.to).netloc]
    for style in root.rglob("*.css"):
        urls = re.findall(r"(?:url\(|@import) *[\"']?((?:https?:)?//[^\"')]+)", style.read_text("utf-8"))
        found += [f"{style.name}: {url}" for url in urls]
    return found


def broken(root: Path) -> list[str]:
    """Links within the book that lead to no file, or to no such place in it."""
    return [f"{x.page.relative_to(root.resolve())}: <{x.element}> {x.to}" for x in links(root) if _lost(x)]


def _lost(link):
    parts = urlsplit(link.to)
    if parts.scheme or parts.netloc or link.to == "#":
        return False
    path = (link.page.parent / unquote(parts.path)).resolve() if parts.path else link.page
    path = path / "index.html" if path.is_dir() else path
    anchor = unquote(parts.fragment)
    return not path.is_file() or bool(anchor and path.suffix == ".html" and not read(path).find(id=anchor))
