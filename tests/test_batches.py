"""Batches around batches: many small ones make one big step, and all else stays as it was."""

from itertools import islice

import pytest
import torch
from torch.testing import assert_close
from unrolled.batches import Around
from unrolled.model import nll
from unrolled.precision import mixed
from unrolled.rnn import RNN
from unrolled.train import batches, fit, gathered, streams, train

X = torch.randint(6, (2000,), generator=torch.Generator().manual_seed(0))


def model():
    torch.manual_seed(0)
    return RNN(6, 8).double()


def windows():
    return batches(X, length=8, batch=4)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_k_small_batches_are_one_big_one(k):
    source = windows()
    big = [torch.cat([next(source) for _ in range(k)]) for _ in range(20)]
    ours, theirs = model(), model()
    a = list(islice(train(ours, gathered(windows(), k)), 20))
    b = list(train(theirs, big))
    for name in ("loss", "grad_norm"):
        assert_close([getattr(s, name) for s in a], [getattr(s, name) for s in b], rtol=1e-10, atol=1e-10)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert_close(p, q, rtol=1e-8, atol=1e-10)


def test_gathered_streams_carry_their_state_from_part_to_part_and_over_the_end():
    """At lr 0 the parts' losses are those of the plain stream, though a step crosses the end of the text."""
    plain = [s.loss for s in islice(train(model(), streams(X, 50, 4), lr=0), 30)]
    three = [s.loss for s in islice(train(model(), gathered(streams(X, 50, 4), 3), lr=0), 10)]
    assert_close(torch.tensor(plain).view(10, 3).mean(1), torch.tensor(three))


def test_what_is_left_of_a_list_makes_a_smaller_step():
    plain = list(islice(windows(), 5))
    steps = [s.loss for s in train(model(), gathered(plain, 2), lr=0)]
    each = torch.stack([nll(model(), x) for x in plain])
    assert_close(torch.tensor(steps), torch.stack([each[:2].mean(), each[2:4].mean(), each[4]]).float())


@pytest.mark.parametrize("make", [windows, lambda: streams(X, 8, 4), lambda: list(islice(windows(), 60))])
@pytest.mark.parametrize("dress", [lambda b: gathered(b, 3), lambda b: mixed(b, always=True),
                                   lambda b: gathered(mixed(b, always=True), 2)])
def test_a_training_taken_up_again_goes_on_bit_for_bit_whatever_is_around_its_batches(make, dress, tmp_path):
    def curve(steps, path=None):
        torch.manual_seed(0)
        return fit(RNN(6, 8), dress(make()), steps, path=path, valid=X[:100]).losses

    curve(7, tmp_path / "x")
    assert curve(20, tmp_path / "x").equal(curve(20))


def test_a_loss_of_ones_own_goes_to_the_batches_and_no_loss_is_silently_dropped():
    def double(model, x):
        return 2 * nll(model, x)

    def first(source, **settings):
        return next(train(model(), source, **settings)).loss

    assert first(gathered(windows(), 1, loss=double)) == pytest.approx(2 * first(windows()))
    with pytest.raises(ValueError, match="gathered has a loss of its own: give yours to it, as loss="):
        first(gathered(windows(), 1), loss=double)


def test_plain_batches_with_a_loss_keep_it_after_a_resume(tmp_path):
    class Doubled(list):
        def loss(self, model, x):
            return 2 * nll(model, x)

    def curve(steps, path=None):
        return fit(model(), Doubled(islice(windows(), 20)), steps, path=path).losses

    curve(7, tmp_path / "x")
    assert curve(20, tmp_path / "x").equal(curve(20))


def test_around_asks_the_inner_batches_for_what_it_lacks():
    inner = windows()
    assert Around(inner).generator is inner.generator and not hasattr(Around([]), "state_dict")


def test_a_step_of_no_batches_is_refused():
    with pytest.raises(ValueError, match="k is 0"):
        gathered(windows(), 0)
