"""The named training of pictures: it learns, it goes on where it was stopped, and says what it did."""

import json
import math
import os
from pathlib import Path

import pytest
import torch
from unrolled import checkpoint, images, records, scenes
from unrolled.pixelcnn import GatedPixelCNN
from unrolled.trainings import pixels

MIRROR = Path(os.environ.get("UNROLLED_DATA") or Path(__file__).parents[2] / "shared" / "data")
TINY = "--data digits --hidden 4 --layers 1 --batch 16 --valid 20 --test 30".split()


@pytest.mark.parametrize("name", pixels.MODELS)
def test_every_model_trains_and_is_measured(name, tmp_path, capsys):
    out = tmp_path / "r.json"
    result = pixels.main([*TINY, "--model", name, "--steps", "50", "--lr", "2e-2", "--out", str(out)])
    assert json.loads(out.read_text(encoding="utf-8")) == result == json.loads(capsys.readouterr().out)
    assert result["steps_done"] == 50 and result["test_nats"] < 0.9 * 64 * math.log(2)
    assert result["published_test_nats"] is None and 0 < result["standard_error"] < 3


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    """The schedule, the pictures to come and the weights: all are taken up again."""
    asked = [*TINY, "--steps", "20", "--save"]
    whole = pixels.main([*asked, str(tmp_path / "whole.safetensors")])

    class Pulled(Exception):
        pass

    def pull(self, real=images.shuffles.__next__):
        pull.left -= 1
        if pull.left < 0:
            raise Pulled
        return real(self)

    pull.left = 13
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Pulled):
        patch.setattr(images.shuffles, "__next__", pull)
        pixels.main([*asked, str(tmp_path / "cut.safetensors")])
    again = pixels.main([*asked, str(tmp_path / "cut.safetensors")])
    assert again["test_nats"] == whole["test_nats"] and again["steps_done"] == 20


def test_the_saved_weights_are_those_that_were_measured(tmp_path):
    run, weights = (str(tmp_path / f"{name}.safetensors") for name in ("run", "weights"))
    result = pixels.main([*TINY, "--steps", "10", "--save", run, "--weights", weights])
    _, (_, _, test) = pixels.pictures("digits")
    for place, near in ((run, 1e-2), (weights, 1e-9)):  # the run keeps 32 bits, the weights 16
        model = GatedPixelCNN(2, (8, 8), 4, 1)
        facts = checkpoint.restore(place, model)
        assert pixels.nats(model, test[:30])[0] == pytest.approx(result["test_nats"], rel=near)
    assert facts["test_nats"] == result["test_nats"] and facts["network"] == "gated"


def test_the_model_that_comes_along_reaches_what_it_says():
    model, facts = pixels.trained()
    assert facts["cpu_seconds"] <= 180 and facts["data"] == "scenes" and facts["date"] and facts["device"]
    assert pixels.TRAINED["scenes"].stat().st_size < 300_000
    mean, error = pixels.nats(model, scenes.sample(300, seed=50))
    assert abs(mean - facts["test_nats"]) < 4 * error


def test_the_model_of_mnist_is_the_one_of_the_record():
    model, facts = pixels.trained("mnist")
    assert model.size == (28, 28) and facts["data"] == "mnist" and facts["device"]
    row = next(row for row in records.show("binarised_mnist").rows if row[0] == "gated PixelCNN, ours")
    assert row[2:] == [facts["parameters"], round(facts["test_nats"], 2)]


@pytest.mark.realdata
@pytest.mark.skipif(not (MIRROR / "binarized_mnist").is_dir(), reason="needs the mirror of public data")
def test_it_knows_new_digits_as_well_as_it_says(monkeypatch):
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    model, facts = pixels.trained("mnist")
    mean, error = pixels.nats(model, images.binarised_mnist("test")[::50])
    assert abs(mean - facts["test_nats"]) < 4 * error


def test_the_digits_are_cut_in_three():
    levels, parts = pixels.pictures("digits")
    assert levels == 2 and torch.cat(parts).equal(images.digits())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_it_trains_on_a_gpu():
    result = pixels.main([*TINY, "--steps", "10", "--mixed"])
    assert math.isfinite(result["test_nats"]) and "CPU" not in result["device"]
