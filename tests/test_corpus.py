"""A corpus on disk reads like one in memory, and however long it is, memory and time stay in bounds (R20)."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import corpus, stories
from unrolled.batches import batches, streams
from unrolled.evaluate import evaluate
from unrolled.rnn import RNN
from unrolled.train import fit
from unrolled.vocab import Vocab

TEXT = stories.text(40) + "caf\u00e9 \U0001f68b\r\nend"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


@pytest.mark.parametrize("kind", ["chars", "words"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(st.sampled_from("ab '\u2019\u0301\n\r.\t"), min_size=1), size=st.integers(1, 9))
def test_pieces_join_to_the_text_and_cut_no_word(tmp_path_factory, kind, text, size):
    path = tmp_path_factory.mktemp("corpus") / "x"
    path.write_bytes(text.encode())
    parts, vocab = list(corpus.pieces(path, size)), getattr(Vocab, kind)(text)
    assert "".join(parts) == text
    assert [s for part in parts for s in vocab.split(part)] == vocab.split(text)


def test_a_text_without_blanks_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "LONGEST", 40)
    (tmp_path / "x").write_text("\u6587" * 1000, encoding="utf-8")
    parts = list(corpus.pieces(tmp_path / "x", 10))
    assert "".join(parts) == "\u6587" * 1000 and max(map(len, parts)) <= 50


@pytest.mark.parametrize("kind", ["chars", "words"])
def test_a_file_reads_as_its_text_in_memory(file, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(corpus, "PIECE", 100)
    vocab = corpus.vocabulary(file, kind)
    assert vocab == getattr(Vocab, kind)(TEXT)
    length = corpus.encode(file, tmp_path / "ids.npy", vocab)
    x = corpus.load(tmp_path / "ids.npy")
    assert len(x) == length and x.long().equal(vocab.encode(TEXT))


def test_rare_symbols_become_unknown(file, tmp_path):
    vocab = corpus.vocabulary(file, "words", least=3)
    with pytest.warns(UserWarning, match="read as <unk>"):
        corpus.encode(file, tmp_path / "ids.npy", vocab)
    assert vocab.id("<unk>") in corpus.load(tmp_path / "ids.npy") and " caf\u00e9" not in vocab.symbols


@pytest.mark.parametrize(("size", "kind"), [(1, "int8"), (128, "int8"), (129, "int16"), (32768, "int16"),
                                            (32769, "int32")])
def test_ids_take_the_shortest_integers_that_hold_them(size, kind):
    assert np.dtype(corpus.shortest(size)) == kind
    assert np.arange(size).astype(corpus.shortest(size))[-1] == size - 1


def test_an_encoding_that_fails_leaves_no_file(file, tmp_path):
    with pytest.raises(ValueError, match="unknown symbol"):
        corpus.encode(file, tmp_path / "ids.npy", Vocab.chars("abc"))
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]


def test_bad_files_and_kinds_are_named(file, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"float64 of shape \(2, 3\): expected what encode wrote"):
        corpus.load(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="kind is 'letters'"):
        corpus.vocabulary(file, "letters")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="no symbol occurs 1 time"):
        corpus.vocabulary(tmp_path / "empty")


def test_a_mapped_text_trains_and_is_measured_as_one_in_memory(file, tmp_path):
    vocab = corpus.vocabulary(file)
    corpus.encode(file, tmp_path / "ids.npy", vocab)

    def trained(x, make):
        torch.manual_seed(0)
        model = RNN(len(vocab), 8)
        return fit(model, make(x, 16, 4), 8, valid=x[:300]).losses, evaluate(model, x[:500])

    mapped, memory = corpus.load(tmp_path / "ids.npy"), vocab.encode(TEXT)
    for make in (batches, streams):
        a, b = trained(mapped, make), trained(memory, make)
        assert mapped.dtype == torch.int8 and a[0].equal(b[0]) and a[1] == b[1]


def test_what_is_written_to_a_mapped_text_does_not_reach_the_file(file, tmp_path):
    corpus.encode(file, tmp_path / "ids.npy", corpus.vocabulary(file))
    before = (tmp_path / "ids.npy").read_bytes()
    corpus.load(tmp_path / "ids.npy")[:] = 0
    assert (tmp_path / "ids.npy").read_bytes() == before


PASS = """
import json, sys, time
from itertools import islice
from pathlib import Path
import torch
from unrolled import corpus
from unrolled.evaluate import evaluate
from unrolled.rnn import RNN
from unrolled.train import batches, streams, train

def cpu(work):
    start = time.process_time()
    work()
    return time.process_time() - start

def read(n):
    for _ in islice(train(RNN(65, 16), streams(x[:n], 64, 256)), n // (256 * 64)):
        pass

torch.set_num_threads(1)
x = corpus.load(sys.argv[1])
def measure(n):
    evaluate(RNN(65, 16), x[:n], window=256)

def ratio(work):
    times = [(cpu(lambda: work(150_000)), cpu(lambda: work(600_000))) for _ in range(3)]
    return min(t for _, t in times) / min(t for t, _ in times)

ratios = [ratio(read), ratio(measure)]
read(1_000_000)
measure(1_000_000)

def megabytes(name):
    # `resource` would name the parent's peak where that was larger: a child is born with it.
    status = Path("/proc/self/status")
    return int(status.read_text().split(name + ":")[1].split()[0]) / 1024 if status.exists() else 0.0

# Pages of a mapped file count towards a process's size, but the kernel takes them back, and how many it maps
# around each one that is read differs from machine to machine.  RssAnon is what is the process's own.
peak, before = megabytes("VmHWM"), megabytes("RssAnon")
for _ in islice(train(RNN(65, 16), batches(x, 64, 16)), 20):
    pass
print(json.dumps([*ratios, peak, megabytes("RssAnon") - before]))
"""


def test_a_million_tokens_take_linear_time_and_little_memory(tmp_path):
    """The file is 4 GB long, of which almost all is a hole: windows are drawn from everywhere in it."""
    with open(tmp_path / "ids.npy", "wb") as file:
        corpus._head(file, np.int8, 4 << 30)
        file.write(torch.randint(65, (1_000_000,)).to(torch.int8).numpy().tobytes())
        file.truncate(128 + (4 << 30))
    done = subprocess.run([sys.executable, "-c", PASS, tmp_path / "ids.npy"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read, measured, megabytes, drawn_from_everywhere = json.loads(done.stdout)
    assert read <= 2.3**2 and measured <= 2.3**2, "four times the tokens: twice a doubling"
    assert megabytes < 600
    assert drawn_from_everywhere < 50
