"""Text from data, learners or models is shown and never run: some 30 attacks through every display."""

import pages
import pytest
from unrolled import draw, live, plot, quiz, records, scoreboard, wishlist
from unrolled.audio import Sound
from unrolled.checks import check
from unrolled.checks.page import Block
from unrolled.checks.verdict import Verdict
from unrolled.claims import cite, claim

pytestmark = pytest.mark.page
PWN = "window.PWNED=1"
ATTACKS = [attack.replace("§", PWN) for attack in (
    "<script>§</script>",
    "<ScRiPt>§</sCrIpT>",
    "<img src=x onerror=§>",
    "<img/src='x'onerror=§>",
    "<svg onload=§>",
    "<svg><script>§</script></svg>",
    "<svg><animate onbegin=§ attributeName=x dur=1s>",
    "\"><img src=x onerror=§>",
    "'><img src=x onerror=§>",
    "`><img src=x onerror=§>",
    "</script><script>§</script>",
    "</script><img src=x onerror=§>",
    "\u2028</script><img src=x onerror=§>",
    "\"-(§)-\"",
    "\";§;//",
    "'-(§)-'",
    "${§}",
    "\\\";§;//",
    "</title><img src=x onerror=§>",
    "</textarea><img src=x onerror=§>",
    "--><img src=x onerror=§>",
    "]]><img src=x onerror=§>",
    "</style><img src=x onerror=§>",
    "<details open ontoggle=§>x</details>",
    "<audio src=x onerror=§></audio>",
    "<iframe onload=§></iframe>",
    "<math><mtext><img src=x onerror=§>",
    "<link rel=stylesheet href=x onerror=§>",
    "<x-y><template shadowrootmode=open><img src=x onerror=§></template></x-y>",
    "&lt;img src=x onerror=§&gt;",
    "\\x3cimg src=x onerror=§\\x3e",
)]
# The places where careless code puts text: an attack that fires in none of them would prove nothing.
CARELESS = ["<p>{}</p>", "<p title=\"{}\"></p>", "<p title='{}'></p>", "<svg><title>{}</title></svg>",
            "<textarea>{}</textarea>", "<!-- {} -->", "<style>{}</style>",
            "<script type='application/json'>{}</script>", "<script>let a = \"{}\"</script>",
            "<script>let b = '{}'</script>", "<script>let c = `{}`</script>",
            "<script>let d = \"\\{}\"</script>",                        # a quote "made safe" by a backslash
            "<p id=twice>{}</p><script>twice.innerHTML = twice.textContent</script>",
            "<script>document.write(\"{}\")</script>"]
TYPE = """(boxes, texts) => boxes.forEach((box, n) => {
    box.value = texts[n % texts.length];
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.dispatchEvent(new Event("change", { bubbles: true }));
})"""
WORDS = "A picture with hostile words in it:"


@pytest.fixture(scope="module")
def browser():
    pages.require(book=False)
    with pages.chromium() as browser:
        yield browser


def fired(page):
    page.wait_for_timeout(300)
    return page.evaluate("'PWNED' in window")


def opened(browser, path, body):
    path.write_text(f"<!doctype html><html lang=en><title>x</title><body>{body}</body></html>", "utf-8")
    return pages.visit(browser, path.as_uri())


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_attack_works_where_text_is_not_escaped(browser, tmp_path, attack):
    page = browser.new_page()

    def works(place):
        path = tmp_path / "careless.html"
        path.write_text("<!doctype html><body>" + place.replace("{}", attack), "utf-8")
        page.goto(path.as_uri())
        page.wait_for_timeout(30)
        return page.evaluate("'PWNED' in window")
    assert any(map(works, CARELESS))
    page.close()


def verdicts(attack):
    def angry(x, T):
        raise ValueError(attack)
    angry.__name__ = angry.__qualname__ = attack
    text = f"{attack}\t{attack}\n{attack}"
    kinds = [Block(kind, text) for kind in ("say", "marks", "code", "rows", "fold")]
    return [check.make_windows(angry), check.make_windows(lambda x, T: attack),
            Verdict(attack, "not yet", None, kinds)]


