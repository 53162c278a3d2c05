"""Drawings: words, roles and colours as the book's grammar has them, any word inside, every page width."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import draw
from unrolled.strokes import (
    ROLES,
    arrow,
    bars,
    circle,
    colour,
    element,
    math,
    row,
    square,
    text,
    token,
    width,
)

KINDS = ("Tim took the train", np.sin(np.arange(60.0)), np.eye(8), ["left", "up", "up"])


def every(words=("one", "two", "three", "four")):
    p = np.full((len(words), len(words)), 1 / len(words))
    return {
        "acting": draw.acting([(word, word) for word in words]),
        "dilated_stack": draw.dilated_stack(),
        "encoder_decoder": draw.encoder_decoder(words[:3], words[:3]),
        "fading": draw.fading(),
        "four_shapes": draw.four_shapes(),
        "folded_unrolled": draw.folded_unrolled(words),
        "lstm_cell": draw.lstm_cell(),
        "looks": draw.looks(words, {words[0]: (0, p[0])}, "Arcs from the first word to all the others."),
        "message_back": draw.message_back(words),
        "ngram_window": draw.ngram_window(words, min(3, len(words))),
        "f_and_g": draw.f_and_g(words),
        "chain_rule": draw.chain_rule(words),
        "sequence_kinds": draw.sequence_kinds("".join(words), *KINDS[1:3], list(words)),
        "table": draw.table(p, words),
        "writing": draw.writing(words[0], words[1:3]),
    }


def test_every_drawing_says_what_it_shows_in_words_of_its_own():
    told = [d.alt for d in every().values()]
    assert len(set(told)) == len(told) and all(5 <= len(t.split()) <= 30 for t in told)


def test_the_words_can_be_replaced():
    assert draw.f_and_g(alt="My words for this one drawing").alt == "My words for this one drawing"


def test_every_drawing_is_light_well_formed_and_narrow_enough_to_be_read_on_a_phone():
    for name, drawing in every().items():
        ElementTree.fromstring(drawing.svg())
        assert len(drawing.html) < 30_000 and drawing.size[0] <= 660, name
        assert "max-width:100%" in drawing.html


def test_every_fixed_colour_is_the_fallback_of_a_role_or_white():
    for name, drawing in every().items():
        assert not set(re.findall(r"#[0-9A-Fa-f]{6}", drawing.svg())) - {*ROLES.values(), "#FFFFFF"}, name
        assert set(re.findall(r"var\(--u-(\w+), (#\w+)\)", drawing.svg())) <= set(ROLES.items()), name


def test_any_words_can_be_drawn_and_none_can_inject():
    nasty = ["$", "<script>alert(1)</script>", "日本", "שלום", "👩‍👩‍👧\0", "&amp;", "\ud800"]
    for drawing in every(nasty).values():
        ElementTree.fromstring(drawing.svg())
        assert "<script" not in drawing.html


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_words_drawn_from_all_of_unicode_never_raise(words):
    for drawing in every(words).values():
        ElementTree.fromstring(drawing.svg())


def test_the_unrolled_net_has_one_copy_per_word_and_the_same_three_weights_in_each():
    svg = draw.folded_unrolled(["a"] * 5).svg()
    assert svg.count("<circle") == 6  # five copies and the folded cell
    weights = re.findall(r"<tspan[^>]*>W</tspan><tspan[^>]*>(\w)</tspan>", svg)
    assert sorted(weights) == sorted("h" * 6 + "x" * 6 + "y" * 6)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_the_window_of_an_ngram_shows_n_minus_one_words_and_the_next(n):
    svg = draw.ngram_window(draw.WORDS, n).svg()
    assert svg.count("stroke-dasharray") == 6 - n  # what it does not see
    assert svg.count("<rect") == 6 and ("the window" in svg) == (n > 1) and ("not seen" in svg) == (n < 6)


def test_an_impossible_window_is_refused():
    for n in (0, 7):
        with pytest.raises(ValueError, match="from 1 to the number of words"):
            draw.ngram_window(draw.WORDS, n)


def test_the_staircase_has_one_more_word_in_each_row():
    assert draw.chain_rule(list("abcde")).svg().count("<rect") == 1 + 2 + 3 + 4 + 5


def test_the_table_has_an_example_of_its_own():
    assert draw.table().svg().count("<rect") == 16 + 1


def test_the_table_counts_its_numbers():
    svg = draw.table(np.eye(2), ["a", "b"], sizes=(120, 10_000)).svg()
    for told in (">4 numbers<", ">14,400 numbers<", ">100,000,000 numbers<"):
        assert told in svg


def test_pixels_are_drawn_in_reading_order():
    image = np.zeros((4, 4))
    image[0, 2] = 1.0
    svg = draw.sequence_kinds("a", [0.0], image, ["a"]).svg()
    pixels = re.findall(r'fill="currentColor" fill-opacity="([\d.]+)"', svg)
    assert pixels[:16] == pixels[16:] and pixels[2] == "0.93" and len(set(pixels)) == 2


def test_tensors_can_be_drawn_and_numbers_are_actions_too():
    svg = draw.sequence_kinds("a", torch.randn(400), torch.eye(8), torch.tensor([0, 3, 12])).svg()
    assert ">12<" in svg and "tensor" not in svg


def test_a_constant_image_and_a_silent_sound_can_be_drawn():
    draw.sequence_kinds("a", np.zeros(4), np.ones((3, 3)), ["a"])


def test_strokes_carry_their_roles():
    assert f'fill="{colour("x")}"' in square(0, 0, 9) and f'fill="{colour("h")}"' in circle(0, 0, 9)
    assert bars(0, 0, [1, 2, 3], true=2).count("currentColor") == 2  # the line below, and one outline


def test_the_highest_bar_has_the_full_height_and_none_vanishes():
    heights = [float(h) for h in re.findall(r' height="([\d.]+)"', bars(0, 0, [0.0, 2, 4], (30, 40)))]
    assert heights == [1.5, 20, 40]


def test_an_arrow_ends_where_it_points():
    assert "M30.0 40.0L" in arrow((0, 0), (30, 40)) and "M30.0 40.0L" in arrow((0, 0), (30, 40), bend=0.4)
    arrow((0, 0), (0, 0))  # no length, no crash


def test_symbols_are_set_with_what_follows_an_underscore_lower():
    raw = math(0, 0, "p(x_{t+1} | h_t)")
    assert [re.sub("<[^>]*>", "", p) for p in re.findall(r'font-size="11.9">([^<]*)<', raw)] == ["t+1", "t"]
    assert re.sub("<[^>]*>", "", raw) == "p(xt+1 | ht)"


def test_text_and_attributes_are_escaped():
    assert (
        "<b>" not in text(0, 0, "<b>") and element("a", title='"><b>') == '<a title="&quot;&gt;&lt;b&gt;"/>'
    )


def test_tokens_in_a_row_do_not_overlap():
    words = ["a", "probabilities", "日本語", ""]
    lefts, right = row(words)
    ends = [float(re.search(r'width="([\d.]+)"', token(x, 0, w))[1]) + x for x, w in zip(lefts, words)]
    assert all(end < left for end, left in zip(ends, [*lefts[1:], right])) and width("日本") > width("ab")


def test_a_saved_drawing_needs_no_style_sheet(tmp_path):
    for name, drawing in every().items():
        drawing.save(tmp_path / "x.svg", ink="#eeeeee")
        saved = (tmp_path / "x.svg").read_text(encoding="utf-8")
        assert "var(" not in saved and "currentColor" not in saved and "#eeeeee" in saved, name
