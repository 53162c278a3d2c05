"""The LSTM is the lecture's: what each gate does, numbers by hand, a cell that lets the gradient through."""

import torch
from torch.testing import assert_close
from unrolled.lstm import LSTM, LSTMCore, LSTMState, gates, step, unroll
from unrolled.model import parameter_count

H, BIG = 5, 1e4
f64 = {"dtype": torch.float64}


def driven(i=0.0, f=0.0, g=0.0, o=0.0):
    """What a step reads when its gates are pushed by these numbers, and a W_h that asks nothing of h."""
    return torch.tensor([[i, f, g, o]], **f64).repeat_interleave(H, 1), torch.zeros(4 * H, H, **f64)


def a_state():
    return LSTMState(*torch.randn(2, 1, H, **f64))


def test_forget_gate_0_erases_and_1_keeps():
    h, c = a_state()
    assert step(h, c, *driven(i=-BIG, f=BIG)).c.equal(c)
    assert step(h, c, *driven(i=-BIG, f=-BIG)).c.equal(0 * c)


def test_input_gate_decides_how_much_of_the_candidate_is_added():
    h, c = a_state()
    assert_close(step(h, c, *driven(i=BIG, f=BIG, g=0.3)).c - c, torch.full_like(c, 0.3).tanh())
    assert_close(step(h, c, *driven(i=0, f=BIG, g=0.3)).c - c, torch.full_like(c, 0.3).tanh() / 2)


def test_output_gate_shows_the_squashed_cell_or_hides_it():
    h, c = a_state()
    shown = step(h, c, *driven(i=-BIG, f=BIG, o=BIG))
    assert shown.h.equal(c.tanh()) and shown.c.equal(c)
    hidden = step(h, c, *driven(i=-BIG, f=BIG, o=-BIG))
    assert hidden.h.equal(0 * c) and hidden.c.equal(c)


def test_gates_lie_between_0_and_1_and_the_candidate_between_minus_1_and_1():
    i, f, g, o = gates(torch.randn(9, H), 20 * torch.randn(9, 4 * H), torch.randn(4 * H, H))
    for gate in (i, f, o):
        assert 0 <= gate.min() < 0.01 and 0.99 < gate.max() <= 1
    assert -1 <= g.min() < -0.99 and 0.99 < g.max() <= 1


def test_two_steps_by_hand():
    one = torch.ones(1, 1, **f64)
    a = torch.tensor([[[0.5, -1.0, 2.0, 0.0], [0.0, 1.0, -0.5, 1.0]]], **f64)
    W_h = torch.tensor([[0.1], [0.2], [0.3], [0.4]], **f64)
    # c_1 = s(.5) tanh(2);  c_2 = s(1 + .2 h_1) c_1 + s(.1 h_1) tanh(-.5 + .3 h_1);  h = s(. + .4 h) tanh(c)
    views, (h, c) = unroll(0 * one, 0 * one, a, W_h)
    assert_close(views.flatten(), torch.tensor([0.26854896300870706, 0.17988495476710095], **f64))
    assert_close(c, torch.tensor([[0.24405355068977178]], **f64))
    assert h.equal(views[:, -1])


def test_gradients_are_those_of_finite_differences():
    shapes = (2, 3), (2, 3), (2, 4, 12), (12, 3)
    h, c, a, W_h = (torch.randn(*shape, **f64, requires_grad=True) for shape in shapes)
    assert torch.autograd.gradcheck(lambda *args: (unroll(*args)[0], *unroll(*args)[1]), (h, c, a, W_h))
    assert torch.autograd.gradcheck(lambda *args: tuple(step(*args)), (h, c, a[:, 0], W_h))


def test_through_open_gates_the_gradient_comes_back_whole():
    """M5: c is added to, so dc_T/dc_0 is the product of the forget gates: 1 where they are open."""
    a, W_h = driven(f=40.0, g=1.0)
    start = torch.randn(1, H, **f64, requires_grad=True)
    _, (_, c) = unroll(torch.zeros(1, H, **f64), start, a[:, None].expand(1, 1000, -1), W_h)
    assert_close(torch.autograd.grad(c.sum(), start)[0], torch.ones(1, H, **f64))


def test_an_lstm_has_four_blocks_of_numbers():
    assert parameter_count(LSTMCore(2, 4)) == 4 * (2 * 4 + 4 * 4 + 4) == 112
    assert parameter_count(LSTMCore(2, 4, 2)) == 112 + 4 * (4 * 4 + 4 * 4 + 4)


def test_the_forget_gates_begin_open():
    for layer in LSTMCore(2, H, 2).layers:
        assert layer.b.tolist() == H * [0] + H * [1] + 2 * H * [0]
    assert LSTMCore(2, H, forget_bias=0).layers[0].b.abs().max() == 0


def test_symbols_are_as_wide_as_they_need_to_be():
    assert LSTM(7, 12).embed.weight.shape == (7, 7)
    assert LSTM(50, 12).embed.weight.shape == (50, 12)
    assert LSTM(50, 12, embed=4).embed.weight.shape == (50, 4)
