"""A bare page with displayed outputs in it, opened in Chromium from a file, with no network.

This is how a live figure meets a stranger's page: no theme, no framework, nothing beside the output itself.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = Path(os.environ.get("UNROLLED_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium():
    """A running Chromium; where there is none the test is not run, except in CI, where it fails."""
    if not CHROMIUM.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"NOT RUN: no Chromium at {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


def bare_page(*outputs, head: str = "") -> str:
    """An HTML page with the outputs one after the other."""
    blocks = "\n".join(f"<div>{output._repr_mimebundle_()['text/html']}</div>" for output in outputs)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>outputs</title>'
        f'<meta name="viewport" content="width=device-width">{head}</head>'
        '<body style="max-width:46rem;margin:0 auto;padding:8px"><main><h1>Outputs</h1>'
        f"{blocks}</main></body></html>"
    )


# The first figure starts when it is seen, a moment after the page is there.
STARTED = """() => {
    const first = [...document.querySelectorAll("*")].find((node) => node.localName.startsWith("u-"));
    return !first?.eye || first.shadowRoot;
}"""


def open_page(browser, folder: Path, html: str, **settings):
    """Open the HTML from a file. `page.faults` has script errors, console errors and requests that left."""
    file = Path(folder) / "page.html"
    file.write_text(html, encoding="utf-8")
    page = browser.new_context(**settings).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
    page.on("request", lambda request: request.url.startswith("http") and page.faults.append(request.url))
    page.goto(file.as_uri())
    if settings.get("java_script_enabled", True):
        page.wait_for_function(STARTED)
    return page
