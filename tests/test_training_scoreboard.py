"""The scoreboard's command measures every model in the same way, and its record keeps what it promises."""

from functools import partial

import pytest
import torch
from unrolled import records, stories
from unrolled.ngram import NGram
from unrolled.rnn import RNN
from unrolled.trainings import scoreboard
from unrolled.vocab import Vocab


@pytest.fixture(scope="module")
def text():
    return "\n" + stories.text(60, seed=1)


@pytest.fixture(scope="module")
def vocab(text):
    return Vocab.chars(text)


def test_the_command_writes_both_records(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(records, "HERE", tmp_path)
    monkeypatch.setattr(scoreboard, "COUNTED", {"unigram": 1})
    monkeypatch.setattr(scoreboard, "NETWORKS", {"RNN": partial(RNN, hidden=6)})
    monkeypatch.setattr(scoreboard, "capital_recall", lambda model, vocab, lag: lag / 100)
    scoreboard.main(["--budget", "0.2", "--stories", "300"])
    board, writing = records.show("scoreboard"), records.show("scoreboard_writing")
    assert [row[0] for row in board.rows] == ["unigram", "RNN"] and board.rows[1][-2:] == [0.02, 0.24]
    assert [row[0] for row in writing.rows] == ["unigram", "RNN", "the grammar"]
    assert writing.rows[-1][1] == 1.0 and board.rows[1][5] > 0


def test_rows_begin_where_stories_begin(text, vocab):
    x = vocab.encode(text)
    rows = next(scoreboard.openings(x, vocab.id("\n")))
    assert rows.shape == (scoreboard.BATCH, scoreboard.LENGTH + 1)
    assert all(vocab.decode(row) in text and row[0] == vocab.id("\n") for row in rows)
    assert torch.equal(rows, next(scoreboard.openings(x, vocab.id("\n"))))


def test_bits_are_those_of_whole_stories(text, vocab):
    model = NGram(3, len(vocab)).fit(vocab.encode(text))
    lines = stories.sample(3, seed=1)
    total = sum(-float(model.log2_prob(vocab.encode("\n" + s + "\n")[None]).sum()) for s in lines)
    mean = total / sum(len(s) + 1 for s in lines)
    assert scoreboard.bits(model, vocab, lines) == pytest.approx(mean, rel=1e-4)


def test_a_training_ends_with_its_budget(text, vocab):
    torch.manual_seed(0)
    rows = scoreboard.openings(vocab.encode(text), vocab.id("\n"))
    assert scoreboard.learn(RNN(len(vocab), 4), rows, 0.3) >= 1


@pytest.mark.claim("O1", "T5")
def test_in_the_record_the_best_speller_still_guesses_the_capital():
    facts = {row[0]: dict(zip(scoreboard.COLUMNS, row)) for row in records.show("scoreboard").rows}
    assert set(facts) == {*scoreboard.COUNTED, *scoreboard.NETWORKS}
    best = min(facts, key=lambda name: facts[name]["bits"])
    spelled = {row[0]: row[1] for row in records.show("scoreboard_writing").rows}
    assert spelled[best] > 0.85 and facts[best]["capital, 24 words"] < 0.25
    assert all(f["above the floor"] > 0 for f in facts.values())
