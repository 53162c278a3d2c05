"""The named training of spoken digits, with vowels in their place: it learns, goes on, and counts right."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unrolled import audio, checkpoint
from unrolled.trainings import speech
from unrolled.wavenet import WaveNet

TINY = "--batch 8 --length 256 --residual 16 --skip 32 --layers 3 --stacks 1 --lr 2e-2".split()


def spoken(digit=None, speaker=None, take=None):
    """Twelve recordings of two "digits", each a vowel, by two voices, of different lengths."""
    made = []
    for digit, name in enumerate(("heed", "hod")):
        for take in (0, 5, 6):
            for speaker, f0 in (("george", 110), ("theo", 150)):
                wave = audio.vowel(name, f0, 0.1 + 0.01 * take, seed=take)
                made.append(audio.Recording(wave, digit, speaker, take))
    return made


@pytest.fixture(autouse=True)
def a_few_recordings(monkeypatch):
    monkeypatch.setattr(audio, "spoken", spoken)
    monkeypatch.setenv("UNROLLED_DEVICE", "cpu")


def tiny():
    return WaveNet(256, 16, 32, (1, 2, 4), condition=speech.WIDTH)


def test_it_trains_and_says_what_came_out(tmp_path, capsys):
    out = tmp_path / "r.json"
    result = speech.main([*TINY, "--steps", "100", "--out", str(out)])
    assert json.loads(out.read_text(encoding="utf-8")) == result == json.loads(capsys.readouterr().out)
    assert result["steps_done"] == 100 and result["receptive_field"] == 8
    assert result["test_bits"] < 6.5 < result["histogram_bits"] < 8
    assert result["test_bits"] < result["test_bits_told_another_digit"]


def test_a_stopped_run_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    asked = [*TINY, "--steps", "20", "--save"]
    whole = speech.main([*asked, str(tmp_path / "whole.safetensors")])

    class Pulled(Exception):
        pass

    def pull(self, real=speech.Crops.__next__):
        pull.left -= 1
        if pull.left < 0:
            raise Pulled
        return real(self)

    pull.left = 13
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Pulled):
        patch.setattr(speech.Crops, "__next__", pull)
        speech.main([*asked, str(tmp_path / "cut.safetensors")])
    again = speech.main([*asked, str(tmp_path / "cut.safetensors")])
    assert again["test_bits"] == whole["test_bits"] and again["steps_done"] == 20


def test_the_saved_weights_are_those_that_were_measured(tmp_path):
    place, model = tmp_path / "m.safetensors", tiny()
    result = speech.main([*TINY, "--steps", "10", "--save", str(place)])
    checkpoint.restore(place, model)
    test = [r for r in spoken() if r.take < speech.TEST_TAKES]
    assert speech.bits(model.eval(), test, speech.told(test)) == pytest.approx(result["test_bits"], abs=1e-6)


@torch.no_grad()
def test_bits_are_those_of_each_recording_read_alone():
    model, recordings = tiny().eval(), spoken()
    total = 0.0
    for r in recordings:
        x = speech.samples(r)[None]
        logits, _ = model(x[:, :-1], model.start(speech.told([r])))
        own = slice(speech.LEAD - 1, None)
        total += F.cross_entropy(logits[0, own], x[0, 1:][own], reduction="sum").item() / math.log(2)
    expected = total / sum(len(r.wave) for r in recordings)
    assert speech.bits(model, recordings, speech.told(recordings)) == pytest.approx(expected, rel=1e-6)


def test_a_model_that_knows_nothing_needs_eight_bits_and_a_histogram_fewer():
    model, recordings = tiny(), spoken()
    torch.nn.init.zeros_(model.W_y.weight)
    torch.nn.init.zeros_(model.W_y.bias)
    assert speech.bits(model, recordings, speech.told(recordings)) == pytest.approx(8)
    assert speech.histogram_bits(recordings, recordings) < 8


def test_crops_are_pieces_of_one_recording_with_its_condition_and_then_silence():
    levels = [200 + digit for digit in range(10)]
    flat = [audio.Recording(audio.mu_decode([n] * 300), digit, "theo", 9) for digit, n in enumerate(levels)]
    x, c = next(speech.Crops(flat, 1000, 200, seed=0))
    assert x.shape == (200, 1001) and x.dtype == torch.long and c.shape == (200, speech.WIDTH)
    for piece, said in zip(x, c):
        sound = (piece == levels[int(said[:10].argmax())]).nonzero().flatten()
        assert ((piece == speech.SILENCE).sum() + len(sound)) == 1001 and len(sound) <= 300
        assert not len(sound) or sound[-1] - sound[0] == len(sound) - 1
    assert len({int(said.argmax()) for said in c}) == 10
    assert next(speech.Crops(flat, 1000, 200, seed=0))[0].equal(x)


def test_the_condition_names_digit_and_speaker():
    c = speech.condition([3, 0], ["george", "yweweler"])
    assert c.shape == (2, 15) and c.nonzero().tolist() == [[0, 3], [0, 10], [1, 0], [1, 14]]


def test_it_says_as_much_as_asked_and_the_same_again():
    model = tiny().eval()
    wave = speech.say(model, 3, "theo", seconds=0.05, seed=1)
    assert wave.shape == (400,) and np.abs(wave).max() <= 1
    np.testing.assert_array_equal(wave, speech.say(model, 3, "theo", seconds=0.05, seed=1))
    assert np.abs(wave - speech.say(model, 4, "theo", seconds=0.05, seed=1)).max() > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_trains_on_a_gpu(monkeypatch):
    monkeypatch.setenv("UNROLLED_DEVICE", "cuda")
    result = speech.main([*TINY, "--steps", "100", "--mixed"])
    assert result["test_bits"] < result["histogram_bits"] and result["device"] != "cpu"
