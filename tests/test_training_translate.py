"""The training of translators: each model runs, is taken up again, and leaves a row of results."""

import json
import os
from pathlib import Path

import pytest
import torch
from unrolled import checkpoint, data, translation
from unrolled.trainings import translate
from unrolled.translation import Pair
from unrolled.vocab import Vocab

TINY = "--hidden 16 --layers 1 --steps 4 --batch 8 --beam 2".split()
MIRROR = Path(os.environ.get("UNROLLED_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """A handful of our own pairs in place of fifty thousand."""
    monkeypatch.setenv("UNROLLED_DEVICE", "cpu")
    few = {split: translation.sample(30, split=split, high=6) for split in translation.SPLITS}
    monkeypatch.setattr(translate, "sample", lambda n, seed, split="train": few[split])


@pytest.mark.parametrize("model", translate.MODELS)
def test_every_model_trains_and_is_measured(model, tmp_path):
    out = tmp_path / "results.json"
    translate.main(["--model", model, "--data", "ours", "--out", str(out), *TINY])
    row, = json.loads(out.read_text(encoding="utf-8"))
    assert (row["model"], row["steps_done"]) == (model, 4)
    assert row["valid_bits"] > 1 and row["parameters"] > 1000
    for test in ("valid", "new"):
        for how in ("greedy", "beam"):
            scores = row[f"{test}_{how}"]
            assert 0 <= scores["bleu"] <= 100 and 0 <= scores["chrf"] <= 100 and 0 <= scores["right"] <= 1
    assert "tok:13a" in row["signature"] and len(row["new_samples"]) == 5


def test_a_stopped_training_goes_on_and_rows_are_collected(tmp_path, capsys):
    out, save = str(tmp_path / "results.json"), str(tmp_path / "run.safetensors")
    whole = translate.main(["--data", "ours", *TINY])
    asked = ["--data", "ours", "--save", save, "--out", out, *TINY]
    with pytest.MonkeyPatch.context() as patch:  # stopped after two steps: the schedule knows of four
        fit = translate.fit
        patch.setattr(translate, "fit", lambda model, batches, steps, **more: fit(model, batches, 2, **more))
        translate.main(asked)
    again = translate.main(asked)
    assert "taken up again at step 2 of 4" in capsys.readouterr().out
    rows = json.loads(Path(out).read_text(encoding="utf-8"))
    assert [row["steps_done"] for row in rows] == [2, 4]
    assert again["valid_bits"] == whole["valid_bits"] and again["new_greedy"] == whole["new_greedy"]


def test_few_sentences_are_taken_from_the_short_ones_to_the_long_ones():
    assert translate.spread(range(10), 4) == [0, 2, 5, 7] and translate.spread("abc", 4) == ["a", "b", "c"]


def test_the_model_is_kept_with_both_vocabularies(tmp_path):
    keep = str(tmp_path / "model.safetensors")
    translate.main(["--data", "ours", "--keep", keep, *TINY])
    tensors, facts = checkpoint.load(keep)
    assert facts["asked"]["layers"] == 1
    a, english = translate.arguments(TINY), Vocab.from_json(facts["english"])
    model = translate.build(a, len(english), len(facts["vocab"]))
    checkpoint.restore(keep, model)
    assert all(torch.equal(t, tensors[name]) for name, t in model.state_dict().items())


def test_tatoeba_is_read_in_sub_words(monkeypatch):
    pairs = [Pair("Go on!", "Allez !"), Pair("Go on, go on.", "Allez, allez."), Pair("Stop!", "Stop !")] * 4
    monkeypatch.setattr(translate, "tatoeba", lambda split, required: pairs)
    row = translate.main(["--merges", "10", *TINY])
    assert row["test_beam"]["n"] == 3 and row["symbols"][0] > 10


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the mirror of public data")
def test_it_learns_something_of_tatoeba(monkeypatch, tmp_path):
    """Half a minute of one core: far from good, but no chance either. Guessing costs 10 bits a symbol."""
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    assert data.available("tatoeba_fra_eng")
    translation._tatoeba.cache_clear()
    size = "--hidden 96 --layers 1 --merges 1000 --steps 600 --batch 64 --test 200 --beam 3 --lr 4e-3".split()
    row = translate.main(["--model", "attention", "--dropout", "0", *size])
    assert row["valid_bits"] < 6 and row["test_greedy"]["chrf"] > 10