def tables(attack):
    measured = wishlist.Wishes(0.5, 20, 1.0, 0.3, 3, 1e-6, 20, (1, 2, 20), {1: 0.2}, {1: 0.1})
    made = records.Record(attack, attack, attack, attack, 0, 1.0, attack, [attack], [[attack]])
    return [scoreboard.Board({attack: measured}), made,
            claim("P3", {attack: attack}, holds=True), cite("P3", attack), Sound([0.0, 0.5], attack)]


def drawings(attack):
    words = [attack] * 3
    return [draw.folded_unrolled(words), draw.ngram_window(words, 2), draw.f_and_g(words),
            draw.chain_rule(words), draw.table([[0.5, 0.5], [0.5, 0.5]], words[:2]),
            plot.strip(words, alt=f"{WORDS} {attack}"),
            draw.sequence_kinds(attack[:34], [0.0, 1.0], [[0, 16], [16, 0]], [0, 1, 2, 3])]


def charts():
    """Drawn by matplotlib, which takes its time: all attacks in one picture of each kind."""
    n, series = len(ATTACKS), {attack: [1.0, 2.0] for attack in ATTACKS}
    return [plot.curves(series, WORDS + ATTACKS[0], ATTACKS[1], ATTACKS[2]), plot.points(series, WORDS),
            plot.curves({ATTACKS[3]: series}, WORDS), plot.growth(series, WORDS, "", {ATTACKS[0]: 10}),
            plot.bars([1 / n] * n, ATTACKS, WORDS, top=n, xlabel=ATTACKS[4]),
            plot.waterfall([1.0] * n, ATTACKS, WORDS, ATTACKS[5]),
            plot.heat([[1.0] * n] * n, WORDS, ATTACKS, ATTACKS, ATTACKS[6], ATTACKS[7])]


def question(attack, kind):
    answers = [{"answer": f"{attack} {n}", "correct": n == 1, "feedback": attack} for n in (1, 2, 3)]
    return {"id": f"{attack}{kind}", "chapter": "01", "type": kind, "question": attack, "answers": answers}


def html(shown):
    bundle = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {}
    return bundle.get("text/html") or shown._repr_html_()


def test_no_display_of_the_library_runs_what_it_shows(browser, tmp_path):
    displays = charts() + [d for a in ATTACKS for make in (verdicts, tables, drawings) for d in make(a)]
    with opened(browser, tmp_path / "displays.html", "\n".join(map(html, displays))) as visit:
        assert not fired(visit.page)
        visit.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert not fired(visit.page)
        assert visit.errors == []


def test_live_figures_run_nothing_that_their_data_or_their_readers_say(browser, tmp_path):
    figures = [live.ngram(text=f"{attack}\n" * 3, n=2, prompt=attack) for attack in ATTACKS]
    with opened(browser, tmp_path / "live.html", "\n".join(map(html, figures))) as visit:
        assert not fired(visit.page) and visit.errors == []
        boxes = visit.page.locator("input[type=text], textarea")
        assert boxes.count() >= len(ATTACKS)
        boxes.evaluate_all(TYPE, ATTACKS)
        assert not fired(visit.page) and visit.errors == []


def test_a_quiz_runs_nothing_that_it_asks_or_answers(browser, tmp_path, monkeypatch):
    kinds = "multiple_choice", "many_choice"
    items = [question(attack, kind) for attack in ATTACKS for kind in kinds]
    monkeypatch.setattr(quiz, "questions", lambda chapter: items)
    with opened(browser, tmp_path / "quiz.html", html(quiz.quiz("01"))) as visit:
        for control in "input", "button":
            visit.page.locator(control).evaluate_all("all => all.forEach(e => e.click())")
        assert not fired(visit.page) and visit.errors == []
