"""The GRU is the lecture's: what each gate does, both conventions of the reset, 3/4 of an LSTM's numbers."""

import pytest
import torch
from laws import LAWS
from torch.testing import assert_close
from unrolled.gru import GRUCore, blend, step, step_reset_first, unroll
from unrolled.lstm import LSTMCore
from unrolled.model import CoreModel, parameter_count

H, BIG = 5, 1e4
f64 = {"dtype": torch.float64}


def driven(r=0.0, z=0.0, n=0.0):
    """What a step reads when its gates are pushed by these numbers."""
    return torch.tensor([[r, z, n]], **f64).repeat_interleave(H, 1)


def candidate_only():
    """A W_h that asks h for the candidate's sake and not for the gates'."""
    return torch.cat([torch.zeros(2 * H, H, **f64), torch.randn(H, H, **f64)])


def test_the_blend_goes_from_the_candidate_to_the_old_state():
    h, n = torch.randn(2, 1, H)
    assert blend(h, n, torch.zeros(1, H)).equal(n) and blend(h, n, torch.ones(1, H)).equal(h)
    assert_close(blend(h, n, torch.full((1, H), 0.25)), h / 4 + 3 * n / 4)


def test_update_gate_1_keeps_the_state():
    h, b_n = torch.randn(1, H, **f64), torch.randn(H, **f64)
    assert step(h, driven(z=BIG), torch.zeros(3 * H, H, **f64), b_n).equal(h)


def test_reset_gate_0_forgets_the_state_for_the_candidate():
    h, W_h, zero = torch.randn(1, H, **f64), candidate_only(), torch.zeros(H, **f64)
    from_h, from_nothing = (step(past, driven(-BIG, -BIG, 0.3), W_h, zero) for past in (h, 0 * h))
    assert_close(from_h, from_nothing)
    assert not torch.allclose(step(h, driven(BIG, -BIG, 0.3), W_h, zero), from_nothing)


@pytest.mark.parametrize(("b_n", "by_hand"), [
    (0.25, [0.7117010140613497, 0.4780348898016286]),
    (None, [0.7047606324503499, 0.44406535493800536]),
], ids=["reset after", "reset first"])
def test_two_steps_by_hand(b_n, by_hand):
    """r = s(.5), z = s(-1), n = tanh(2 + r b); r = s(.1 h), z = s(1 + .2 h), n = tanh(-.5 + r (.3 h + b))."""
    a = torch.tensor([[[0.5, -1.0, 2.0], [0.0, 1.0, -0.5]]], **f64)
    W_h = torch.tensor([[0.1], [0.2], [0.3]], **f64)
    states = unroll(torch.zeros(1, 1, **f64), a, W_h, None if b_n is None else torch.tensor([b_n], **f64))
    assert_close(states.flatten(), torch.tensor(by_hand, **f64))


def test_the_two_conventions_agree_where_the_reset_gate_is_open_and_differ_elsewhere():
    h, W_h, zero = torch.randn(1, H, **f64), candidate_only(), torch.zeros(H, **f64)
    for r, same in ((BIG, True), (-BIG, True), (torch.randn(H, **f64), False)):
        a = driven()
        a[:, :H] += r
        after, first = step(h, a, W_h, zero), step_reset_first(h, a, W_h)
        assert torch.allclose(after, first) == same


def test_gradients_are_those_of_finite_differences():
    shapes = (2, 3), (2, 4, 9), (9, 3), (3,)
    h, a, W_h, b_n = (torch.randn(*shape, **f64, requires_grad=True) for shape in shapes)
    assert torch.autograd.gradcheck(unroll, (h, a, W_h, b_n))
    assert torch.autograd.gradcheck(unroll, (h, a, W_h))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_holds_where_the_reset_comes_first(law):
    with torch.no_grad():
        law(CoreModel(7, GRUCore(4, 12, 2, reset_first=True)), torch.randint(7, (3, 12)), [5])


@pytest.mark.parametrize("inputs", [1, 52, 256])
def test_a_gru_has_three_quarters_of_the_numbers_of_an_lstm(inputs):
    """M6, exactly; torch's convention takes one more bias."""
    lstm = parameter_count(LSTMCore(inputs, 256, 2))
    assert 4 * parameter_count(GRUCore(inputs, 256, 2, reset_first=True)) == 3 * lstm
    assert parameter_count(GRUCore(inputs, 256, 2)) == 3 * lstm / 4 + 2 * 256


def test_reset_first_has_no_equal_in_torch():
    with pytest.raises(ValueError, match="fused and reset_first are both True"):
        GRUCore(3, H, fused=True, reset_first=True)
    with pytest.raises(ValueError, match="with reset_first there is no equal"):
        GRUCore(3, H, reset_first=True).to_torch()
