"""Gradients by hand are autograd's; what is cut off, what it costs and what vanishes is measured right."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd.functional import jacobian
from torch.testing import assert_close
from unrolled.bptt import (
    Weights,
    backward,
    bias,
    dW_recursion,
    dW_sum,
    dW_y,
    explicit,
    forward,
    gradient_by_lag,
    graph_bytes,
    growth,
    jacobians,
    truncated,
    weights,
)
from unrolled.gru import GRU
from unrolled.lstm import LSTM, LSTMCore
from unrolled.model import SequenceModel
from unrolled.rnn import RNN, step

V, H, T = 5, 4, 8


def a_network(biases=True):
    model = RNN(V, H, biases).double()
    with torch.no_grad():
        for b in (model.b_h, model.b_y):
            if biases:
                b.normal_()
    return model


def tokens(rows=3):
    return torch.randint(V, (rows, T + 1))


def surprise(logits, x):
    """The lecture's loss in nats, summed."""
    return F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="sum")


def autograds(model, x):
    model.zero_grad()
    surprise(model(x[:, :-1])[0], x[:, 1:]).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def same(ours, theirs):
    assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("biases", [True, False])
def test_one_sweep_back_gives_the_gradients_of_autograd(biases):
    model, x = a_network(biases), tokens()
    ours = backward(weights(model), forward(weights(model), x))
    for name, theirs in autograds(model, x).items():
        same(getattr(ours, name), theirs)


@pytest.mark.parametrize("formula", [dW_recursion, dW_sum])
def test_the_lectures_formulas_give_the_gradients_of_autograd(formula):
    """B2 and B3, for both matrices: they differ in what they are multiplied with."""
    model, x = a_network(), tokens()
    w, theirs = weights(model), autograds(model, x)
    run = forward(w, x)
    g, J = run.e @ w.W_y, jacobians(w.W_h, run.h)
    same(formula(g, J, run.h, run.h[:, :-1]), theirs["W_h"])
    same(formula(g, J, run.h, F.one_hot(run.x, V).double()), theirs["W_x"])


def test_one_application_of_the_chain_rule_gives_W_y():
    model, x = a_network(), tokens()
    run = forward(weights(model), x)
    same(dW_y(run.e, run.h), autograds(model, x)["W_y"])


def test_the_step_jacobian_is_that_of_autograd():
    model, x = a_network(), tokens(1)
    w, run = weights(model), forward(weights(model), x)
    J, a = jacobians(w.W_h, run.h), model.inputs(x[:, :-1])
    for t in range(T):
        theirs = jacobian(lambda h: step(h, a[:, t], w.W_h)[0], run.h[:, t])[:, 0]  # noqa: B023
        same(J[0, t], theirs)


def test_the_explicit_part_takes_the_state_before_as_given():
    h, W = torch.randn(1, H, dtype=torch.float64), torch.randn(H, H, dtype=torch.float64)
    theirs = jacobian(lambda W: step(h, 0 * h, W)[0], W)
    same(explicit(step(h, 0 * h, W), h)[0], theirs)


def test_weights_are_numbers_and_a_missing_bias_is_zero():
    w = weights(a_network(biases=False))
    assert w.b_h.tolist() == H * [0] and w.b_y.tolist() == V * [0]
    assert not any(value.requires_grad for value in weights(a_network()))


# ---- truncated


@pytest.mark.parametrize("k1", [1, 3, 4, T, T + 3])
def test_going_back_to_the_start_is_the_whole_gradient(k1):
    w, x = weights(a_network()), tokens()
    for ours, theirs in zip(truncated(w, x, k1, T + 3), backward(w, forward(w, x))):
        same(ours, theirs)


@pytest.mark.parametrize("k", [1, 3, 4])
def test_pieces_are_what_a_detached_state_gives(k):
    model, x, state = a_network(), tokens(), None
    for first in range(0, T, k):
        piece = x[:, first : first + k + 1]
        logits, state = model(piece[:, :-1], state)
        surprise(logits, piece[:, 1:]).backward()
        state = state.detach()
    for name, ours in truncated(weights(model), x, k, k)._asdict().items():
        same(ours, getattr(model, name).grad)


@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 3), (2, 3), (3, 5)])
def test_each_loss_goes_back_as_far_as_it_says(k1, k2):
    """The slow way: for each piece of k1 losses, a graph of its own that begins k2 steps before its end."""
    model, x = a_network(), tokens()
    for first in range(0, T, k1):
        end = first + k1
        start = max(0, end - k2)
        state = model(x[:, :start])[1].detach() if start else None
        logits = model(x[:, start : min(end, T)], state)[0][:, first - start :]
        surprise(logits, x[:, first + 1 : end + 1]).backward()
    for name, ours in truncated(weights(model), x, k1, k2)._asdict().items():
        same(ours, getattr(model, name).grad)


def test_the_bias_falls_with_the_steps_back_and_ends_at_zero():
    w, x = weights(a_network()), tokens(16)
    distances, cosines = zip(*(bias(w, x, 1, k2) for k2 in (1, 2, 4, T)))
    assert sorted(distances, reverse=True) == list(distances) and distances[0] > 0.1 and distances[-1] < 1e-10
    assert sorted(cosines) == list(cosines) and cosines[-1] == pytest.approx(1)


def test_the_bias_of_nothing_is_known():
    """Where W_h is zero no step back brings anything, so one is enough."""
    w = weights(a_network())
    assert bias(w._replace(W_h=0 * w.W_h), tokens(), 1, 1)[0] < 1e-12


