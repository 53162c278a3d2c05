"""What the book costs: seconds to build it, bytes to read it, and Lighthouse's opinion.

    python benchmarks/book_cost.py                  cold build, chapter by chapter; bytes of each page
    python benchmarks/book_cost.py --no-build       only the pages that are built already
    python benchmarks/book_cost.py --lighthouse     also Lighthouse (needs node and the network)

Bytes are counted as a browser loads the page, served compressed, from an empty cache.
"""

import argparse
import gzip
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
BROWSER = os.environ.get("UNROLLED_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
LIGHTHOUSE = "lighthouse@13.5.0"
TEXT = {".html", ".css", ".js", ".mjs", ".svg", ".json", ".ipynb"}


class Compressed(http.server.SimpleHTTPRequestHandler):
    """A static server that compresses text, as the web's do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        file = Path(self.translate_path(self.path))
        if not file.is_file() or file.suffix not in TEXT:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", f"{self.guess_type(str(file))}; charset=utf-8")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("Content-Length", str(len(packed(file))))
        self.end_headers()
        self.wfile.write(packed(file))

    def log_message(self, *_):
        pass


@cache
def packed(file: Path) -> bytes:
    return gzip.compress(file.read_bytes(), 6)


def serve(folder: Path) -> str:
    """Serve the folder from a thread; return its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressed, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def build() -> None:
    """Build from nothing but the environment, and print what each chapter took."""
    shutil.rmtree(ROOT / "_build", ignore_errors=True)
    start = time.monotonic()
    subprocess.run([sys.executable, "tools/build_book.py"], cwd=ROOT, check=True)
    print(f"cold build: {time.monotonic() - start:.0f} s\n")


class Load(NamedTuple):
    """What one load of a page moved: bytes on the wire and the number of files, by kind."""

    kind: str
    wire: int
    plain: int


def loads(browser, address: str) -> list[Load]:
    """Every file that the page asks for, in a fresh browser profile."""
    page = browser.new_context().new_page()
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(address, wait_until="networkidle")
    found = []
    for answer in answers:
        wire = answer.request.sizes()["responseBodySize"]
        found.append(Load(answer.request.resource_type, wire, len(answer.body())))
    page.close()
    return found


def weigh(pages: list[Path], address: str) -> None:
    """Print the bytes of each page: as text, its scripts, and everything that it loads."""
    from playwright.sync_api import sync_playwright

    print(f"{'KB':24}{'page':>8}{'packed':>8}{'scripts':>9}{'packed':>8}{'all':>8}{'packed':>8}{'files':>7}")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=BROWSER, args=FLAGS)
        for page in pages:
            got = loads(browser, f"{address}/book/{page.name}")
            kinds = [[f for f in got if f.kind == kind] for kind in ("document", "script")] + [got]
            cells = [f"{sum(sizes) / 1000:8.0f}" for files in kinds for sizes in columns(files)]
            print(f"{page.stem:24}{''.join(cells)}{len(got):8}")
        browser.close()


def columns(files: list[Load]) -> tuple[list[int], list[int]]:
    return [f.plain for f in files], [f.wire for f in files]


def lighthouse(pages: list[Path], address: str) -> None:
    """Print Lighthouse's scores of each page, on its simulated slow phone and on its desktop.

    Performance on the phone measures this machine, too: run it while nothing else runs.
    """
    for page in pages:
        for form, preset in ("phone", []), ("desktop", ["--preset=desktop"]):
            result = audit(f"{address}/book/{page.name}", preset)
            scores = {name: round(100 * part["score"]) for name, part in result["categories"].items()}
            blocked = result["audits"]["total-blocking-time"]["displayValue"]
            print(f"{page.stem:24}{form:8} {scores}  blocked {blocked}", flush=True)


def audit(address: str, options: list[str]) -> dict:
    """Lighthouse's report on one page."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        chrome = f"--chrome-flags=--headless=new {' '.join(FLAGS)}"
        command = ["npx", "--yes", LIGHTHOUSE, address, "--quiet", "--output=json", f"--output-path={report}"]
        env = os.environ | {"CHROME_PATH": BROWSER}
        subprocess.run([*command, chrome, *options], env=env, check=True, stderr=subprocess.DEVNULL)
        return json.loads(report.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--no-build", action="store_true", help="measure the pages that are there")
    parser.add_argument("--lighthouse", action="store_true", help="also run Lighthouse, through npx")
    parser.add_argument("--html", type=Path, default=HTML, help="the folder of built pages")
    options = parser.parse_args()
    if not options.no_build:
        build()
    pages = sorted(options.html.glob("book/[0-9]*.html"))
    address = serve(options.html)
    if BROWSER:
        weigh(pages, address)
    else:
        print("NOT RUN: bytes and Lighthouse need Chromium (cure: install it, or set UNROLLED_CHROMIUM)")
    if options.lighthouse and BROWSER and shutil.which("npx"):
        lighthouse(pages, address)


if __name__ == "__main__":
    main()
