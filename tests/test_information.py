"""Entropy and the worth of order, beside hand-worked numbers and a full table."""

import pytest
import torch
from unrolled import stories
from unrolled.information import bits_saved, entropy
from unrolled.vocab import Vocab

TEXTS = ["ab", "abababab", "a, b, a, b", stories.text(3, seed=1)]


def by_table(x):
    """Bits saved, from the whole table of pairs and its margins."""
    V = int(x.max()) + 1
    p = torch.bincount(x[:-1] * V + x[1:], minlength=V * V).view(V, V).double() / (len(x) - 1)
    H = [-(q[q > 0] * q[q > 0].log2()).sum() for q in (p.sum(0), p.sum(1), p)]
    return float(H[0] + H[1] - H[2])


@pytest.mark.claim("S1")
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_bits_saved_are_those_of_the_table_of_pairs(text):
    x = Vocab.chars(text).encode(text)
    assert bits_saved(x) == pytest.approx(by_table(x), abs=1e-9)


def test_an_alternating_row_saves_one_bit_and_a_row_of_one_kind_none():
    assert bits_saved(torch.tensor([0, 1] * 500 + [0])) == pytest.approx(1)
    assert bits_saved(torch.zeros(9, dtype=torch.long)) == 0


@pytest.mark.parametrize("length", [0, 1])
def test_without_neighbours_there_is_nothing_to_save(length):
    assert bits_saved(torch.zeros(length, dtype=torch.long)) == 0


def test_eight_equally_frequent_symbols_are_three_bits_and_columns_count_as_symbols():
    x = torch.arange(8).repeat(5)
    assert entropy(x) == pytest.approx(3)
    assert entropy(torch.stack([x // 2, x % 2])) == pytest.approx(3)
