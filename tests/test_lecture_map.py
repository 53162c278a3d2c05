"""The lecture map names each claim once, with the number that was shown and the tests that hold it."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from unrolled.claims import CLAIMS, claim

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import lecture_map  # noqa: E402


def chapter(*shown):
    cells = [nbformat.v4.new_code_cell() for _ in shown]
    for cell, one in zip(cells, shown):
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": repr(one)})]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_claim_stands_with_its_chapter_and_its_number():
    page = lecture_map.page({"04_rnn": chapter(claim("R2", {"largest sum": 1.25}, holds=True))})
    row = re.search(r"^- \*\*R2\*\*.*?(?=^- |\Z)", page, re.M | re.S)[0]
    assert '<a href="04_rnn.html#claim-R2">chapter 4</a>: largest sum: 1.25' in row
    assert "notebooks/04_rnn.ipynb" in row


def test_every_claim_of_the_lecture_has_one_entry_and_the_missing_are_counted():
    page = lecture_map.page({"04_rnn": chapter(claim("R2", "seen", holds=True))})
    assert re.findall(r"^- \*\*(\w+)\*\*", page, re.M) == list(CLAIMS)
    assert f"1 of {len(CLAIMS)} are made" in page


def test_a_claim_with_a_note_is_found_too():
    noted = next(id for id, c in CLAIMS.items() if c.note)
    assert lecture_map.made("01_x", chapter(claim(noted, "seen", holds=True)))[0][0] == noted


@pytest.mark.parametrize("text", ["a * b_c", "<unk> & $x$", "[link](x)", "`code`", "~~no~~"])
def test_nothing_in_a_claim_is_markdown(text):
    from markdown_it import MarkdownIt

    html = MarkdownIt("gfm-like", {"linkify": False}).render(lecture_map.escaped(text))
    assert html.count("<") == 2  # its paragraph alone


def test_marked_tests_are_found_and_name_claims_that_exist():
    held = lecture_map.tests(ROOT)
    assert held and set(held) <= set(CLAIMS)
    assert "test_rnn.py::test_states_equal_those_of_torch" in held["R1"]
