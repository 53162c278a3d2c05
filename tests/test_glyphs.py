"""Glyphs: pictures stand where they should, names are Unicode's, and what is held out is held out."""

import unicodedata
from collections import Counter

import pytest
import torch
from unrolled import glyphs as lib
from unrolled.glyphs import FONTS, SIZE, caption, draw, glyphs, letters, parts, split, words


def test_every_name_is_the_unicode_name_of_its_letter():
    assert len(letters()) > 1200
    assert all(unicodedata.name(char) == name for name, char in letters().items())
    assert letters()["LATIN SMALL LETTER E WITH ACUTE"] == "é"


def test_no_word_is_met_in_one_name_only():
    assert min(Counter(word for name in letters() for word in set(name.split())).values()) >= 2


def test_a_picture_is_grey_and_shows_ink_where_the_letter_stands():
    page = draw("I")
    assert page.shape == SIZE and page.min() == 0 and page.max() > 0.9
    ink = page.sum(1)
    assert not ink[lib.BASELINE :].any() and ink[lib.BASELINE - 1] > 0  # it stands on the line
    assert draw("p")[lib.BASELINE :].sum() > 0  # and a p reaches below it
    assert draw("é")[14:].equal(draw("e")[14:]) and draw("é")[:12].any() and not draw("e")[:12].any()


def test_all_letters_fit_the_page():
    """Ink that touches the edge may have been cut: of a few wide or tall letters only."""
    pages = glyphs("".join(letters().values()), FONTS[:1]).pictures
    edge = torch.cat([pages[:, 0], pages[:, -1], pages[:, :, 0], pages[:, :, -1]], 1)
    assert (edge.amax(1) > 0.5).float().mean() < 0.01


def test_fonts_differ_and_what_a_font_lacks_is_left_out():
    some = glyphs("aЖΩ")
    assert len(some.pictures) == 3 * len(FONTS) and len(some.pictures.flatten(1).unique(dim=0)) > 30
    assert some.names[:3] == [unicodedata.name(c) for c in "aЖΩ"] and some.fonts == sorted(some.fonts)
    assert len(glyphs("aꝀ", FONTS[4:5]).chars) < 2 + 1 and glyphs("").pictures.shape == (0, *SIZE)


def test_a_name_falls_into_its_parts():
    greek = "GREEK SMALL LETTER ETA"
    assert parts(f"{greek} WITH PSILI AND OXIA") == {greek, "PSILI", "OXIA"} and parts(greek) == {greek}


@pytest.mark.parametrize("seed", [0, 11])
def test_held_out_names_are_never_shown_and_all_their_parts_are(seed):
    shown, held = split(seed)
    assert not set(shown) & set(held) and set(shown) | set(held) == set(letters().values())
    left = Counter(part for char in shown for part in parts(unicodedata.name(char)))
    assert all(left[part] >= 3 for char in held for part in parts(unicodedata.name(char)))
    marked = sum(" WITH " in name for name in letters())
    assert lib.HELD_OUT * marked == pytest.approx(len(held), abs=1)


def test_the_same_seed_holds_out_the_same_names_and_e_with_acute_is_one():
    assert split() == split.__wrapped__() and "é" in split()[1] and split(1) != split(2)


def test_a_caption_begins_and_ends_with_symbol_0():
    ids = caption("LATIN SMALL LETTER E WITH ACUTE")
    assert ids[0] == ids[-1] == 0 == words().id("\n") and (ids[1:-1] > 0).all()
    assert words().decode(ids[1:-1]) == "LATIN SMALL LETTER E WITH ACUTE"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="font is 'Comic': expected one of DejaVuSans, "):
        draw("a", "Comic")
    for char in ("ab", "", "\U0001f984"):
        with pytest.raises(ValueError, match="expected one character that DejaVuSerif can draw"):
            draw(char, "DejaVuSerif")
