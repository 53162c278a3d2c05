"""The two translators that chapter 10 carries: what they were asked, what they know, and what it cost."""

import pytest
import torch
from unrolled import records
from unrolled.trainings import interpreters
from unrolled.trainings.interpreters import KINDS, aligned, build, looks, right, surprise, trained
from unrolled.translation import Pair, sample


@pytest.fixture(scope="module")
def both():
    return {kind: trained(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def table():
    return {tuple(row[:2]): dict(zip(KINDS, row[2:])) for row in records.show("translation_by_length").rows}


@pytest.mark.claim("Q2")
def test_with_attention_new_sentences_are_translated_to_the_last_word(both):
    asked = sample(60, seed=71, split="valid") + sample(60, seed=72, split="new")
    assert right(*both["attention"][:3], asked) > 0.9


@pytest.mark.claim("Q2")
def test_one_vector_is_enough_for_short_sentences_and_for_no_long_one(both):
    short, long = (sample(60, 73, "valid", *ends) for ends in ((3, 5), (9, 12)))
    assert right(*both["fixed"][:3], short) > 0.9 > 0.2 > right(*both["fixed"][:3], long)


def test_what_it_looks_at_is_the_true_alignment_which_nobody_told_it(both):
    assert aligned(*both["attention"][:3], sample(60, seed=74, split="valid")) > 0.9


def test_alignment_is_counted_by_the_links_of_the_grammar(both):
    pair = sample(1, seed=75)[0]
    other = pair._replace(links=tuple((i + 1, j) for i, j in pair.links))
    model = both["attention"][:3]
    assert aligned(*model, [pair]) > aligned(*model, [other])
    seen = looks(*model, pair)
    torch.testing.assert_close(seen.sum(-1), torch.ones(len(seen)))
    assert len(seen) == 1 + max(j for _, j in pair.links) + 1


def test_they_have_about_as_many_weights_and_the_same_training(both):
    facts = [known[3] for known in both.values()]
    sizes = [f["parameters"] for f in facts]
    assert max(sizes) < 1.05 * min(sizes)
    assert len({(f["steps"], f["pairs"], f["seed"], f["command"]) for f in facts}) == 1
    assert all(f["cpu_seconds"] < 180 and f["date"] and f["device"] for f in facts)
    for kind in KINDS:
        assert (interpreters.TRAINED / f"translator_{kind}.safetensors").stat().st_size <= 300_000


def test_the_record_is_what_the_saved_networks_do(both, table):
    for ends in ((6, 8), (13, 16)):
        asked = sample(300, 2, "valid", *ends)
        for kind in KINDS:
            assert right(*both[kind][:3], asked) == pytest.approx(table[ends][kind], abs=0.01)


def test_the_saved_bits_are_measured_again(both):
    asked = sum((sample(300, 2, "valid", *ends) for ends in interpreters.LENGTHS[:3]), [])
    for *known, facts in both.values():
        assert surprise(*known, asked).item() == pytest.approx(facts["valid_bits"], rel=1e-3)


def test_a_tiny_training_leaves_a_record_and_two_networks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(records, "HERE", tmp_path)
    monkeypatch.setattr(interpreters, "LENGTHS", ((3, 4), (5, 6), (7, 8), (9, 10)))
    some = sample
    monkeypatch.setattr(interpreters, "sample", lambda n, *more: some(min(n, 2000), *more))
    made = interpreters.main(["--steps", "2", "--n", "4", "--folder", str(tmp_path)])
    assert [row[:2] for row in made.rows] == [[3, 4], [5, 6], [7, 8], [9, 10]]
    assert records.show("translation_by_length").rows == made.rows and "attention" in capsys.readouterr().out
    for kind in KINDS:
        model, english, french, facts = trained(kind, tmp_path)
        assert facts["steps"] == 2 and model.vocab_size == len(french)
        assert right(model, english, french, [Pair("the king sleeps.", "le roi dort.")]) == 0


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="kind is 'both': expected one of fixed, attention"):
        build("both", 3, 3)
