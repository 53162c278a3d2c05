"""Plots: words for every figure, the same bytes every time, any label at all."""

import os
import re
import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import plot
from unrolled.looks import LOOKS, look, power, ten
from unrolled.picture import Picture, plain
from unrolled.strokes import ROLES

ALT = "The loss falls from four bits to two bits"
NASTY = [
    "$",
    "$x",
    r"\frac{",
    "日本語",
    "שלום",
    "👩‍👩‍👧",
    "\0",
    "\r\n",
    "\ud800",
    "<script>alert(1)</script>",
    "&amp;",
    "",
    " ",
]


def every(labels=("a", "b", "c")):
    """One figure of each kind, with these labels wherever labels go."""
    n = len(labels)
    values = np.linspace(0.1, 1, n)
    return {
        "curves": plot.curves(
            {name: values * k for k, name in enumerate(labels, 1)}, ALT, labels[0], labels[-1], 0.5
        ),
        "panels": plot.curves({labels[0]: {"RNN": values}, "more": {labels[-1]: values}}, ALT, log="y"),
        "points": plot.points({labels[0]: (values, values**2)}, ALT),
        "growth": plot.growth({labels[0]: [10**k for k in range(1, 5)]}, ALT, labels[-1], {labels[-1]: 100}),
        "bars": plot.bars(values, labels, ALT, true=0),
        "waterfall": plot.waterfall(values, labels, ALT),
        "heat": plot.heat(np.outer(values, -values), ALT, labels, labels),
        "strip": plot.strip(labels, ALT, values, np.outer(values, values - 0.5)),
        "pictures": plot.pictures({labels[0]: np.eye(n, dtype=int), "shades": np.outer(values, values)}, ALT,
                                  ["#ffffff", "#c0392b"]),
    }


@pytest.fixture(scope="module")
def figures():
    return every()


def test_a_figure_without_words_is_refused():
    with pytest.raises(TypeError):
        plot.curves({"RNN": [1, 2]})
    with pytest.raises(ValueError, match="5 to 30"):
        plot.curves({"RNN": [1, 2]}, "figure-1.png")


def test_of_a_long_account_the_first_sentences_are_the_name_and_the_others_the_description():
    rest = "Then it settles above a dashed line, " + "and stays " * 20 + "there."
    figure = plot.curves({"RNN": [2, 1]}, "The loss falls quickly at first. " + rest)
    assert figure.alt == "The loss falls quickly at first." and figure.desc == rest
    assert f"<desc>{rest}</desc>" in figure.html and repr(figure).endswith(rest)
    with pytest.raises(ValueError, match="several sentences"):
        plot.curves({"RNN": [2, 1]}, "one sentence of " + "many " * 40 + "words.")


def test_every_figure_says_what_it_shows_to_a_screen_reader_and_in_a_terminal(figures):
    for figure in figures.values():
        assert f'role="img" aria-label="{ALT}"' in figure.html
        assert figure._repr_mimebundle_() == {"text/html": figure.html, "text/plain": ALT}


def test_every_figure_is_well_formed_and_at_home_on_any_page(figures):
    for name, figure in figures.items():
        svg = figure.svg()
        ElementTree.fromstring(svg)
        assert "currentColor" in svg and "#777777" not in svg, name
        for foreign in ("<style", "<metadata", "xlink", "DejaVu", "<?xml", "<script"):
            assert foreign not in svg, (name, foreign)


def test_no_two_figures_of_a_page_share_an_id_and_every_reference_is_met(figures):
    ids = {name: re.findall(r' id="([^"]+)"', f.svg()) for name, f in figures.items()}
    everything = [i for found in ids.values() for i in found]
    assert len(everything) == len(set(everything)) > 0
    for name, f in figures.items():
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', f.svg())) <= set(ids[name])


def test_the_same_call_gives_the_same_bytes_in_another_process(figures):
    call = "plot.curves({'RNN': [3, 2, 1]}, 'five words are enough here').html"
    code = f"from unrolled import plot; print({call})"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8",
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert told.strip() == eval(call)
    assert every()["heat"].html == figures["heat"].html


def test_any_label_can_be_plotted():
    for name, figure in every(NASTY).items():
        ElementTree.fromstring(figure.svg())
        assert "<script" not in figure.html, name


