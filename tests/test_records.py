"""Recorded results say where they come from, and cannot be mistaken for something else."""

import json

import pytest
from unrolled import records


@pytest.mark.parametrize("name", records.names())
def test_a_record_names_command_device_date_seed_and_cost(name):
    record = records.show(name)
    assert record.command.startswith("python ") and record.device and record.torch
    assert record.date.count("-") == 2 and record.seconds > 0 and isinstance(record.seed, int)
    assert all(len(row) == len(record.columns) for row in record.rows) and record.rows


def test_an_unknown_record_is_answered_with_the_names_there_are():
    with pytest.raises(KeyError, match="shakespeare_ngrams"):
        records.show("no such thing")


def test_making_a_record_writes_what_show_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "HERE", tmp_path)
    made = records.make("tiny", "A title", ["n", "bits"], lambda seed: [[seed, 0.5]], "python x.py", seed=3)
    assert records.show("tiny") == made and made.rows == [[3, 0.5]]
    assert json.loads((tmp_path / "tiny.json").read_text(encoding="utf-8"))["seed"] == 3


def test_what_a_record_says_is_escaped_in_html():
    record = records.Record("<b>t</b>", "python x", "cpu", "2026-01-01", 0, 1.0, "2", ["<i>"], [["<script>"]])
    page = record._repr_html_()
    assert "<b>" not in page and "<i>" not in page and "<script>" not in page


def test_text_and_html_show_the_same_numbers():
    record = records.show("shakespeare_ngrams")
    for row in record.rows[:3]:
        for value in row:
            assert records._cell(value) in repr(record) and records._cell(value) in record._repr_html_()


def test_the_seven_gram_of_shakespeare_is_where_others_measured_it():
    record = records.show("shakespeare_ngrams")
    rows = {(n, name): nats for n, name, nats, *_ in record.rows}
    assert abs(rows[7, "modified kneser ney"] - 1.517) < 0.002
