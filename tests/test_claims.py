"""Claims: all that the lecture says is there, a claim that fails raises, and what is shown can be trusted."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unrolled import claims
from unrolled.claims import CLAIMS, ClaimFailed, cite, claim
from unrolled.picture import number

COUNTS = dict(S=4, P=7, D=6, R=4, B=4, V=4, M=7, G=2, X=5, Q=5, C=4, W=5, A=3, T=6, O=4)


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch):
    monkeypatch.setattr(claims, "_made", {})


def test_all_seventy_claims_of_the_lecture_are_there_in_its_order():
    assert (
        list(CLAIMS) == [f"{s}{k}" for s, n in COUNTS.items() for k in range(1, n + 1)] and len(CLAIMS) == 70
    )


def test_every_claim_is_one_clear_sentence_or_two_with_a_place_and_a_kind():
    for c in CLAIMS.values():
        assert 5 <= len(c.sentence.split()) <= 45 and c.sentence.endswith((".", ")")), c.id
        assert c.kind in ("measured", "cited") and 0 < c.at < 1 and c.section, c.id
    assert len({c.sentence for c in CLAIMS.values()}) == 70


def test_the_places_follow_the_course_of_the_lecture():
    begins = [min(c.at for c in CLAIMS.values() if c.id[0] == s) for s in COUNTS]
    assert begins[0] < 0.1 and begins[-1] > 0.9
    assert sorted(begins) == begins


def test_every_row_that_needs_care_has_a_note():
    assert {c.id for c in CLAIMS.values() if c.note} == {"P5", "P6", "D5", "D6", "M6"}


def test_the_file_is_utf8_with_one_claim_a_line():
    lines = Path(claims.__file__).with_name("claims.json").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 72 and all(json.loads(line.rstrip(",")) for line in lines[1:-1])


def test_a_claim_that_holds_shows_its_sentence_its_numbers_and_the_word_holds():
    shown = claim("P3", {"largest error": 1.234e-16, "sentences": 81}, holds=True)
    for text in (repr(shown), shown._repr_html_()):
        for told in ("P3 holds", "multiply", "largest error: 1.23 × 10⁻¹⁶ · sentences: 81"):
            assert told in text


def test_a_claim_that_does_not_hold_raises_and_tells_what_was_measured():
    with pytest.raises(ClaimFailed, match="P3 does not hold.*multiply.*\n.*error: 0.2") as failure:
        claim("P3", {"error": 0.2}, holds=False)
    assert failure.value.id == "P3" and failure.value.measured == "error: 0.2"
    assert "multiply" in failure.value.sentence and isinstance(failure.value, AssertionError)
    assert not claims.made()


@pytest.mark.parametrize("holds", [1, 0, None, "yes", torch.tensor(True), np.ones(1, bool), 1.0])
def test_holds_must_be_a_bool(holds):
    with pytest.raises(TypeError, match="True or False"):
        claim("P3", 1.0, holds=holds)


def test_a_bool_of_numpy_will_do():
    claim("P3", 1.0, holds=np.float64(1) < 2)
    with pytest.raises(ClaimFailed):
        claim("P3", 1.0, holds=np.float64(1) > 2)


def test_a_claim_without_a_number_is_refused():
    for nothing in ("", None, {}):
        with pytest.raises(ValueError, match="measured is empty"):
            claim("P3", nothing, holds=True)


def test_an_unknown_claim_says_which_there_are():
    with pytest.raises(ValueError, match="section P has P1 to P7"):
        claim("P8", 1, holds=True)
    with pytest.raises(ValueError, match="from S1 to O4"):
        cite("9", "a book")


def test_history_is_cited_with_its_source_and_does_not_claim_to_hold():
    shown = cite("T4", "Radford et al., 2019")
    assert "Source: Radford et al., 2019" in repr(shown) and "holds" not in repr(shown)
    with pytest.raises(ValueError, match="source of T4 is empty"):
        cite("T4", " ")


def test_what_was_made_is_recorded_once_in_the_order_of_the_lecture():
    claim("D1", 1, holds=True)
    claim("S1", 1, holds=True)
    claim("D1", 2, holds=True)
    cite("D1", "a book")
    assert [(s.claim.id, s.kind, s.evidence) for s in claims.made()] == [
        ("S1", "measured", "1"), ("D1", "cited", "a book"), ("D1", "measured", "2"),
    ]  # fmt: skip


class Strict(HTMLParser):
    """Every tag that is opened is closed; no scripts, no handlers, no ids."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in ("div", "p", "span", "strong", "em") and {k for k, _ in attrs} <= {
            "class",
            "id",
            "style",
            "aria-hidden",
        }
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@given(st.text(), st.text(min_size=1))
def test_names_and_texts_cannot_inject_html(name, value):
    shown = claim("P6", {name: value}, holds=True)
    assert "10⁻" not in Strict(shown._repr_html_()).text or "10⁻" in name + value


def test_known_payloads_stay_text():
    for payload in (
        "<script>window.PWNED=1</script>",
        '"><img src=x onerror=alert(1)>',
        "</div></p>",
        "$x$ \\(y\\)",
    ):
        for shown in (claim("P6", {payload: payload}, holds=True), cite("P6", payload)):
            assert payload in Strict(shown._repr_html_()).text


def test_a_note_is_shown_with_its_claim():
    shown = claim("M6", {"ratio": 0.75}, holds=True)
    assert "three blocks" in shown._repr_html_() and "Note: " in repr(shown)


def test_the_same_claim_has_the_same_bytes():
    one, other = (claim("P1", {"bits": 1 / 3}, holds=True) for _ in range(2))
    assert one._repr_html_() == other._repr_html_() and repr(one) == repr(other)


@pytest.mark.parametrize(
    "value, shown",
    [
        (12, "12"), (1_176_470_663, "1,176,470,663"), (-3, "−3"), (10**80, "1 × 10⁸⁰"), (0.0, "0"),
        (2.0, "2"), (1 / 3, "0.333"), (0.9996, "1"), (123.456, "123"), (99_999.0, "100,000"),
        (1.1e-16, "1.1 × 10⁻¹⁶"),
        (-0.00012345, "−1.23 × 10⁻⁴"), (2.5e9, "2.5 × 10⁹"), (10**400, "1 × 10⁴⁰⁰"), (True, "yes"),
        (float("nan"), "not a number"), (float("inf"), "infinite"), ("4 x 4", "4 x 4"),
        (torch.tensor(0.25), "0.25"), (np.int64(7), "7"), (np.float32(0.5), "0.5"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value, shown):
    assert number(value) == shown


@given(st.floats(-1e300, 1e300))
def test_three_significant_digits_are_kept(value):
    text = number(value).replace("−", "-").replace(",", "").replace(" × 10", "e")
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    assert float(text.translate(digits)) == pytest.approx(value, rel=5.01e-3)
