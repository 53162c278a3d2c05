"""The ARPA file: a reader that only knows the format's rule finds the model's probabilities."""

import math
import random

import pytest
import torch
from unrolled import arpa
from unrolled.ngram import NGram

NAMES = ["|", *"abcdef"]


def lines(seed=0, end=(0,)):
    rng = random.Random(seed)
    return [torch.tensor([0, *(min(6, int(rng.paretovariate(1))) for _ in range(rng.randint(0, 9))), *end])
            for _ in range(60)]


def read(path):
    """{n-gram as a tuple of names: (log10 probability, log10 back-off)}."""
    fields = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    return {tuple(f[1].split(" ")): (float(f[0]), float(f[2]) if len(f) > 2 else 0.0) for f in fields}


def score(grams, context, word):
    """The rule of the format, word for word."""
    if (*context, word) in grams:
        return grams[*context, word][0]
    return grams.get(context, (0, 0.0))[1] + score(grams, context[1:], word)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("smoothing", ["kneser_ney", "modified_kneser_ney"])
def test_the_file_says_what_the_model_says(tmp_path, n, smoothing):
    model = NGram(n, 7, smoothing).fit(lines())
    arpa.write(tmp_path / "x.arpa", model, NAMES, boundary=0)
    grams = read(tmp_path / "x.arpa")
    for x in lines(seed=1):
        words = ["<s>", *(NAMES[i] for i in x[1:-1]), "</s>"]
        told = [score(grams, tuple(words[max(0, t - n + 1) : t]), words[t]) for t in range(1, len(words))]
        ours = model.log2_prob(x[None])[0] * math.log10(2)
        assert told == pytest.approx(ours.tolist(), abs=1e-6)


def test_the_head_counts_the_lines(tmp_path):
    arpa.write(tmp_path / "x.arpa", NGram(3, 7).fit(lines()), NAMES, boundary=0)
    head, *blocks = (tmp_path / "x.arpa").read_text(encoding="utf-8").split("-grams:")
    counts = [int(line.split("=")[1]) for line in head.splitlines() if "=" in line]
    assert counts == [sum("\t" in line for line in block.splitlines()) for block in blocks]


def test_special_symbols_are_there_without_a_boundary_too(tmp_path):
    arpa.write(tmp_path / "x.arpa", NGram(2, 7).fit(lines()), NAMES)
    grams = read(tmp_path / "x.arpa")
    assert {("<s>",), ("</s>",), ("<unk>",), ("|",)} <= set(grams)


@pytest.mark.parametrize("names, message", [
    (NAMES[:-1], "6 names for a vocabulary of 7"),
    (["|", "a b", *"bcdef"], "'a b' is empty or has white space"),
    (["|", *"aacdef"], "same name"),
])
def test_bad_names_are_refused(tmp_path, names, message):
    with pytest.raises(ValueError, match=message):
        arpa.write(tmp_path / "x.arpa", NGram(2, 7).fit(lines()), names, boundary=0)


@pytest.mark.parametrize("model", [NGram(2, 7, "none").fit(lines()), NGram(2, 7)])
def test_only_a_fitted_back_off_model_can_be_written(tmp_path, model):
    with pytest.raises(ValueError, match="kneser_ney"):
        arpa.write(tmp_path / "x.arpa", model, NAMES)


def test_a_boundary_within_a_sequence_is_refused(tmp_path):
    with pytest.raises(ValueError, match="token 0, occurs within a sequence"):
        arpa.write(tmp_path / "x.arpa", NGram(3, 7).fit(torch.cat(lines())), NAMES, boundary=0)
