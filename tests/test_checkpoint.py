"""A saved model is whole or refused, never something in between (R10, R12, R13)."""

import itertools
import json
import multiprocessing
import os
import random
import re
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import checkpoint
from unrolled.checkpoint import BadCheckpoint, load, restore, save
from unrolled.ngram import NGram
from unrolled.rnn import RNN
from unrolled.vocab import Vocab

MODEL, VOCAB = RNN(5, 4), Vocab.chars("abcd\n")


@pytest.fixture
def path(tmp_path):
    save(tmp_path / "m.safetensors", MODEL, VOCAB, seed=3, cost="25 s on one core")
    return tmp_path / "m.safetensors"


def same(a, b):
    return a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


def test_what_is_loaded_is_what_was_saved(path):
    tensors, facts = load(path)
    assert same(tensors, MODEL.state_dict())
    assert facts["vocab"] == VOCAB and facts["architecture"] == "RNN"
    assert facts["seed"] == 3 and facts["cost"] == "25 s on one core"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_every_type_and_shape_survives(dtype, tmp_path):
    tensors = {"scalar": torch.ones((), dtype=dtype), "none": torch.ones(0, 3, dtype=dtype)}
    tensors["turned"] = torch.arange(6).reshape(2, 3).to(dtype).T
    checkpoint.write(tmp_path / "x", tensors, {})
    assert same(checkpoint.read(tmp_path / "x")[0], tensors)


def test_restore_fills_a_model(path):
    model = RNN(5, 4)
    restore(path, model)
    assert same(model.state_dict(), MODEL.state_dict())


def test_a_table_of_counts_is_saved_like_any_model(tmp_path):
    x = torch.randint(5, (200,))
    fitted, other = NGram(3, 5).fit(x), NGram(3, 5).fit(x[:20])
    save(tmp_path / "x", fitted)
    restore(tmp_path / "x", other)
    assert other.log2_prob(x[None]).equal(fitted.log2_prob(x[None]))


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_cut_file_is_refused_by_name_reason_and_cure(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadCheckpoint, match=re.escape(str(path)) + ".*not readable.*train again"):
        load(path)


def test_any_flipped_byte_is_noticed(path):
    data = path.read_bytes()
    expected = load(path)
    for place in range(0, len(data), 3):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            tensors, facts = load(path)
        except BadCheckpoint as error:
            assert str(path) in str(error)
        else:  # a byte that carries nothing, such as a blank of the header
            assert same(tensors, expected[0]) and facts == expected[1]


@given(st.binary(max_size=200))
@settings(max_examples=80, deadline=None)
def test_any_bytes_at_all_are_refused_in_the_same_way(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "x"
    path.write_bytes(data)
    with pytest.raises(BadCheckpoint):
        load(path)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (RNN(5, 8), r"RNN, not this RNN \(W_x is \(4, 5\) in the file, \(8, 5\) in the model\)"),
        (RNN(5, 4, bias=False), r"\(b_. is \(.,\) in the file, missing in the model\)"),
        (torch.nn.Linear(2, 2), "RNN, not this Linear"),
    ],
)
def test_another_model_is_refused_and_left_as_it_was(path, other, reason):
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(BadCheckpoint, match=reason + ".*Build the model as it was saved"):
        restore(path, other)
    assert same(before, other.state_dict())


def test_a_newer_format_says_to_update(path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    save(path, MODEL)
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(BadCheckpoint, match="format is 2, .* up to 1.*pip install --upgrade"):
        load(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2)}, tmp_path / "x")
    with pytest.raises(BadCheckpoint, match="x: it was not written by this library. Choose another path"):
        load(tmp_path / "x")


def test_a_pickle_is_refused_and_nothing_in_it_runs(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save(Bomb(), tmp_path / "x")
    with pytest.raises(BadCheckpoint):
        load(tmp_path / "x")
    assert not (tmp_path / "ran").exists()


def full_disk(descriptor):
    raise OSError(28, "No space left on device")


def test_a_save_that_fails_half_way_leaves_the_old_file_and_no_rest(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save(path, RNN(5, 4))
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_facts_that_are_no_json_leave_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(TypeError, match="JSON"):
        save(path, MODEL, loss=lambda x: x)
    assert path.read_bytes() == before


def test_rests_of_killed_saves_are_swept_when_old(path):
    old, new = (path.with_name(f".{path.name}.{n}.tmp") for n in (1, 2))
    for rest in (old, new):
        rest.touch()
    os.utime(old, (0, 0))
    save(path, MODEL)
    assert not old.exists() and new.exists()


def save_for_ever(path):
    tensors = [{"w": torch.full((250_000,), float(i))} for i in range(3)]
    for i in itertools.cycle(range(3)):
        checkpoint.write(path, tensors[i], {"i": i})


@pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has torch loaded")
def test_forty_kills_while_saving_corrupt_nothing(tmp_path):
    path, chance = tmp_path / "x.safetensors", random.Random(0)
    checkpoint.write(path, {"w": torch.zeros(250_000)}, {"i": 0})
    for _ in range(40):
        saver = multiprocessing.get_context("fork").Process(target=save_for_ever, args=(path,))
        saver.start()
        time.sleep(chance.uniform(0.02, 0.12))
        saver.kill()
        saver.join()
        tensors, facts = checkpoint.read(path)  # BadCheckpoint would fail the test
        assert tensors["w"].eq(facts["i"]).all()
    assert list(tmp_path.glob(".*.tmp"))  # some were killed between the first byte and the last


def test_the_library_never_pickles():
    sources = Path(checkpoint.__file__).parent.rglob("*.py")
    pickling = re.compile(r"import (pickle|dill)|(?<!safetensors\.)\btorch\.(save|load)\(|allow_pickle=True")
    assert [s.name for s in sources if pickling.search(s.read_text(encoding="utf-8"))] == []


def test_the_header_is_plain_json_that_anyone_can_read(path):
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["facts"])["architecture"] == "RNN"


def test_a_damaged_training_offers_the_save_before_it(tmp_path):
    path = tmp_path / "run.safetensors"
    for step in (1.0, 2.0):
        checkpoint.write(path, {"w": torch.tensor([step])}, {"kind": "training"})
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BadCheckpoint, match="The save before it is .*run.previous.safetensors"):
        checkpoint.read(path)
    assert checkpoint.read(checkpoint.previous(path))[0]["w"].item() == 1.0


def test_a_saved_model_leaves_no_second_copy(path):
    save(path, MODEL, VOCAB)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
