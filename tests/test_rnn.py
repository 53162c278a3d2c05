"""The RNN is the lecture's: equal to torch.nn.RNN, to its own equations, and to its numeric gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from unrolled.model import nll
from unrolled.rnn import RNN, step, unroll

V, H = 7, 5
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def twins(dtype, bias=True):
    """Our RNN and torch's, with one set of weights."""
    ours, theirs = RNN(V, H, bias).to(dtype), torch.nn.RNN(V, H, bias=bias, batch_first=True).to(dtype)
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours.W_x)
        theirs.weight_hh_l0.copy_(ours.W_h)
        if bias:
            ours.b_h.normal_()
            theirs.bias_ih_l0.copy_(ours.b_h)
            theirs.bias_hh_l0.zero_()
    return ours, theirs


@pytest.mark.claim("R1")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_states_equal_those_of_torch(dtype, bias):
    ours, theirs = twins(dtype, bias)
    x, h = torch.randint(V, (3, 11)), torch.randn(3, H, dtype=dtype)
    expected, last = theirs(F.one_hot(x, V).to(dtype), h[None])
    assert_close(ours.states(x, h), expected, rtol=0, atol=TOLERANCE[dtype])
    assert_close(ours(x, h)[1], last[0], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.claim("R4")
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gradients_equal_those_of_torch(dtype):
    ours, theirs = twins(dtype)
    x = torch.randint(V, (3, 11))
    target = torch.randn(3, 11, H, dtype=dtype)
    (ours.states(x) * target).mean().backward()
    (theirs(F.one_hot(x, V).to(dtype))[0] * target).mean().backward()
    pairs = [(ours.W_x, theirs.weight_ih_l0), (ours.W_h, theirs.weight_hh_l0), (ours.b_h, theirs.bias_ih_l0)]
    for mine, yours in pairs:
        assert_close(mine.grad, yours.grad, rtol=0, atol=TOLERANCE[dtype])


def test_gradients_are_those_of_finite_differences():
    h, a = torch.randn(2, H, dtype=torch.float64), torch.randn(2, 4, H, dtype=torch.float64)
    W_h = torch.randn(H, H, dtype=torch.float64)
    for value in (h, a, W_h):
        value.requires_grad_()
    assert torch.autograd.gradcheck(unroll, (h, a, W_h))
    assert torch.autograd.gradcheck(step, (h, a[:, 0], W_h))


@pytest.mark.claim("R1")
def test_two_steps_by_hand():
    one = torch.ones(1, 1, dtype=torch.float64)
    states = unroll(0 * one, torch.tensor([[[1.0], [0.0]]], dtype=torch.float64), 0.5 * one)
    by_hand = torch.tensor([0.7615941559557649, 0.3633994843890525], dtype=torch.float64)
    assert_close(states.flatten(), by_hand)


@pytest.mark.claim("R2")
def test_logits_are_a_linear_view_of_the_state():
    model, x = RNN(V, H).double(), torch.randint(V, (2, 6))
    assert_close(model(x)[0], model.states(x) @ model.W_y.T + model.b_y)


def test_a_long_state_stays_finite_and_so_does_its_gradient():
    model = RNN(V, H)
    nll(model, torch.randint(V, (1, 2001))).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_it_learns_a_sequence_that_needs_one_step_of_memory():
    model, x = RNN(3, 16), torch.tensor([[0, 1, 0, 2] * 8])
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        nll(model, x).backward()
        optimiser.step()
    assert nll(model, x) < 0.1  # the symbol alone says 0.5 bits less than the symbol and what came before


@pytest.mark.claim("R3")
def test_an_empty_piece_changes_nothing():
    model, h = RNN(V, H), torch.randn(2, H)
    logits, state = model(torch.zeros(2, 0, dtype=torch.long), h)
    assert logits.shape == (2, 0, V) and state is h


def test_bad_ids_and_states_are_named(unchecked):
    model = RNN(V, H)
    with pytest.raises(ValueError, match="ids from -1 to 9: this model knows 0 to 6"):
        model(torch.tensor([[9, -1]]))
    with pytest.raises(ValueError, match="state was made for 1 rows: x has 2"):
        model(torch.zeros(2, 3, dtype=torch.long), torch.zeros(1, H))
    with pytest.raises(ValueError, match=r"state has shape \(2, 6\): expected \(B, H\) = \(2, 5\)"):
        model(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, H + 1))
    with pytest.raises(ValueError, match="at least 1"):
        RNN(0, 5)


def test_the_smallest_network_knows_one_symbol_and_keeps_one_number():
    logits, state = RNN(1, 1)(torch.zeros(1, 3, dtype=torch.long))
    assert logits.shape == (1, 3, 1) and state.shape == (1, 1)
