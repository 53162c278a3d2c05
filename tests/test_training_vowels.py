"""The named training of vowels: what it is told, what it is measured by, and the network that it made."""

import math

import numpy as np
import pytest
import torch
from unrolled import audio
from unrolled.trainings import vowels
from unrolled.trainings.vowels import ASKED, VOWELS, condition, floor, heard, sing, trained


@pytest.fixture(scope="module")
def singer():
    """The network that the book carries, and its facts."""
    return trained()


def test_the_condition_names_the_vowel_and_places_the_pitch_between_two_marks():
    assert condition("heed", 100).tolist() == [[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]]
    assert condition("who'd", 200).tolist() == [[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]]
    between = condition("hod", 100 * 2**0.3)[0]  # 1.5 of 5 steps up the octave
    torch.testing.assert_close(between[5:], torch.tensor([0, 0.5, 0.5, 0, 0, 0]))
    assert condition("hod", 137.0)[0, 5:].sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="name is 'hid', f0 is 90: expected .* and 100 to 200 hertz"):
        condition("hid", 90)


def test_songs_are_new_vowels_and_a_seed_repeats_them():
    (x, c), (again, _) = next(vowels.Songs(500, 6, seed=3)), next(vowels.Songs(500, 6, seed=3))
    assert x.shape == (6, 501) and c.shape == (6, len(VOWELS) + vowels.MARKS) and x.equal(again)
    assert (c[:, : len(VOWELS)].sum(1) == 1).all()
    assert len({tuple(row.tolist()) for row in x}) == 6


@pytest.mark.parametrize("name", VOWELS)
@pytest.mark.parametrize("f0", ASKED)
def test_what_is_sung_right_is_heard_as_right_and_what_is_wrong_as_wrong(name, f0):
    sung = audio.vowel(name, f0, seed=4)
    assert heard(sung, name, f0)[-1]
    assert not heard(sung, name, 1.05 * f0)[-1]
    assert not any(heard(sung, other, f0)[-1] for other in VOWELS if other != name)


def test_the_floor_is_what_drawing_the_breath_again_and_again_finds():
    name, f0, seconds = "hod", 120, 0.02
    voice = audio.vowel(name, f0, seconds, seed=1, breath=0)
    breath = vowels.BREATH * np.random.default_rng(0).standard_normal((4000, len(voice)))
    ids = audio.mu_encode(voice + breath)
    entropies = []
    for column in ids.T:
        p = np.bincount(column) / len(column)
        entropies.append(-(p[p > 0] * np.log2(p[p > 0])).sum())
    assert floor(name, f0, seconds, 1) == pytest.approx(np.mean(entropies), rel=0.01)


def test_the_network_that_the_book_carries_sings_what_it_is_asked(singer):
    """A new draw, and pitches that were not asked for when it was measured."""
    model, facts = singer
    asked = [(name, f0) for name in VOWELS for f0 in (115, 165)]
    right = [heard(sing(model, name, f0, 0.6, 0.7, seed=9)[800:], name, f0)[-1] for name, f0 in asked]
    assert sum(right) >= 8, dict(zip(asked, right))


def test_a_vowel_is_told_apart_by_what_is_sung_and_not_by_chance(singer):
    model, _ = singer
    sung = {name: sing(model, name, 140, 0.6, 0.7)[800:] for name in VOWELS}
    taken = [other for name, wave in sung.items() for other in VOWELS if heard(wave, other, 140)[-1]]
    assert len(taken) >= 4 and set(taken) <= set(VOWELS)
    assert not any(heard(sung[name], other, 140)[-1] for name in VOWELS for other in VOWELS if other != name)


def test_the_network_that_the_book_carries_is_small_and_says_what_it_cost(singer):
    model, facts = singer
    assert vowels.TRAINED.stat().st_size <= 300_000
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())
    assert facts["floor"] < facts["bits"] < facts["floor"] + 1 and facts["cpu_seconds"] < 600
    right = {who: sum(row[-1] for row in rows) for who, rows in facts["sung"].items()}
    assert min(right.values()) >= 18 and len(facts["sung"]["its teacher"]) == 20
    assert {*facts} >= {"command", "date", "device", "seed", "steps", "torch"}


def test_its_bits_are_those_that_were_recorded(singer):
    model, facts = singer
    found = vowels.bits(model, facts["seed"] + 1)
    assert found["bits"] == pytest.approx(facts["bits"], rel=1e-4)
    assert found["floor"] == pytest.approx(facts["floor"], rel=1e-6)


def test_a_tiny_training_learns_and_can_be_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(vowels, "ASKED", (150,))
    monkeypatch.setattr(vowels, "bits", lambda model, seed: {"bits": 0.0, "floor": 0.0})
    place = tmp_path / "v.safetensors"
    small = ["--residual", "4", "--skip", "8", "--layers", "3", "--steps", "3", "--out", str(place)]
    facts = vowels.main(small)
    model, loaded = trained(place)
    np.testing.assert_equal(loaded["sung"], facts["sung"])  # what has no pitch is nan
    assert model.receptive_field == 8 and model.core.inputs == 4 and model.core.hidden == 8
    right = sum(row[-1] for row in facts["sung"]["its teacher"])
    assert f"its teacher: {right} of 5 are right" in capsys.readouterr().out and right >= 4


def test_training_lowers_the_bits():
    torch.manual_seed(0)
    model = vowels.WaveNet(256, 8, 16, (1, 2, 4), condition=len(VOWELS) + vowels.MARKS)
    songs = vowels.Songs(256, 4, 0)
    first = songs.loss(model, next(songs)).item()
    vowels.fit(model, songs, 40, lr=2e-2)
    assert songs.loss(model, next(songs)).item() < first - 1 and math.isfinite(first)
