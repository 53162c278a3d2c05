"""The vocabulary loses nothing, and says what it does not know."""

import subprocess
import sys
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unrolled.vocab import Vocab

ANY = st.text(min_size=1, max_size=80)
WILD = st.text(  # what breaks tokenisers: blanks, accents, joiners, right-to-left, NUL, surrogates
    alphabet="a Tz'9.,\n\r\t\x00\u0301\u200d\u200f\u05d0\u0627\u00a0\u2019\u2028"
    "\ud83d\ude00\U0001f468\U0001f469",
    min_size=1,
    max_size=60,
)
MAKERS = {"chars": Vocab.chars, "words": Vocab.words}


@pytest.mark.parametrize("kind", MAKERS)
@given(text=ANY | WILD)
def test_what_is_encoded_comes_back(kind, text):
    vocab = MAKERS[kind](text)
    assert vocab.decode(vocab.encode(text)) == text


@pytest.mark.parametrize("kind", MAKERS)
@given(text=ANY | WILD, unknown=st.booleans())
def test_json_keeps_every_symbol_and_every_id(kind, text, unknown):
    vocab = MAKERS[kind](text, unknown=unknown)
    again = Vocab.from_json(vocab.to_json())
    assert (again.symbols, again.kind) == (vocab.symbols, vocab.kind)


@given(text=ANY | WILD)
def test_word_pieces_join_to_the_text(text):
    assert "".join(Vocab.words("any").split(text)) == text


@given(text=ANY | WILD)
def test_a_shown_name_can_be_printed(text):
    vocab = Vocab.words(text)
    assert all(vocab.show(i).isprintable() and " " not in vocab.show(i) for i in range(len(vocab)))


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("Tim took the train.\n", ["Tim", " took", " the", " train", ".", "\n"]),
        ("It didn't rain, oddly.", ["It", " didn't", " rain", ",", " oddly", "."]),
        ("two  spaces", ["two", " ", " spaces"]),
        ("line\r\nline", ["line", "\r", "\n", "line"]),
        ("cafe\u0301 noir", ["cafe\u0301", " noir"]),
        ("\u0634\u0643\u0631\u0627 \u05d0\u05d1", ["\u0634\u0643\u0631\u0627", " \u05d0\u05d1"]),
        ("hi \U0001f468\u200d\U0001f469", ["hi", " \U0001f468", "\u200d", "\U0001f469"]),
    ],
)
def test_a_word_carries_the_space_before_it(text, pieces):
    assert Vocab.words(text).split(text) == pieces


def test_ids_are_places_in_sorted_order():
    vocab = Vocab.chars("hello world")
    assert vocab.symbols == tuple(" dehlorw")
    assert vocab.encode("hold").tolist() == [3, 5, 4, 1]
    assert [vocab.id(s) for s in vocab.symbols] == list(range(len(vocab)))


def test_encoded_text_is_a_row_of_whole_numbers():
    ids = Vocab.chars("ab").encode("abba")
    assert ids.dtype == torch.long and ids.shape == (4,)


def test_an_empty_text_has_no_ids():
    vocab = Vocab.chars("ab")
    assert vocab.encode("").shape == (0,) and vocab.decode(vocab.encode("")) == ""


def test_decode_takes_plain_numbers_too():
    assert Vocab.chars("ab").decode([0, 1, 1]) == "abb"


def test_an_unknown_symbol_is_named_with_its_place_and_the_known_ones():
    with pytest.raises(ValueError) as error:
        Vocab.chars("ab cd").encode("ad \U0001f984")
    message = str(error.value)
    for part in ("'\U0001f984'", "position 3", "5 chars: ␣ a b c d", "unknown=True"):
        assert part in message


def test_the_place_of_an_unknown_word_counts_characters():
    with pytest.raises(ValueError, match="' bus' .at position 8 "):
        Vocab.words("Tim took the train").encode("Tim took bus")


def test_unknown_symbols_become_unk_with_one_warning():
    vocab = Vocab.words("Tim took the train", unknown=True)
    with pytest.warns(UserWarning, match="' bus': unknown") as seen:
        ids = vocab.encode("Tim took the bus bus")
    assert len(seen) == 1 and ids.tolist()[3:] == [vocab.id("<unk>")] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vocab.decode(vocab.encode("Tim bus")) == "Tim<unk>"


def test_no_warning_where_all_is_known():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Vocab.chars("abc", unknown=True).encode("cab")


def test_id_of_an_unknown_symbol():
    with pytest.raises(ValueError, match="unknown symbol 'z'"):
        Vocab.chars("ab").id("z")
    vocab = Vocab.chars("ab", unknown=True)
    with pytest.warns(UserWarning):
        assert vocab.symbols[vocab.id("z")] == "<unk>"


@pytest.mark.parametrize("ids", [[0, 2], [-1], torch.tensor([5])])
def test_an_id_out_of_range_is_named(ids):
    with pytest.raises(ValueError, match="ids contains (2|-1|5): .* 0 to 1"):
        Vocab.chars("ab").decode(ids)


@pytest.mark.parametrize("make", MAKERS.values())
def test_an_empty_corpus_makes_no_vocabulary(make):
    with pytest.raises(ValueError, match="not empty"):
        make("")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'chars' or 'words'"):
        Vocab("ab", kind="bytes")


@pytest.mark.parametrize("broken", ["", "{}", "[1]", '{"kind": "chars", "symbols": 3}'])
def test_a_broken_file_is_refused(broken):
    with pytest.raises(ValueError, match="no saved vocabulary"):
        Vocab.from_json(broken)


def test_saved_and_loaded_again(tmp_path):
    vocab = Vocab.words("Tim, e\u0301t\u00e9 \U0001f984 \ud800\n", unknown=True)
    vocab.save(tmp_path / "caf\u00e9 vocab.json")
    assert Vocab.load(tmp_path / "caf\u00e9 vocab.json") == vocab


def test_equal_vocabularies_are_one_key():
    assert len({Vocab.chars("ab"), Vocab.chars("ba"), Vocab.words("a b")}) == 2


def test_what_cannot_be_seen_gets_a_visible_name():
    vocab = Vocab.chars(" \n\t\x00\u0301a")
    assert [vocab.show(i) for i in range(len(vocab))] == ["\\x00", "⇥", "⏎", "␣", "a", "\u25cc\u0301"]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_ids_do_not_hang_on_the_hash_seed(seed):
    code = "from unrolled.vocab import Vocab; print(Vocab.words('the cat saw the other cat').symbols)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert run.stdout.strip() == repr(Vocab.words("the cat saw the other cat").symbols)
