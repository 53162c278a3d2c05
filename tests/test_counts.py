"""Counting: the chain of sorted lists holds what a dictionary of tuples would."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled.counts import (
    UNSEEN,
    add_alpha,
    continuations,
    count,
    discount,
    distinct,
    find,
    join,
    one_discount,
    three_discounts,
    tokens,
)

V = 4
law = settings(max_examples=50, deadline=None, derandomize=True)  # no clock, no luck
corpora = st.lists(st.lists(st.integers(0, V - 1), max_size=12), min_size=1, max_size=4).filter(
    lambda corpus: any(len(x) > 1 for x in corpus)
)


def grams(corpus, k):
    return [tuple(x[i : i + k]) for x in corpus for i in range(len(x) - k + 1)]


def spelled(levels, k):
    """The k-grams of a chain as tuples, by walking back from each key to its prefix."""
    if k == 1:
        return [(i,) for i in range(V)]
    shorter = spelled(levels, k - 1)
    return [shorter[key // V] + (int(key % V),) for key in levels[k - 1].keys[:-1]]


def counted(corpus, n):
    return count(*join([torch.tensor(x, dtype=torch.long) for x in corpus], V), n, V)


@law
@given(corpora, st.integers(2, 10))
def test_the_chain_counts_what_a_dictionary_counts(corpus, n):
    levels = counted(corpus, n)
    for k in range(2, n + 1):
        assert dict(zip(spelled(levels, k), levels[k - 1].counts)) == Counter(grams(corpus, k))


@law
@given(corpora)
def test_the_given_first_tokens_are_not_counted_as_words(corpus):
    assert counted(corpus, 1)[0].counts.tolist() == [sum(x[1:].count(v) for x in corpus) for v in range(V)]


@law
@given(corpora, st.integers(2, 6))
def test_left_is_the_different_tokens_before_and_the_beginnings(corpus, n):
    levels = counted(corpus, n)
    for k in range(1, n):
        for gram, left in zip(spelled(levels, k), levels[k - 1].left):
            before = len({longer[0] for longer in grams(corpus, k + 1) if longer[1:] == gram})
            starts = sum(tuple(x[:k]) == gram for x in corpus) if k > 1 else 0
            assert left == before + starts


@law
@given(st.lists(st.integers(0, 9), min_size=1))
def test_distinct_says_what_numpy_says(x):
    keys, counts, places, ids = distinct(np.array(x))
    assert (keys.tolist(), counts.tolist()) == tuple(a.tolist() for a in np.unique(x, return_counts=True))
    assert [x[i] for i in places] == keys.tolist() and keys[ids].tolist() == x


def test_a_key_that_never_occurred_is_unseen_and_so_is_all_that_follows():
    keys = counted([[0, 1, 2]], 2)[1].keys
    assert find(keys, np.array([0 * V + 1, 1 * V + 1, UNSEEN * V + 3])).tolist() == [0, UNSEEN, UNSEEN]


def test_continuations_list_every_ngram_of_each_context():
    keys = counted([[0, 1, 0, 2, 1]], 2)[1].keys
    row, gram = continuations(keys, np.array([2, UNSEEN, 0, 3]), V)
    assert list(zip(row.tolist(), (keys[gram] % V).tolist())) == [(0, 1), (2, 1), (2, 2)]


def test_add_alpha_is_the_formula_of_the_textbooks():
    seen, rest = add_alpha(np.array([3, 1]), np.array([0, 0]), 2, alpha=0.5, V=10)
    assert seen + rest[0] / 10 == pytest.approx([(3 + 0.5) / (4 + 5), (1 + 0.5) / (4 + 5)])
    assert rest[1] == 1


def test_what_is_discounted_is_what_remains():
    seen, rest = discount(np.array([1, 2, 7, 1]), np.array([0, 0, 0, 2]), 3, np.array([0, 0.4, 0.6, 0.9]))
    assert seen == pytest.approx([0.6 / 10, 1.4 / 10, 6.1 / 10, 0.6])
    assert rest == pytest.approx([1.9 / 10, 1, 0.4])


def test_one_discount_by_hand():
    assert one_discount(np.array([1, 1, 1, 2, 5])) == pytest.approx([0, 0.6, 0.6, 0.6])  # 3 / (3 + 2 * 1)


def test_three_discounts_by_hand():
    c, Y = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4]), 8 / 16
    assert three_discounts(c) == pytest.approx([0, 1 - 2 * Y * 4 / 8, 2 - 3 * Y * 2 / 4, 3 - 4 * Y * 1 / 2])


@pytest.mark.parametrize("c", [[], [1, 1, 2], [1, 2, 3] + [4] * 9])
def test_discounts_that_cannot_be_estimated_fall_back(c):
    assert three_discounts(np.array(c, dtype=int)).tolist() == [0, 0.5, 1, 1.5]


@pytest.mark.parametrize("c", [[], [1, 1], [2, 2], [7]])
def test_one_discount_falls_back_to_three_quarters(c):
    assert one_discount(np.array(c, dtype=int)).tolist() == [0, 0.75, 0.75, 0.75]


@pytest.mark.parametrize("wrong", [4, -1])
def test_an_id_outside_the_vocabulary_is_named(wrong):
    with pytest.raises(ValueError, match=f"x holds the token id {wrong}; a vocabulary of 4 has 0 to 3"):
        tokens(torch.tensor([0, wrong]), V)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_ids_that_are_no_whole_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match=f"{dtype}; token ids are whole numbers"):
        tokens(torch.zeros(3, dtype=dtype), V)


@pytest.mark.parametrize("lengths", [[], [0], [1], [1, 0, 1]])
def test_a_corpus_with_nothing_to_predict_is_refused(lengths):
    with pytest.raises(ValueError, match="nothing to count"):
        join([torch.zeros(n, dtype=torch.long) for n in lengths], V)


def test_a_table_in_place_of_a_sequence_is_refused():
    with pytest.raises(ValueError, match=r"sequence 1 has shape \(2, 3\)"):
        join([torch.zeros(3, dtype=torch.long), torch.zeros(2, 3, dtype=torch.long)], V)
