"""Two units are enough for parity when the weights are set by hand; training needs more of them."""

import pytest
import torch
from unrolled import records
from unrolled.parity import Parity, by_hand
from unrolled.rnn import RNN
from unrolled.trainings import capacity


def hand_made():
    model = RNN(2, 2)
    model.load_state_dict(by_hand())
    return model


def test_an_answer_is_the_parity_of_all_that_was_read():
    x, y = Parity(9).draw(5, torch.Generator().manual_seed(0))
    for row, answers in zip(x.tolist(), y.tolist()):
        assert answers == [sum(row[: t + 1]) % 2 for t in range(9)]


@pytest.mark.claim("O3")
@pytest.mark.parametrize("lag", [1, 12, 3000])
def test_two_units_set_by_hand_solve_it_at_any_length(lag):
    assert Parity(lag).accuracy(hand_made(), n=8) == 1.0


def test_a_fresh_network_guesses():
    torch.manual_seed(0)
    assert abs(Parity(12).accuracy(RNN(2, 8)) - 0.5) < 0.1


@pytest.mark.claim("O3")
def test_the_record_says_that_two_units_are_rarely_found_and_sixteen_nearly_always():
    share = {row[0]: row[3] for row in records.show("capacity").rows}
    assert share[2] < 0.3 and share[16] > 0.9


def test_the_command_counts_the_runs_that_solve_it(monkeypatch):
    monkeypatch.setattr(capacity, "WIDTHS", (2, 8))
    monkeypatch.setattr(capacity, "accuracy", lambda width, seed, steps: 1.0 if width + seed > 8 else 0.5)
    assert capacity.rows(0, 2, 5) == [[2, 2, 0, 0.0, 0.5], [8, 2, 1, 0.5, 0.75]]


def test_a_run_of_the_command_is_repeatable():
    assert capacity.accuracy(4, 1, 5) == capacity.accuracy(4, 1, 5)