@pytest.mark.parametrize(("k1", "k2"), [(0, 3), (3, 2)])
def test_impossible_truncations_are_named(k1, k2):
    with pytest.raises(ValueError, match=f"k1 is {k1} and k2 is {k2}"):
        truncated(weights(a_network()), tokens(), k1, k2)


# ---- what it costs


@pytest.mark.parametrize("model", [lambda: RNN(V, 32), lambda: LSTM(V, 32), lambda: GRU(V, 32)])
def test_the_graph_grows_by_the_same_bytes_with_every_step(model):
    model, x = model(), torch.randint(V, (4, 81))
    ten, twenty, eighty = (graph_bytes(model, x[:, : n + 1]) for n in (10, 20, 80))
    assert eighty - twenty == 6 * (twenty - ten) > 60 * 4 * 32 * 4


def test_the_graph_of_a_known_function_is_counted_to_the_byte():
    class Two(SequenceModel):
        def forward(self, x, state=None):
            return self.scale.exp().expand(*x.shape, V), None

    model, x = Two(), torch.randint(V, (2, 2))
    model.scale = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    assert graph_bytes(model, x) == 8 * (1 + 2 * V + 1)  # exp, log_softmax, and the number of symbols
    with torch.no_grad():
        assert graph_bytes(model, x) == 0


# ---- what vanishes


def by_lag(model, x, part=None):
    """How the surprise of the last symbol pulls at the states before it."""
    return gradient_by_lag(model, x[:, :-1], lambda y: F.cross_entropy(y, x[:, -1], reduction="sum"), part)


def test_the_gradient_by_lag_is_the_product_of_the_jacobians():
    model, x = a_network(), tokens(2)
    w, run = weights(model), forward(weights(model), x)
    v, J, lags = (run.e @ w.W_y)[:, -1], jacobians(w.W_h, run.h), []
    for t in range(T - 1, 0, -1):
        v = torch.einsum("bi,bij->bj", v, J[:, t])
        lags.append(v.norm(dim=1).mean())
    same(by_lag(model, x), torch.stack(lags))


def test_a_core_and_a_part_of_its_state_can_be_asked():
    core, a = LSTMCore(3, H).double(), torch.randn(2, T, 3, dtype=torch.float64)
    whole, h, c = (gradient_by_lag(core, a, torch.sum, part) for part in (None, "h", "c"))
    assert whole.shape == (T - 1,) and (c > 0).all() and (h > 0).all()
    one = gradient_by_lag(core, a[:1], torch.sum) ** 2
    parts = sum(gradient_by_lag(core, a[:1], torch.sum, part) ** 2 for part in ("h", "c"))
    same(one, parts)


def test_the_cell_of_an_open_lstm_keeps_its_gradient_and_an_rnn_loses_it():
    torch.manual_seed(0)
    rnn, lstm, x = RNN(V, 32), LSTM(V, 32), torch.randint(V, (4, 61))
    with torch.no_grad():
        lstm.core.layers[0].block(lstm.core.layers[0].b, "f").fill_(8)
    lost, kept = by_lag(rnn, x), by_lag(lstm, x, "c")
    assert kept[-1] / kept[0] > 0.1 and lost[-1] / lost[0] < 0.01 * kept[-1] / kept[0]


def test_one_element_has_no_lag():
    with pytest.raises(ValueError, match="x is 1 long"):
        gradient_by_lag(a_network(), tokens()[:, :1], torch.sum)


def test_one_number_grows_as_its_power():
    """V1: w^k."""
    for w in (0.5, 1.0, 1.5):
        norm, radius = growth(torch.full((9, 1, 1), w, dtype=torch.float64))
        same(norm, w ** torch.arange(1, 10, dtype=torch.float64))
        same(radius, norm)


def test_the_last_jacobian_stands_first_in_the_product():
    J = torch.randn(3, H, H, dtype=torch.float64)
    expected = [J[2], J[2] @ J[1], J[2] @ J[1] @ J[0]]
    same(growth(J).norm, torch.stack([torch.linalg.matrix_norm(P, 2) for P in expected]))


def test_a_product_can_grow_first_although_every_eigenvalue_is_below_one():
    """[[.9, 20], [0, .9]]^k has the radius .9^k, but the norm 77.5 at k = 9; at k = 79 it is 0.43."""
    J = torch.tensor([[0.9, 20.0], [0.0, 0.9]], dtype=torch.float64).expand(80, 2, 2)
    norm, radius = growth(J)
    assert norm.argmax() == 8 and norm.max().item() == pytest.approx(77.5, abs=0.1)
    assert norm[78].item() == pytest.approx(0.43, abs=0.01)
    assert_close(radius, 0.9 ** torch.arange(1, 81, dtype=torch.float64), rtol=1e-6, atol=0)


def test_the_norm_bounds_how_fast_a_gradient_can_shrink_or_grow():
    model, x = a_network(), tokens(1)
    run = forward(weights(model), x)
    norm = growth(jacobians(model.W_h.detach(), run.h)[0]).norm
    g = (run.e @ model.W_y.detach())[0, -1].norm()
    assert (by_lag(model, x) <= g * norm[: T - 1] + 1e-12).all()


def test_gradients_have_the_names_of_the_weights():
    w, x = weights(a_network()), tokens()
    ours = backward(w, forward(w, x))
    assert isinstance(ours, Weights) and all(a.shape == b.shape for a, b in zip(ours, w))
