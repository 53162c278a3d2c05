"""Byte-pair encoding: the merges are those of the obvious slow way, and nothing is lost."""

import random
import sys
import time
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import checkpoint, stories
from unrolled.bpe import BPE, learn, merge, neighbours
from unrolled.rnn import RNN
from unrolled.vocab import UNKNOWN, WORD, Vocab

STORY = stories.text(200, seed=1)


def slow_learn(words, merges):
    """The obvious way: count everything again after each merge."""
    parts, order, symbols = {word: list(word) for word in words}, [], sorted(set("".join(words)))
    for _ in range(merges):
        counts = Counter()
        for word, n in words.items():
            for pair in neighbours(parts[word]):
                counts[pair] += n
        best = min(counts, key=lambda pair: (-counts[pair], *map(symbols.index, pair)), default=None)
        if best is None or counts[best] < 2:
            break
        order.append(best)
        symbols.append("".join(best))
        parts = {word: merge(p, best) for word, p in parts.items()}
    return order


def test_a_pair_is_joined_from_left_to_right():
    assert merge(list("aaa"), ("a", "a")) == ["aa", "a"]
    assert merge(list("abcab"), ("a", "b")) == ["ab", "c", "ab"]
    assert merge(["a"], ("a", "b")) == ["a"] and merge([], ("a", "b")) == []


def test_the_example_of_the_paper():
    words = Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3})
    assert learn(words, 3) == [("e", "s"), ("es", "t"), ("l", "o")]


some_words = st.dictionaries(st.text("abc", min_size=1, max_size=8), st.integers(1, 5), max_size=12)


@given(some_words, st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_merges_are_those_of_the_slow_way(words, merges):
    assert learn(Counter(words), merges) == slow_learn(words, merges)


def test_merges_of_a_real_vocabulary_are_those_of_the_slow_way():
    words = Counter(WORD.findall(STORY))
    assert learn(words, 150) == slow_learn(words, 150)


@given(st.text(max_size=60), st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost(text, merges):
    vocab = BPE.learn(text + "a", merges)
    assert vocab.decode(vocab.encode(text)) == text == "".join(vocab.split(text))


@pytest.mark.parametrize(
    "text", ["", "a\r\n\tb  c", "e\u0301te\u0301", "👩\u200d🔬 et 🐍", "שלום שלום", "\0\0", "$x_i$ $x_i$"]
)
def test_any_alphabet_will_do(text):
    vocab = BPE.learn(text + " ", 50)
    assert vocab.decode(vocab.encode(text)) == text


def test_nothing_is_joined_across_words():
    vocab = BPE.learn("the cat the cat the cat", 1000)
    assert set(vocab.symbols) >= {"the", " cat", " the"}
    assert not any(" " in symbol[1:] for symbol in vocab.symbols)


def test_frequent_words_are_whole_and_rare_ones_in_parts():
    vocab = BPE.learn(STORY, 400)
    assert vocab.split(" museum") == [" museum"]
    assert 1 < len(vocab.split(" museums")) < len(" museums")
    assert 3 < len(vocab.split(" Constantinople")) < len(" Constantinople")


def test_more_merges_make_shorter_texts():
    lengths = [len(BPE.learn(STORY, merges).encode(STORY)) for merges in (0, 50, 400)]
    assert lengths[0] == len(STORY) > 1.3 * lengths[1] > 1.3 * 1.3 * lengths[2]


def test_a_word_is_read_as_it_was_learned():
    """Splitting a word of the text gives the parts that learning ended with."""
    words = Counter(WORD.findall(STORY))
    vocab = BPE.learn(STORY, 150)
    for word in words:
        parts = list(word)
        for pair in vocab.merges:
            parts = merge(parts, pair)
        assert vocab.split(word) == parts


def test_it_does_not_hang_on_the_order_of_a_set():
    """Python shuffles sets of strings from run to run; the merges stay."""
    words = list(Counter(WORD.findall(STORY)).items())
    first = learn(Counter(dict(words)), 100)
    random.Random(0).shuffle(words)
    assert learn(Counter(dict(words)), 100) == first


def test_it_is_a_vocab_in_all_it_does(tmp_path):
    vocab = BPE.learn(STORY, 60, unknown=True)
    assert isinstance(vocab, Vocab) and len(vocab) == len(vocab.symbols) and "sub-words" in repr(vocab)
    assert vocab.id(" the") == vocab.symbols.index(" the") and vocab.show(vocab.id(" the")) == "␣the"
    vocab.save(tmp_path / "vocab.json")
    again = Vocab.load(tmp_path / "vocab.json")
    assert type(again) is BPE and again == vocab and hash(again) == hash(vocab)
    assert again.encode(STORY).equal(vocab.encode(STORY))
    assert again != Vocab(vocab.symbols, "words")


def test_it_is_saved_with_a_model(tmp_path):
    vocab = BPE.learn(STORY, 60)
    checkpoint.save(tmp_path / "m.safetensors", RNN(len(vocab), 4), vocab)
    assert checkpoint.load(tmp_path / "m.safetensors")[1]["vocab"] == vocab


def test_characters_that_the_text_did_not_have_are_reported():
    with pytest.raises(ValueError, match="unknown symbol '🐍' .at position 4"):
        BPE.learn(STORY, 60).encode("the 🐍")
    vocab = BPE.learn(STORY, 60, unknown=True)
    with pytest.warns(UserWarning, match="'🐍': unknown here, read as <unk>"):
        assert vocab.encode("🐍").tolist() == [vocab.id(UNKNOWN)]


@pytest.mark.parametrize(("text", "merges", "message"), [("", 9, "not empty"), ("a", -1, "merges is -1")])
def test_bad_calls_are_named(text, merges, message):
    with pytest.raises(ValueError, match=message):
        BPE.learn(text, merges)


def test_a_damaged_file_is_named():
    with pytest.raises(ValueError, match="no saved vocabulary"):
        Vocab.from_json('{"kind": "sub-words", "symbols": ["a"]}')


def test_a_very_long_word_is_read_in_reasonable_time():
    vocab, start = BPE.learn("aaaa aaaa aaaaaaaa", 10), time.process_time()
    assert len(vocab.encode("a" * 200_000)) == 200_000 // 4
    assert time.process_time() - start < 5


# ---- learning by the package tokenizers


@pytest.mark.parametrize("merges", [0, 3, 300, 10_000])
def test_the_package_learns_the_same_merges(merges):
    fast, ours = (BPE.learn(STORY, merges, fast=fast) for fast in (True, False))
    assert fast == ours and len(ours.merges) <= merges


def test_we_read_as_the_package_reads():
    tokenizers = pytest.importorskip("tokenizers")
    vocab = BPE.learn(STORY, 200)
    ids = {symbol: i for i, symbol in enumerate(vocab.symbols)}
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(ids, list(vocab.merges)))
    for word in set(WORD.findall(stories.text(100, seed=9))):
        assert theirs.encode(word).ids == vocab.encode(word).tolist()


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match="pip install tokenizers"):
        BPE.learn(STORY, 10, fast=True)


def test_ids_are_whole_numbers_for_a_model():
    ids = BPE.learn(STORY, 30).encode("the cat")
    assert ids.dtype == torch.long and ids.ndim == 1
