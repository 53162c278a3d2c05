"""The page of results is made from the records: nothing on it was typed but what others published."""

import json
import re
import sys
from pathlib import Path

import pytest
from unrolled import records

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import results  # noqa: E402

PUBLISHED = json.loads((ROOT / "tools" / "published.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", records.names())
def test_a_record_stands_whole_with_its_source(name):
    record, text = records.show(name), results.page()
    assert results.cell(record.title) in text and results.source(record) in text
    for row in record.rows:
        assert "| " + " | ".join(map(results.cell, row)) + " |" in text


def test_every_trained_model_is_named_with_its_command_and_cost():
    text = results.page()
    for path in results.TRAINED.glob("*.safetensors"):
        assert results.cell(path.stem) in text and results.model(path)[1].startswith("python -m")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_figure_has_a_record_a_protocol_and_a_reference_that_exists(name):
    library = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert name in records.names()
    for figure in PUBLISHED[name]:
        assert set(figure) == {"who", "figure", "protocol", "cite"} and all(figure.values())
        assert f"{{{figure['cite']}," in library and results.other(figure) in results.page()


@pytest.mark.parametrize("title", results.CONTESTS)
def test_a_contest_stands_with_its_command_and_a_peer(title):
    text = results.contest(title)
    assert text in results.page() and re.search(r"Made by: `python benchmarks/\w+\.py`", text)
    assert re.search("as Bai et al. report|nanoGPT|RecurrentPPO", text)


def test_a_contest_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="Billiards"):
        results.contest("Billiards")


def test_markup_in_a_value_stays_text():
    assert results.table(["a|b"], [["<i>*x*"]]) == "| a\\|b |\n|---|\n| \\<i\\>\\*x\\* |"


def test_no_trained_model_names_a_place_of_the_machine_that_trained_it():
    for path in sorted(results.TRAINED.glob("*.safetensors")):
        words = [fact for fact in results.checkpoint.read(path)[1].values() if isinstance(fact, str)]
        assert not [word for word in words if word.startswith("/")], path.name
