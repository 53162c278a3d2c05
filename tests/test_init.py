"""First weights are what their names say: rotations, open gates, memories of the lengths asked for."""

import pytest
import torch
from torch.testing import assert_close
from unrolled import init
from unrolled.bag import Bag
from unrolled.gru import GRU, GRUCore
from unrolled.lstm import LSTM, LSTMCore, LSTMState
from unrolled.rnn import RNN

D, H = 3, 64


def time_scales(layer):
    """After how many steps a gate that stays where its bias puts it has forgotten all but 1/e."""
    return 1 / (1 - layer.block(layer.b, layer.keeps).double().sigmoid())


@pytest.mark.parametrize("n", [1, 2, 17])
def test_a_rotation_keeps_every_length(n):
    Q = init.rotation(n)
    assert_close(Q.T @ Q, torch.eye(n, dtype=torch.float64))


def test_rotations_are_drawn_evenly():
    """Each entry of a random direction in the plane has mean 0 and mean square 1/2; half of all turn over."""
    Q = torch.stack([init.rotation(2) for _ in range(1500)])
    assert_close(Q.mean(0), torch.zeros(2, 2, dtype=torch.float64), rtol=0, atol=0.06)
    assert_close((Q**2).mean(0), torch.full((2, 2), 0.5, dtype=torch.float64), rtol=0, atol=0.04)
    assert abs(torch.linalg.det(Q).mean()) < 0.08


@pytest.mark.parametrize("model", [lambda: RNN(5, H), lambda: LSTM(5, H, 2), lambda: GRUCore(D, H)])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_every_gates_recurrent_matrix_becomes_a_rotation(model, gain):
    model = model()
    init.orthogonal(model, gain)
    found = [p for name, p in model.named_parameters() if name.endswith("W_h")]
    assert found
    for block in (block for W_h in found for block in W_h.split(H)):
        assert_close(block.T @ block, gain**2 * torch.eye(H), rtol=0, atol=1e-5)


def test_a_rotation_carries_a_state_500_steps_without_loss():
    rnn, h = RNN(5, H).double(), torch.randn(H, dtype=torch.float64)
    init.orthogonal(rnn)
    assert_close((torch.linalg.matrix_power(rnn.W_h, 500) @ h).norm(), h.norm())


@pytest.mark.parametrize(("core", "gates"), [(LSTMCore, "ifgo"), (GRUCore, "rzn")])
def test_only_the_gate_that_keeps_gets_the_forget_bias(core, gates):
    core = core(D, H, 2)
    init.forget_bias(core, 3.0)
    for layer in core.layers:
        values = {gate: layer.block(layer.b, gate).unique().tolist() for gate in gates}
        assert values == {gate: [3.0] if gate in "fz" else [0.0] for gate in gates}


@pytest.mark.parametrize("core", [LSTMCore, GRUCore])
def test_chrono_gives_memories_of_all_lengths_up_to_the_longest(core):
    core = core(D, 2000)
    init.chrono(core, 100)
    scales = time_scales(core.layers[0])
    assert scales.min() >= 2 - 1e-3 and scales.max() <= 100 + 1e-3
    quarters = scales.quantile(torch.tensor([0.25, 0.5, 0.75]).double())
    assert_close(quarters, torch.tensor([26.5, 51, 75.5]).double(), rtol=0, atol=4)


def test_chrono_opens_the_input_gate_as_far_as_the_forget_gate_is_shut():
    layer = LSTMCore(D, H).layers[0]
    init.chrono(layer, 50)
    i, f = (layer.block(layer.b, gate).sigmoid() for gate in "if")
    assert_close(i, 1 - f)


def test_a_cell_forgets_as_slowly_as_chrono_says():
    core = LSTMCore(D, H).double()
    init.chrono(core, 40)
    layer = core.layers[0]
    with torch.no_grad():
        layer.W_x.zero_()
        layer.W_h.zero_()  # the candidate is tanh(0): only forgetting is left
        ones = torch.ones(1, 1, H, dtype=torch.float64)
        _, (_, c) = core(torch.zeros(1, 30, D, dtype=torch.float64), LSTMState(ones, ones))
    assert_close(c[0, 0], (1 - 1 / time_scales(layer)) ** 30)


def test_a_start_leaves_the_graph_alone():
    core = LSTMCore(D, H)
    init.chrono(core, 20)
    init.orthogonal(core)
    assert all(p.requires_grad and p.is_leaf for p in core.parameters())


def test_models_without_such_weights_are_named():
    with pytest.raises(ValueError, match="Bag has no parameter W_h"):
        init.orthogonal(Bag(5, 4))
    with pytest.raises(ValueError, match="RNN has no gated layers"):
        init.forget_bias(RNN(5, 4))
    with pytest.raises(ValueError, match="RNN has no gated layers"):
        init.chrono(RNN(5, 4), 9)
    with pytest.raises(ValueError, match="longest is 2"):
        init.chrono(GRU(5, 4), 2)