@settings(max_examples=12, deadline=None)
@given(st.lists(st.text(st.characters(), max_size=6), min_size=1, max_size=4))
def test_labels_drawn_from_all_of_unicode_never_raise(labels):
    ElementTree.fromstring(plot.bars(np.ones(len(labels)), labels, ALT).svg())
    ElementTree.fromstring(plot.strip(labels, ALT, np.ones(len(labels))).svg())


def test_words_in_a_label_are_kept_as_they_are_even_if_they_look_like_svg_or_numbers():
    shown = plot.bars([1.0], ["1.23456789 #777777"], ALT).svg()
    assert ">1.23456789 #777777<" in shown


def test_plain_shows_what_a_label_would_lose():
    assert [plain(s) for s in ("a b", " a", "a\n", "", "\0", "\ud800")] == ["a b", "␣a", "a⏎", "∅", "␀", "�"]


def test_what_is_not_finite_leaves_a_gap_and_does_not_raise():
    for log in ("", "y"):
        plot.curves(
            {"RNN": [1.0, np.nan, np.inf, -np.inf, 2.0], "LSTM": [np.nan] * 3, "GRU": []}, ALT, log=log
        )
    plot.heat([[np.nan, 1.0]], ALT)


def test_tensors_with_a_gradient_can_be_plotted():
    t = torch.ones(3, 3, requires_grad=True) * torch.tensor([0.2, 0.5, 0.3])
    plot.curves({"RNN": t[0]}, ALT)
    plot.bars(t[0], ["a", "b", "c"], ALT)
    plot.heat(t.bfloat16(), ALT, rows=None, columns=["a", "b", "c"])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="series is empty|0 series"):
        plot.curves({}, ALT)
    with pytest.raises(ValueError, match="'RNN' has 2 x and 3"):
        plot.curves({"RNN": ([1, 2], [1, 2, 3])}, ALT)
    with pytest.raises(ValueError, match="softmax"):
        plot.bars([-1.0, 2.0], ["a", "b"], ALT)
    with pytest.raises(ValueError, match="3 labels"):
        plot.waterfall([1.0], ["a", "b", "c"], ALT)


def test_the_true_symbol_is_shown_however_unlikely_and_the_others_are_counted():
    p = np.append(np.full(20, 0.0499), 0.002)
    svg = plot.bars(p, [f"w{k}" for k in range(21)], ALT, true=20, top=5).svg()
    assert ">w20<" in svg and "came next" in svg and ">15 others<" in svg
    assert svg.count("came next") == 1


def test_growth_draws_numbers_that_no_float_can_hold():
    svg = plot.growth({"V = 10,000": [10_000**k for k in range(1, 101)]}, ALT, marks={"atoms": 10**80}).svg()
    assert ">10⁴⁰⁰<" in svg and ">atoms<" in svg
    assert ">10⁴⁰⁰<" in plot.growth({"V": ([1, 50, 100], [1, 10**200, 10**400])}, ALT).svg()


def test_long_curves_stay_small():
    noise = np.random.default_rng(0).normal(size=(6, 3000)).cumsum(1)
    figure = plot.curves(dict(zip(["bag", "RNN", "LSTM", "GRU", "SSM", "5-gram"], noise)), ALT)
    assert len(figure.html) < 60_000


def test_a_mapping_of_mappings_makes_one_panel_each():
    svg = plot.curves({"short": {"RNN": [1, 2]}, "long": {"RNN": [3, 4]}}, ALT).svg()
    assert ">short<" in svg and ">long<" in svg and svg.count(">RNN<") == 2


def test_plotting_leaves_matplotlib_as_it_was_and_use_changes_it():
    before = dict(matplotlib.rcParams)
    every()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context():
        plot.use()
        assert matplotlib.rcParams["svg.hashsalt"] == "unrolled"


# Colour: measured, not chosen by eye. Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "usual": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB, white D65; a distance of 2.3 is just noticeable."""
    xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]) @ rgb
    f = np.cbrt(xyz / [0.9505, 1.0, 1.0888])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
def test_every_two_models_differ_for_every_kind_of_colour_vision(vision):
    seen = {
        name: lab(np.clip(np.array(VISION[vision]) @ linear(c), 0, 1))
        for name, c in plot.COLOURS.items()
        if name != "floor"
    }
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 10, (a, b)


