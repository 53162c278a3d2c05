"""The transformer of chapter 14: rows that begin where stories do, a checkpoint as good as its facts say."""

import pytest
import torch
from unrolled import records, stories
from unrolled.live import train_transformer as lib
from unrolled.model import nll
from unrolled.trainings import prompts
from unrolled.transformer import Transformer
from unrolled.vocab import Vocab


@pytest.fixture(scope="module")
def reader():
    return lib.trained()


def test_every_row_begins_where_a_line_begins():
    vocab = Vocab.chars("\nab")
    x = vocab.encode("\n" + "ab\n" * 50)
    rows = next(lib.Openings(x, vocab.id("\n"), 10, 6))
    assert rows.shape == (6, 11) and (rows[:, 0] == vocab.id("\n")).all()
    assert all(vocab.decode(row) in "\n" + "ab\n" * 50 for row in rows)


def test_the_drawing_of_rows_goes_on_where_it_was_saved():
    x = torch.arange(200) % 7
    one, other = (lib.Openings(x, 0, 20, 4, seed) for seed in (1, 2))
    next(one)
    other.load_state_dict(one.state_dict())
    assert next(one).equal(next(other))


def test_bits_of_stories_are_those_of_each_by_itself():
    text = stories.text(3, seed=4)
    vocab = Vocab.chars("\n" + text)
    model = Transformer(len(vocab), 16, 1, 2, positions="rotary")
    with torch.no_grad():
        lines = text.splitlines(keepends=True)
        each = [nll(model, vocab.encode("\n" + line)[None]) * len(line) for line in lines]
    assert lib.story_bits(model, vocab, text).bits == pytest.approx(float(sum(each)) / len(text), abs=1e-6)


def test_the_command_trains_and_saves(tmp_path, capsys):
    small = "--width 8 --layers 1 --heads 2 --steps 2 --stories 50 --out".split()
    known = lib.main([*small, str(tmp_path / "m.safetensors")])
    model, vocab, facts = lib.trained(tmp_path / "m.safetensors")
    assert facts["bits"] == known["bits"] and facts["command"] == lib.COMMAND
    assert "bits" in capsys.readouterr().out
    assert model.core.heads == 2 and len(vocab) == model.vocab_size


@pytest.mark.claim("T3")
def test_the_checkpoint_is_as_good_as_its_facts_say(reader):
    model, vocab, facts = reader
    assert lib.TRAINED.stat().st_size < 300_000
    fresh = stories.text(200, facts["seed"] + 2)
    assert lib.story_bits(model, vocab, fresh).bits == pytest.approx(facts["bits"], abs=1e-3)


@pytest.mark.claim("T4")
def test_the_record_of_prompts_has_a_row_for_each_text():
    rows = records.show("prompts").rows
    assert [row[0] for row in rows] == [prompts._line(begun) for begun, _ in prompts.TEXTS]
    assert all(own < others for *_, own, others in rows)


def test_an_ending_is_measured_after_its_own_beginning_and_after_others():
    texts = [("ab", "ab"), ("ba", "ba")]
    vocab = Vocab.chars("ab")
    model = Transformer(2, 8, 1, 2, positions="rotary").eval()
    (begun, said, own, others), _ = prompts.rows(model, vocab, texts, steps=3)
    with torch.no_grad():
        whole, first = nll(model, vocab.encode("abab")[None]) * 3, nll(model, vocab.encode("ab")[None])
    assert begun == "ab" and len(said) == 3 and own == pytest.approx(float(whole - first) / 2, abs=0.006)
    assert others == round(prompts.surprise(model, vocab, "ba", "ab"), 2)
