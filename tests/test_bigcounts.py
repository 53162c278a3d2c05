"""Counting on disk: the same levels as in memory, whatever the memory allowed."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import bigcounts, corpus
from unrolled.counts import count, join
from unrolled.ngram import NGram

V = 4
law = settings(max_examples=25, deadline=None, derandomize=True)  # no clock, no luck
corpora = st.lists(st.lists(st.integers(0, V - 1), max_size=12), min_size=1, max_size=4).filter(
    lambda corpus: any(len(x) > 1 for x in corpus)
)


def tensors(texts):
    return [torch.tensor(x, dtype=torch.long) for x in texts]


def same(ours, theirs):
    return all(np.array_equal(a, b) for k, l in zip(ours, theirs, strict=True) for a, b in zip(k, l))


@law
@given(corpora, st.integers(1, 5))
def test_disk_counts_what_memory_counts(tmp_path_factory, texts, n):
    levels = bigcounts.count(tensors(texts), n, V, tmp_path_factory.mktemp("grams"))
    expected = count(*join(tensors(texts), V), n, V)
    assert same(levels[:-1], expected[:-1]) and same([levels[-1][:2]], [expected[-1][:2]])


def test_one_long_text_in_pieces_counts_as_in_one(tmp_path, monkeypatch):
    x = torch.randint(V, (5_000,), generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(bigcounts, "CHUNK", 700)  # rows, so that texts and tables are read in many pieces
    levels = bigcounts.count(x, 4, V, tmp_path)
    assert same([level[:2] for level in levels], [level[:2] for level in count(*join([x], V), 4, V)])


def test_several_threads_count_as_one(tmp_path):
    x = torch.randint(1000, (250_000,), generator=torch.Generator().manual_seed(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        levels = bigcounts.count(x, 2, 1000, tmp_path)  # more rows than one thread reads at a time
    finally:
        torch.set_num_threads(threads)
    assert same([level[:2] for level in levels], [level[:2] for level in count(*join([x], 1000), 2, 1000)])


@pytest.mark.parametrize("smoothing", ["none", "add_alpha", "kneser_ney"])
def test_a_model_that_takes_the_counts_is_the_model_that_was_fitted(tmp_path, smoothing):
    x = torch.randint(V, (2_000,), generator=torch.Generator().manual_seed(1))
    taken = NGram(3, V, smoothing).take(bigcounts.count(x, 3, V, tmp_path))
    assert torch.equal(taken(x[None, :100])[0], NGram(3, V, smoothing).fit(x)(x[None, :100])[0])


def test_a_corpus_on_disk_is_read_where_it_lies(tmp_path):
    (tmp_path / "text").write_text("the cat sat on the mat\n" * 50, encoding="utf-8")
    vocab = corpus.vocabulary(tmp_path / "text")
    corpus.encode(tmp_path / "text", tmp_path / "ids.npy", vocab)
    x = corpus.load(tmp_path / "ids.npy")
    levels = bigcounts.count(x, 2, len(vocab), tmp_path / "grams")
    assert levels[1].counts.sum() == len(x) - 1


def test_nothing_but_the_counts_is_left_on_disk(tmp_path):
    bigcounts.count(torch.tensor([0, 1, 2]), 2, V, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "1_counts.npy", "1_keys.npy", "1_left.npy", "2_counts.npy", "2_keys.npy", "2_left.npy",
    ]  # fmt: skip


def test_bad_calls_are_named(tmp_path):
    with pytest.raises(ValueError, match="nothing to count"):
        bigcounts.count(tensors([[1], [2]]), 2, V, tmp_path)
    with pytest.raises(ValueError, match="token id 9"):
        bigcounts.count(torch.tensor([0, 9]), 2, V, tmp_path)
    with pytest.raises(ValueError, match="both are at least 1"):
        bigcounts.count(torch.tensor([0, 1]), 0, V, tmp_path)
    with pytest.raises(ValueError, match="takes 3"):
        NGram(3, V).take(bigcounts.count(torch.tensor([0, 1]), 2, V, tmp_path))


def test_without_duckdb_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ImportError, match="pip install duckdb"):
        bigcounts.count(torch.tensor([0, 1]), 2, V, tmp_path)
