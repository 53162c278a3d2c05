"""Schedules are PyTorch's, as functions of the step; a training takes one as its learning rate."""

from itertools import islice

import pytest
import torch
from torch.optim import lr_scheduler
from unrolled.rnn import RNN
from unrolled.schedule import cosine, linear
from unrolled.train import batches, fit, train

X = torch.arange(300) % 6


def windows():
    return batches(X, length=8, batch=4)


def rates(schedule, optimiser, steps=40):
    """The learning rates that a training gives its optimiser."""
    model = RNN(6, 4)
    optimiser = optimiser(model.parameters())
    steps = islice(train(model, windows(), schedule, optimiser=optimiser), steps)
    return [optimiser.param_groups[0]["lr"] for _ in steps]


@pytest.mark.parametrize(("ours", "theirs"), [
    (cosine, lambda sgd: lr_scheduler.CosineAnnealingLR(sgd, 30, eta_min=0.01)),
    (linear, lambda sgd: lr_scheduler.LinearLR(sgd, 1.0, 0.1, total_iters=30)),
])
def test_warm_up_and_decay_are_those_of_torch(ours, theirs):
    sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    warm = lr_scheduler.LinearLR(sgd, 0.1, 1.0, total_iters=9)
    torch_s = lr_scheduler.SequentialLR(sgd, [warm, theirs(sgd)], milestones=[10])
    schedule = ours(0.1, 40, warmup=10, end=0.01)
    for step in range(40):
        assert schedule(step) == pytest.approx(sgd.param_groups[0]["lr"])
        sgd.step()
        torch_s.step()


def test_after_the_last_step_the_rate_stays_at_its_end():
    assert linear(1, 10)(10) == linear(1, 10)(99) == 0 and cosine(1, 10, end=0.5)(99) == 0.5


@pytest.mark.parametrize("bad", [{"warmup": 5}, {"warmup": -1}, {"end": 2}])
def test_impossible_schedules_are_named(bad):
    with pytest.raises(ValueError, match=r"warmup is .* of 5 steps, end is .* of a peak of 1"):
        cosine(1, 5, **bad)


def test_each_step_has_the_rate_of_its_number():
    schedule = cosine(0.5, 40, warmup=4)
    assert rates(schedule, lambda p: torch.optim.Adam(p, 1.0)) == [schedule(i) for i in range(40)]


def test_the_rates_of_ones_own_optimiser_are_multiplied():
    assert rates(linear(1, 4), lambda p: torch.optim.SGD(p, 0.8), 4) == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_a_second_training_with_the_same_optimiser_begins_at_the_top_again():
    model = RNN(6, 4)
    sgd = torch.optim.SGD(model.parameters(), 0.8)
    for _ in range(2):
        list(islice(train(model, windows(), linear(1, 4), optimiser=sgd), 3))
        assert sgd.param_groups[0]["lr"] == pytest.approx(0.4)


def test_a_constant_schedule_is_a_number():
    def curve(lr):
        torch.manual_seed(0)
        return fit(RNN(6, 4), windows(), 20, lr=lr).losses

    assert curve(0.01).equal(curve(lambda step: 0.01))


@pytest.mark.parametrize("stop", [1, 7, 20])
def test_a_training_taken_up_again_goes_on_with_the_schedule(stop, tmp_path):
    def curve(steps, path=None):
        torch.manual_seed(0)
        return fit(RNN(6, 4), windows(), steps, path=path, lr=cosine(0.05, 30, warmup=10)).losses

    curve(stop, tmp_path / "x")
    assert curve(30, tmp_path / "x").equal(curve(30))
