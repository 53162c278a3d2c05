"""The painter of the book: its eyes, its training, and what its drawings are like (A2, A3)."""

import argparse

import pytest
import torch
from torch.testing import assert_close
from unrolled import records
from unrolled.canvas import Canvas
from unrolled.trainings import painter


@pytest.fixture(scope="module")
def book():
    """The painter that the book carries, and the facts of its training."""
    return painter.trained()


def test_the_eyes_see_sheet_and_target_and_pen():
    eyes, x = painter.Eyes(3, 5), torch.rand(2, 4, 27)
    before = eyes(x)
    assert before.shape == (2, 4, 5)
    for part in range(3):
        other = x.clone()
        other[1, 2, 9 * part : 9 * part + 9] += 1
        moved = (eyes(other) - before).abs().sum(-1) > 0
        assert moved[1, 2] and moved.sum() == 1


@pytest.mark.claim("A2")
def test_the_painter_copies_new_drawings_much_better_than_a_fresh_one(book):
    policy, facts = book
    new = painter.fresh(facts["size"], facts["hidden"])
    size, limit = facts["size"], facts["limit"]
    now, fresh = (painter.likeness(who, size, limit, n=200, seed=77) for who in (policy, new))
    assert now > 0.75 > 0.5 > fresh and now == pytest.approx(facts["likeness"], abs=0.04)


@pytest.mark.claim("A3")
def test_the_painter_has_the_parts_of_alphastar_and_its_actions_are_one_distribution(book):
    policy, facts = book
    squares = facts["size"] ** 2
    assert type(policy.core).__name__ == "LSTMCore" and policy.sizes == (2, squares)
    x, _ = Canvas(facts["size"], 3, facts["limit"]).reset(4)
    h = policy.read(x[:, None])[0]
    every = torch.cartesian_prod(torch.arange(2), torch.arange(squares)).expand(3, -1, -1)
    p = policy.judge(h.expand(-1, 2 * squares, -1), every)[0].exp()
    assert_close(p.sum(1), torch.ones(3))


def test_without_its_state_it_draws_worse(book):
    policy, facts = book
    with_it, without = (look(policy, facts["size"], facts["limit"], n=100)
                        for look in (painter.likeness, painter.forgetful))
    assert with_it > without + 0.2


def test_the_record_says_what_the_painter_is_worth_with_and_without_its_state(book):
    policy, facts = book
    rows = {row[0]: row[-1] for row in records.show("painter_memory").rows}
    assert rows["LSTM"] == pytest.approx(painter.likeness(policy, facts["size"], facts["limit"]), abs=2e-3)
    assert facts["likeness"] == pytest.approx(rows["LSTM"], abs=2e-3)


def test_the_comparison_trains_a_painter_without_memory_as_long_as_it_is_told():
    a = argparse.Namespace(updates=2, seed=0, lr=3e-3, memoryless=True)
    rows = painter.compared(a)
    assert [row[2] for row in rows] == [6000, 6000, 2] and rows[0][-1] > 0.75 > 0.5 > rows[2][-1]


def test_who_never_had_a_memory_has_none_to_forget():
    policy = painter.fresh(4, 6, memory=False)
    assert painter.likeness(policy, 4, 3, n=20) == pytest.approx(painter.forgetful(policy, 4, 3, n=20))


def test_the_painter_is_small_and_says_what_it_cost(book):
    policy, facts = book
    assert painter.TRAINED.stat().st_size <= 300_000 and facts["cpu_seconds"] <= 180
    assert facts["parameters"] == sum(p.numel() for p in policy.parameters())
    assert {"command", "date", "device", "seed", "torch", "frames"} <= set(facts)


def test_a_tiny_training_learns_and_can_be_loaded(tmp_path, capsys):
    small = "--size 3 --limit 2 --hidden 12 --batch 64 --updates 150 --lr 0.01".split()
    facts = painter.main([*small, "--out", str(tmp_path / "p.safetensors")])
    policy, loaded = painter.trained(tmp_path / "p.safetensors")
    assert loaded["likeness"] == facts["likeness"] > facts["before"] + 0.2
    assert painter.likeness(policy, 3, 2) == pytest.approx(facts["likeness"], abs=1e-5)
    assert f"{facts['likeness']:.3f} after" in capsys.readouterr().out
