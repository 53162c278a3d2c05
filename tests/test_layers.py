"""LSTM and GRU are torch's, by hand and by its kernel: states, gradients, weights, dropout, and its traps."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from unrolled.gru import GRU, GRUCore
from unrolled.lstm import LSTM, LSTMCore, LSTMState
from unrolled.train import train

D, H = 3, 5
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
cores = pytest.mark.parametrize("Core", [LSTMCore, GRUCore])
both_ways = pytest.mark.parametrize("fused", [False, True])


def torchs(Core, state):
    """A state as torch has it: layers before rows."""
    if Core is GRUCore:
        return state.transpose(0, 1).contiguous()
    return tuple(part.transpose(0, 1).contiguous() for part in state)


def a_state(Core, layers, dtype, rows=2):
    h, c = torch.randn(2, rows, layers, H, dtype=dtype)
    return LSTMState(h, c) if Core is LSTMCore else h


def close(ours, theirs, dtype):
    assert_close(ours, theirs, rtol=0, atol=TOLERANCE[dtype])


@cores
@both_ways
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_states_equal_those_of_torch(Core, fused, layers, bias, dtype):
    theirs = Core.peer(D, H, layers, bias=bias, batch_first=True).to(dtype)
    a, state = torch.randn(2, 9, D, dtype=dtype), a_state(Core, layers, dtype)
    h, last = Core.from_torch(theirs, fused)(a, state)
    expected, their_last = theirs(a, torchs(Core, state))
    close(h, expected, dtype)
    close(torchs(Core, last), their_last, dtype)


@cores
@both_ways
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gradients_equal_those_of_torch(Core, fused, dtype):
    theirs = Core.peer(D, H, 2, batch_first=True).to(dtype)
    ours, a = Core.from_torch(theirs, fused), torch.randn(2, 9, D, dtype=dtype)
    target = torch.randn(2, 9, H, dtype=dtype)
    for core in (ours, theirs):
        (core(a)[0] * target).mean().backward()
    for k, layer in enumerate(ours.layers):
        W_x, W_h, b_x, b_h = (p.grad for p in theirs.all_weights[k])
        for mine, yours in ((layer.W_x, W_x), (layer.W_h, W_h), (layer.b, b_x)):
            close(mine.grad, yours, dtype)
        if Core is GRUCore:
            close(layer.b_n.grad, b_h[2 * H :], dtype)


@cores
@both_ways
def test_torch_gets_the_weights_back(Core, fused):
    ours, a = Core(D, H, 2, fused=fused).double(), torch.randn(2, 9, D, dtype=torch.float64)
    theirs = ours.to_torch()
    close(theirs(a)[0], ours(a)[0], torch.float64)
    again = Core.from_torch(theirs)
    assert all(p.equal(q) for p, q in zip(ours.parameters(), again.parameters()))


@cores
def test_the_two_modules_share_no_memory(Core):
    ours = Core(D, H)
    before = ours.layers[0].W_h.clone()
    nn.init.zeros_(ours.to_torch().weight_hh_l0)
    nn.init.zeros_(Core.from_torch(ours.to_torch()).layers[0].W_h)
    assert ours.layers[0].W_h.equal(before)


@cores
@both_ways
def test_a_model_that_does_not_train_has_gradients_too(Core, fused):
    a = torch.randn(2, 4, D, requires_grad=True)
    Core(D, H, fused=fused).eval()(a)[0].sum().backward()
    assert (a.grad != 0).all()


@cores
@both_ways
def test_half_precision_is_near_full_precision(Core, fused):
    core, a = Core(D, H, 2, fused=fused), torch.randn(2, 30, D)
    with torch.autocast("cpu", torch.bfloat16):
        h, state = core(a)
        again, _ = core(a, state)  # a state of whatever type it handed out
    assert_close(h.float(), core(a)[0], rtol=0, atol=0.02)
    assert again.isfinite().all()


@cores
@both_ways
def test_dropout_stands_between_the_layers_only(Core, fused):
    core, a = Core(D, H, 2, dropout=0.5, fused=fused), torch.randn(2, 9, D)
    below, above = core.layers
    torch.manual_seed(1)
    expected = above(F.dropout(below(a, None)[0], 0.5), None)[0]
    torch.manual_seed(1)
    assert core(a)[0].equal(expected)
    assert not core(a)[0].equal(expected)


@cores
def test_one_layer_and_a_model_in_use_know_no_dropout(Core):
    a = torch.randn(2, 9, D)
    for core in (Core(D, H, 1, dropout=0.9), Core(D, H, 3, dropout=0.9).eval()):
        assert core(a)[0].equal(core(a)[0])


@cores
@both_ways
def test_an_empty_piece_changes_nothing(Core, fused):
    core, state = Core(D, H, 2, fused=fused), a_state(Core, 2, torch.float32)
    h, after = core(torch.zeros(2, 0, D), state)
    assert h.shape == (2, 0, H) and after is state
    assert core(torch.zeros(2, 0, D))[1] is None


@cores
@both_ways
def test_no_state_is_a_state_of_zeros(Core, fused):
    core, a = Core(D, H, 2, fused=fused), torch.randn(2, 4, D)
    zeros = torch.zeros(2, 2, H)
    assert core(a)[0].equal(core(a, LSTMState(zeros, zeros) if Core is LSTMCore else zeros)[0])


@cores
@both_ways
def test_a_thousand_steps_leave_state_and_gradient_finite(Core, fused):
    core, a = Core(D, H, fused=fused), 100 * torch.randn(1, 1000, D)
    core(a)[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in core.parameters())


@pytest.mark.parametrize("Model", [LSTM, GRU])
def test_it_learns_to_remember_a_symbol_over_three_others(Model):
    """The last symbol is the first one; in between there is nothing to see."""
    model, first = Model(3, 16), torch.randint(2, (32, 1))
    x = torch.cat([first, torch.full((32, 3), 2), first], 1)
    for _ in train(model, [x] * 80, lr=3e-2):
        pass
    assert model(x[:, :-1])[0][:, -1].argmax(-1).equal(first[:, 0])


@cores
def test_bad_shapes_are_named(Core, unchecked):
    core, a = Core(D, H, 2), torch.zeros(2, 4, D)
    good = a_state(Core, 2, torch.float32)
    flat = LSTMState(good.h[:, 0], good.c[:, 0]) if Core is LSTMCore else good[:, 0]
    with pytest.raises(ValueError, match=r"a has shape \(2, 4, 9\): expected \(B, T, D\) with D = 3"):
        core(torch.zeros(2, 4, 9))
    with pytest.raises(ValueError, match=r"state has shape \[\(2, 5\).*expected \(B, layers, H\) = \(2, 2"):
        core(a, flat)
    with pytest.raises(ValueError, match=rf"state is a tuple: expected a {Core.kept.__name__}, or None"):
        core(a, (a, a))


@cores
@pytest.mark.parametrize(("arguments", "message"), [
    ((0, H), "inputs is 0"),
    ((D, 0), "hidden is 0"),
    ((D, H, 0), "0 layers"),
    ((D, H, 2, 1.0), "dropout 1.0"),
])
def test_bad_sizes_are_named(Core, arguments, message):
    with pytest.raises(ValueError, match=message):
        Core(*arguments)


@cores
def test_torchs_other_modules_are_refused(Core):
    other = nn.GRU if Core is LSTMCore else nn.LSTM
    for theirs in (other(D, H), Core.peer(D, H, bidirectional=True)):
        with pytest.raises(ValueError, match=f"is no {Core.peer.__name__} that reads one way"):
            Core.from_torch(theirs)


@cores
def test_a_gate_is_found_by_its_letter(Core):
    layer = Core(D, H).layers[0]
    for k, gate in enumerate(layer.gates):
        assert layer.block(layer.b, gate).data_ptr() == layer.b[k * H :].data_ptr()


@cores
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_the_kernel_says_nothing_and_agrees(Core):
    fused, a = Core(D, H, 2, fused=True).cuda(), torch.randn(2, 9, D, device="cuda")
    plain = Core.from_torch(fused.to_torch())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        h, _ = fused(a)
        h.sum().backward()
    plain(a)[0].sum().backward()
    assert_close(h, plain(a)[0], rtol=5e-3, atol=1e-4)
    for p, q in zip(fused.parameters(), plain.parameters()):
        assert_close(p.grad, q.grad, rtol=5e-3, atol=1e-3)
