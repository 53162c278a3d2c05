"""Sound: what is made has the pitch and the formants that it should have, and nothing is lost on the way."""

import io
import math
import os
import re
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import bare_page, chromium, open_page
from numpy.testing import assert_allclose, assert_array_equal
from unrolled import audio
from unrolled.audio import FORMANTS, RATE, Sound, from_wav, mu_decode, mu_encode, to_wav

MIRROR = Path(os.environ.get("UNROLLED_DATA") or Path(__file__).parents[2] / "shared" / "data")
LINE = np.linspace(-1, 1, 200_001)


def sine(hertz, seconds=1.0, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


# ---- mu-law


def test_mu_law_by_hand():
    assert mu_encode([-1, 0, 1]).tolist() == [0, 128, 255]
    assert mu_encode([0.5, -0.01]).tolist() == [239, 98]  # 127.5 (1 + ln(128.5) / ln 256) = 239.16; 98.14
    assert_allclose(mu_decode([0, 255]), [-1, 1])


def test_the_curve_of_mu_law_is_odd_rises_from_end_to_end_and_is_steep_in_silence():
    bent = audio.bend(LINE, 255)
    assert_allclose(bent, -bent[::-1], atol=1e-12)
    assert (np.diff(bent) > 0).all() and bent[0] == -1 and bent[-1] == 1
    assert audio.bend(np.array([1e-6]), 255) == pytest.approx(1e-6 * 255 / math.log(256), rel=1e-3)


@pytest.mark.parametrize("levels", [256, 16, 2])
def test_mu_law_loses_no_more_than_half_a_step(levels):
    mu = levels - 1
    lost = np.abs(mu_decode(mu_encode(LINE, levels), levels) - LINE)
    bound = (1 + mu * np.abs(LINE)) * ((1 + mu) ** (1 / mu) - 1) / mu
    assert (lost <= bound * (1 + 1e-9)).all() and (lost / bound).max() > 0.9


def test_mu_law_hears_quiet_sounds_better_than_even_steps_do():
    quiet = sine(200, amplitude=0.01)
    even = np.round(quiet * 127.5 + 127.5) / 127.5 - 1
    lost = np.abs(mu_decode(mu_encode(quiet)) - quiet)
    assert lost.mean() < np.abs(even - quiet).mean() / 10


def test_every_level_stands_for_itself_and_the_levels_ascend():
    ids = np.arange(256)
    assert_array_equal(mu_encode(mu_decode(ids)), ids)
    assert (np.diff(mu_decode(ids)) > 0).all()


def test_torch_and_numpy_agree_and_the_shape_stays():
    x = torch.from_numpy(LINE[:200_000].reshape(2, 4, -1))
    ids = mu_encode(x)
    assert ids.dtype == torch.long and ids.shape == x.shape
    assert_array_equal(ids.numpy(), mu_encode(x.numpy()))
    assert_allclose(mu_decode(ids).numpy(), mu_decode(ids.numpy()), atol=1e-7)


def test_what_is_too_loud_is_cut_off_and_what_is_no_number_is_named():
    assert mu_encode([-7, 3.0]).tolist() == [0, 255]
    with pytest.raises(ValueError, match="wave holds nan or inf"):
        mu_encode([math.nan])
    with pytest.raises(ValueError, match="ids run from 0 to 256: expected 0 to 255"):
        mu_decode([0, 256])
    with pytest.raises(ValueError, match="levels is 1"):
        mu_encode([0.0], levels=1)


# ---- ears


def test_the_spectrum_of_a_sine_has_one_peak_where_it_is_and_as_high():
    hertz, strength = audio.spectrum(0.25 * sine(440))
    assert hertz[strength.argmax()] == 440 and strength.max() == pytest.approx(0.25)
    assert strength[np.abs(hertz - 440) > 3].max() < 1e-6


@pytest.mark.parametrize("hertz", [80, 123.4, 333.3, 480])
def test_pitch_finds_sines_and_buzzes(hertz):
    buzz = sum(sine(k * hertz, 0.3) / k for k in range(1, 6))
    assert audio.pitch(sine(hertz, 0.3)) == pytest.approx(hertz, rel=2e-3)
    assert audio.pitch(buzz) == pytest.approx(hertz, rel=2e-3)
    assert audio.pitch(sine(hertz, 0.3)[::2], RATE // 2) == pytest.approx(hertz, rel=2e-3)


def test_silence_and_noise_have_no_pitch_and_silence_has_no_formants():
    noise = np.random.default_rng(0).standard_normal(RATE)
    assert math.isnan(audio.pitch(noise)) and math.isnan(audio.pitch(np.zeros(RATE)))
    assert np.isnan(audio.formants(np.zeros(RATE), count=3)).all()


def test_formants_finds_the_resonances_of_a_filter_that_falling_noise_goes_through():
    noise, y = np.random.default_rng(0).standard_normal(2 * RATE), np.zeros(2 * RATE)
    poles = [np.exp((-80 + 2j * F) * np.pi / RATE) for F in (600, 1500)]
    a = np.poly([*poles, *np.conj(poles), 0.97]).real  # 0.97: weaker by 6 dB an octave, as a voice is
    for n in range(5, len(y)):
        y[n] = noise[n] - a[1:] @ y[n - 5 : n][::-1]
    assert_allclose(audio.formants(y), [600, 1500], rtol=0.02)


# ---- voices


@pytest.mark.claim("W1")
def test_a_second_of_sound_is_as_many_numbers_as_the_rate_says():
    assert len(audio.vowel("hod")) == RATE == 8000 and len(audio.pluck(seconds=0.5, rate=16_000)) == 8000


@pytest.mark.parametrize("f0", [100, 140, 200])
@pytest.mark.parametrize("name", FORMANTS)
def test_a_vowel_has_its_pitch_and_its_formants(name, f0):
    sung = audio.vowel(name, f0, seed=1)
    assert audio.pitch(sung) == pytest.approx(f0, rel=2e-3)
    assert_allclose(audio.formants(sung), FORMANTS[name][:2], atol=f0 / 2)
    assert len(sung) == RATE and 0.7 < np.abs(sung).max() < 0.9


def test_the_harmonics_of_a_vowel_are_as_strong_as_its_tract_says():
    hertz, strength = audio.spectrum(audio.vowel("hod", 100))
    heard, k = strength[100:3000:100], np.arange(1, 30)
    said = np.abs(audio.tract("hod", 100 * k)) / k
    assert_allclose(heard / heard[0], said / said[0], rtol=0.1, atol=2e-3)


def test_the_tract_is_one_at_the_bottom_and_highest_at_its_formants():
    hertz = np.arange(4000.0)
    assert audio.tract("heed", 0) == pytest.approx(1)
    for F in FORMANTS["heed"]:
        near = np.abs(hertz - F) < 100
        assert abs(hertz[near][np.abs(audio.tract("heed", hertz[near])).argmax()] - F) <= 10


@pytest.mark.parametrize("f0", [82.4, 110, 220, 440])
def test_a_string_has_the_pitch_that_its_length_allows(f0):
    N = round(RATE / f0 - 0.5)
    assert audio.pitch(audio.pluck(f0)[RATE // 10 :]) == pytest.approx(RATE / (N + 0.5), rel=3e-3)


def test_a_string_is_the_recurrence_of_its_inventors():
    N, sound = 36, audio.pluck(RATE / 36.5, 0.1, seed=3)
    by_hand = np.concatenate([[0.0], sound[:N]]).tolist()  # one sample of silence before the noise
    while len(by_hand) <= len(sound):
        by_hand.append((by_hand[-N] + by_hand[-N - 1]) / 2)
    assert_allclose(sound, by_hand[1:])


def test_a_string_dies_away_and_its_high_notes_first():
    early, late = audio.pluck(110, 2)[:4000], audio.pluck(110, 2)[-4000:]
    share = [s[1000:].sum() / s.sum() for s in (audio.spectrum(early)[1], audio.spectrum(late)[1])]
    assert np.abs(late).max() < np.abs(early).max() / 2 and share[1] < share[0] / 2


@pytest.mark.parametrize("make", [audio.vowel, lambda name, **how: audio.pluck(**how)])
def test_a_seed_makes_the_same_sound_again_and_another_seed_another(make):
    first = make("hod", seconds=0.1, seed=1)
    assert_array_equal(first, make("hod", seconds=0.1, seed=1))
    assert np.abs(first - make("hod", seconds=0.1, seed=2)).max() > 0.1


@pytest.mark.parametrize("seconds, length", [(0, 0), (1e-4, 1), (0.25, 2000)])
def test_sounds_are_as_long_as_asked(seconds, length):
    assert len(audio.vowel("hod", seconds=seconds)) == len(audio.pluck(seconds=seconds)) == length


def test_voices_say_what_they_cannot_do():
    with pytest.raises(ValueError, match="name is 'a': the vowels are those of heed, hid"):
        audio.vowel("a")
    with pytest.raises(ValueError, match="f0 is 4000 hertz: expected more than 0 and less than .* 4000"):
        audio.pluck(4000)
    with pytest.raises(ValueError, match=r"wave has shape \(2, 3\): expected \(T,\)"):
        audio.spectrum(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"with nan or inf: expected"):
        audio.pitch([math.inf] * 20)


# ---- files and pages


def test_wav_keeps_16_bits_and_the_rate():
    x = audio.vowel("hod", seconds=0.2, rate=16000)
    back, rate = from_wav(to_wav(x, 16000))
    assert rate == 16000 and np.abs(back - x).max() <= 0.5 / 32768 + 1e-12
    assert to_wav(back, 16000) == to_wav(x, 16000)
    assert from_wav(to_wav([2.0, -2.0]))[0].tolist() == [32767 / 32768, -1]


def test_a_wav_of_two_channels_is_averaged_and_8_bits_are_refused(tmp_path):
    def written(channels, width, frames):
        file = io.BytesIO()
        with wave.open(file, "wb") as out:
            out.setparams((channels, width, RATE, 0, "NONE", ""))
            out.writeframes(frames)
        return file.getvalue()

    path = tmp_path / "two.wav"
    path.write_bytes(written(2, 2, np.array([16384, 0, -16384, 16384], "<i2").tobytes()))
    assert from_wav(path)[0].tolist() == [0.25, 0.0]
    with pytest.raises(ValueError, match="source has 8 bits a sample: expected 16"):
        from_wav(written(1, 1, b"\x80\x80"))


def test_a_sound_carries_its_wave_and_says_what_it_is():
    sound = Sound(sine(440, 0.5), "A tone & <its> octave", RATE)
    shown = sound._repr_mimebundle_()
    assert shown["text/plain"] == "Sound, 0.50 s: A tone & <its> octave" and "<its>" not in shown["text/html"]
    assert "autoplay" not in sound.html and not re.search(r"https?:", sound.html)
    with pytest.raises(ValueError, match="words is ' ': say what is to be heard"):
        Sound(sine(440), " ")


def test_the_player_plays_in_a_page_and_has_a_name(tmp_path):
    sound = Sound(sine(440, 0.5), "A tone of 440 hertz<script>window.PWNED=1</script>")
    with chromium() as browser:
        page = open_page(browser, tmp_path, bare_page(sound))
        player = page.get_by_label("Sound: A tone of 440 hertz")
        page.wait_for_function("document.querySelector('audio').readyState >= 1")
        assert player.count() == 1 and player.evaluate("e => [e.duration, e.paused]") == [0.5, True]
        assert not page.evaluate("'PWNED' in window")


# ---- spoken digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("UNROLLED_DATA", str(MIRROR))
        settings.setenv("UNROLLED_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield audio.spoken


needs_mirror = pytest.mark.skipif(
    not (MIRROR / "fsdd").is_dir(), reason="no mirror of the public data: set UNROLLED_DATA to it"
)


@pytest.mark.realdata
@needs_mirror
def test_there_are_fifty_takes_of_each_digit_by_each_speaker(digits):
    found = digits()
    keys = {(r.digit, r.speaker, r.take) for r in found}
    assert keys == {(d, s, t) for d in range(10) for s in audio.SPEAKERS for t in range(50)}
    assert len(found) == len(keys) == 2500 and sum(len(r.wave) for r in found) == 8_201_580
    assert max(np.abs(r.wave).max() for r in found) <= 1


@pytest.mark.realdata
@needs_mirror
def test_one_recording_is_what_the_file_says(digits):
    (one,) = digits(7, "jackson", 3)
    path = next(audio.data.folder("fsdd").rglob("7_jackson_3.wav"))
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert_array_equal(one.wave, samples / 32768)
    assert {r.speaker for r in digits(digit=3, take=0)} == set(audio.SPEAKERS)
    with pytest.raises(ValueError, match="no recording of digit=10"):
        digits(10)


def test_sounds_beside_each_other_are_all_there_and_fit_a_phone(tmp_path):
    three = audio.Beside(*(Sound(sine(200, 0.1), f"A tone, number {k}.") for k in range(3)))
    assert repr(three).count("Sound, 0.10 s") == 3
    tops = {}
    with chromium() as browser:
        for width in (1280, 320):
            page = open_page(browser, tmp_path, bare_page(three), viewport={"width": width, "height": 800})
            tops[width] = [box.bounding_box()["y"] for box in page.locator("audio").all()]
            assert page.evaluate("document.documentElement.scrollWidth") == width
    assert tops[1280][0] == tops[1280][1] and sorted(set(tops[320])) == tops[320]
    with pytest.raises(ValueError, match="no sounds"):
        audio.Beside()
