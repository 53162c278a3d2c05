"""The named training of captioners: it runs, and the networks that the book carries are what it says."""

import pytest
import torch
from unrolled import glyphs, records
from unrolled.captions import scores
from unrolled.model import parameter_count
from unrolled.trainings import captions as lib


@pytest.fixture(scope="module")
def held():
    return lib.batch_of(glyphs.glyphs(glyphs.split()[1], glyphs.FONTS[:1]))


@pytest.mark.claim("C1", "C4")
def test_the_best_network_names_what_it_was_never_shown_and_the_first_one_does_not(held):
    (best, facts), (first, _) = lib.trained("best"), lib.trained("first")
    words, whole = scores(best, held)
    assert words > 0.85 and whole > 0.4 and scores(first, held)[1] < 0.05
    assert facts["parameters"] == parameter_count(best) and facts["cpu_seconds"] < 180
    assert {"command", "device", "seed", "date", "torch"} <= facts.keys()


def test_the_checkpoints_are_small():
    assert all(path.stat().st_size <= 300_000 for path in lib.TRAINED.values())


@pytest.mark.claim("C3")
def test_the_record_says_that_a_frozen_encoder_costs_less():
    rows = {row[0]: row for row in records.show("captions_encoders").rows}
    along, frozen = rows["encoder trained along"], rows["encoder pre-trained, frozen"]
    assert frozen[2] < 0.7 * along[2] and frozen[3] < along[3]


@pytest.mark.parametrize("more, rows", [([], 2), (["--encoders"], 4)])
def test_the_command_trains_saves_and_records(more, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "HERE", tmp_path)
    record = lib.main(["--steps", "2", "--fonts", "1", "--out", str(tmp_path), *more])
    assert len(record.rows) == rows and all(len(row) == len(record.columns) for row in record.rows)
    assert len(list(tmp_path.glob("*.safetensors"))) == (0 if more else 2)


def test_a_frozen_encoder_is_not_changed_by_its_writer():
    shown = glyphs.glyphs("abcdefgh" * 9, glyphs.FONTS[:1])
    torch.manual_seed(0)
    encoder = lib.best().encoder
    before = [p.clone() for p in encoder.parameters()]
    lib.around(encoder, shown, 2, 0)
    assert all(a.equal(b) for a, b in zip(before, encoder.parameters()))


def test_only_what_was_saved_can_be_loaded():
    with pytest.raises(ValueError, match="expected 'best' or 'first'"):
        lib.trained("second")