def test_every_colour_stands_out_on_a_white_page_and_on_a_dark_one():
    for name, c in {**plot.COLOURS, **ROLES}.items():
        assert all(contrast(c, page) >= 3 for page in ("#FFFFFF", "#121212", "#1C1C1C")), name


def test_white_words_can_be_read_on_squares_and_circles():
    assert contrast("#FFFFFF", ROLES["x"]) >= 4.5 and contrast("#FFFFFF", ROLES["h"]) >= 4.5


def test_no_two_models_share_a_marker_so_that_colour_is_never_alone():
    assert len({m.marker for m in LOOKS.values()}) == len(LOOKS) and len(LOOKS) == 12


def test_a_name_finds_its_model():
    names = {
        "5-gram": "ngram",
        "trigram": "ngram",
        "RNN, 64 units": "rnn",
        "PixelRNN": "pixelrnn",
        "the LSTM": "lstm",
    }
    assert {n: look(n) for n in names} == {n: LOOKS[k] for n, k in names.items()}
    assert look("unigram") == LOOKS["unigram"]


def test_a_second_series_of_a_model_keeps_its_colour_and_changes_its_marker():
    first = look("RNN")
    second = look("RNN, 256", [first])
    assert second.colour == first.colour and second.marker != first.marker


def test_names_without_a_model_get_looks_that_differ():
    taken = []
    for k in range(8):
        taken.append(look(f"thing {k}", taken))
    assert len(set(taken)) == 8


def test_numbers_on_logarithmic_axes_are_plain_text():
    assert [power(v) for v in (0.01, 1, 1000, 1e5, 2e-4)] == ["0.01", "1", "1,000", "10⁵", "2×10⁻⁴"]
    assert ten(-12) == "10⁻¹²"


def test_a_saved_picture_stands_alone_with_fixed_colours(tmp_path):
    Picture('<rect fill="var(--u-h, #0072B2)"/>', (4, 4), ALT).save(tmp_path / "x.svg")
    saved = (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert 'fill="#0072B2"' in saved and "currentColor" not in saved
    ElementTree.fromstring(saved)


def test_bars_follow_the_style_sheet_of_the_page():
    assert "fill: var(--u-y, #499AC8)" in plot.bars([1.0], ["a"], ALT).svg()


def test_a_series_that_ends_in_zeros_has_its_name_at_its_last_place_on_a_log_axis():
    falls = {"n-gram": [1.0, 0.5, 0.0, 0.0]}
    picture = plot.curves(falls, alt="A line that falls to zero and ends there.", log="y")
    assert "n-gram" in picture._repr_mimebundle_()["text/html"]


# ---- pictures


def test_pixels_have_the_colours_of_their_levels_and_a_blank_one_has_none():
    svg = plot.pictures({"a": torch.tensor([[0, 1, 1], [-1, 0, 1]])}, ALT, ["#010101", "#020202"]).svg()
    assert re.findall(r'd="([^"]*)" fill="(#\w+)"', svg) == [
        ("M0 0h1v1h-1zM1 1h1v1h-1z", "#010101"), ("M1 0h2v1h-2zM2 1h1v1h-1z", "#020202")]  # fmt: skip


def test_shades_go_from_nothing_to_the_most_and_pictures_keep_their_rows():
    svg = plot.pictures({"x": torch.tensor([[0.0, 2.0], [4.0, 9.0]])}, ALT, most=4).svg()
    assert re.findall(r'fill-opacity="([\d.]+)"', svg) == ["0.5", "1"]
    rows = plot.pictures({"x": np.zeros((3, 2, 4)), "y": np.zeros((2, 2, 4))}, ALT).svg()
    assert rows.count("<g ") == 5 and ">x</text>" in rows
    with pytest.raises(ValueError, match=r"shapes \[\(3,\)\]"):
        plot.pictures({"x": np.zeros(3)}, ALT)


def test_names_of_columns_stand_upright_only_where_they_are_too_long():
    short, long = (plot.heat(np.eye(9), ALT, columns=[name] * 9).html for name in ("a", "planning"))
    assert "rotate(-90" not in short and "rotate(-90" in long
