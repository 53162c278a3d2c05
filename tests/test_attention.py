"""Attention over a memory: the weights are a softmax, what is masked is not there, no place is special."""

import jaxtyping
import pytest
import torch
from torch.testing import assert_close
from unrolled.attention import Additive, Multiplicative, mask_of, masked_softmax

B, T, S, Q, M = 3, 4, 6, 5, 7
KINDS = {"additive": lambda: Additive(Q, M, 8), "multiplicative": lambda: Multiplicative(Q, M)}
LENGTHS = torch.tensor([6, 1, 3])
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def unchecked():
    """Our own messages, as people without jaxtyping see them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def inputs(dtype=torch.float64):
    return torch.randn(B, T, Q, dtype=dtype), torch.randn(B, S, M, dtype=dtype)


def test_the_mask_says_which_places_hold_something():
    assert mask_of(torch.tensor([2, 0, 3]), 3).tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


def test_additive_scores_are_bahdanaus():
    attention, (q, m) = Additive(Q, M, 8).double(), inputs()
    W_q, W_m, b, v = attention.W_q.weight, attention.W_m.weight, attention.W_m.bias, attention.v
    scores = attention.scores(q, attention.keys(m))
    for i, t, s in torch.cartesian_prod(torch.arange(B), torch.arange(T), torch.arange(S)):
        assert_close(scores[i, t, s], v @ torch.tanh(W_q @ q[i, t] + W_m @ m[i, s] + b))


def test_multiplicative_scores_are_luongs():
    attention, (q, m) = Multiplicative(Q, M).double(), inputs()
    slow = torch.einsum("btq,qm,bsm->bts", q, attention.W_m.weight, m)
    assert_close(attention.scores(q, attention.keys(m)), slow)


@kinds
def test_the_context_is_the_mean_of_the_memory_under_the_weights(kind):
    attention, (q, m) = KINDS[kind]().double(), inputs()
    context, weights = attention(q, m, mask_of(LENGTHS, S))
    assert_close(context, torch.einsum("bts,bsm->btm", weights, m))
    assert_close(weights.sum(-1), torch.ones(B, T, dtype=torch.float64))
    assert (weights >= 0).all() and (weights[1, :, 1:] == 0).all() and (weights[2, :, 3:] == 0).all()


@kinds
def test_what_is_masked_is_as_if_it_were_not_there(kind):
    attention, (q, m) = KINDS[kind]().double(), inputs()
    filled = m.clone()
    filled[2, 3:] = 1e6
    context, _ = attention(q, filled, mask_of(LENGTHS, S))
    assert_close(context[2:], attention(q[2:], m[2:, :3])[0])


@kinds
def test_moving_the_places_moves_the_weights_along(kind):
    attention, (q, m) = KINDS[kind]().double(), inputs()
    order = torch.randperm(S)
    context, weights = attention(q, m)
    again, moved = attention(q, m[:, order])
    assert_close(moved, weights[..., order])
    assert_close(again, context)


@kinds
def test_another_query_looks_elsewhere(kind):
    """Not so for an additive score without its tanh: there the query cancels."""
    attention, (q, m) = KINDS[kind]().double(), inputs()
    weights = attention(q, m)[1]
    assert (weights[:, 0] - weights[:, 1]).abs().amax() > 1e-3


def test_without_the_tanh_the_query_cancels():
    attention, (q, m) = Additive(Q, M, 8).double(), inputs()
    scores = (attention.W_q(q)[:, :, None] + attention.keys(m)[:, None]) @ attention.v
    weights = masked_softmax(scores)
    assert_close(weights, weights[:, :1].expand_as(weights))


@kinds
def test_keys_computed_beforehand_change_nothing(kind):
    attention, (q, m) = KINDS[kind](), inputs(torch.float32)
    assert attention(q, m, None, attention.keys(m))[0].equal(attention(q, m)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_are_never_nan(dtype):
    scores = torch.tensor([[[6e4, -6e4, 0.0]], [[1.0, 2.0, 3.0]]]).to(dtype)
    weights = masked_softmax(scores, torch.tensor([[True, True, False], [False] * 3]))
    assert weights.tolist() == [[[1, 0, 0]], [[0, 0, 0]]]


def test_a_row_without_places_sends_no_nan_backwards():
    scores = torch.randn(2, 1, 3, requires_grad=True)
    masked_softmax(scores, torch.tensor([[True] * 3, [False] * 3])).square().sum().backward()
    assert scores.grad.isfinite().all() and (scores.grad[1] == 0).all() and (scores.grad[0] != 0).all()


@kinds
def test_gradients_are_right(kind):
    attention, (q, m) = KINDS[kind]().double(), inputs()
    q, m = q[:, :2].requires_grad_(), m.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, m: attention(q, m, mask_of(LENGTHS, S)), (q, m))


@kinds
def test_no_query_and_no_memory_have_a_meaning(kind):
    attention, (q, m) = KINDS[kind](), inputs(torch.float32)
    context, weights = attention(q[:, :0], m)
    assert context.shape == (B, 0, M) and weights.shape == (B, 0, S)
    assert (attention(q, m[:, :0])[0] == 0).all()


@pytest.mark.parametrize(
    ("query", "memory", "mask", "message"),
    [
        ((B, Q), (B, S, M), None, r"query has shape \(3, 5\).*query\[:, None\]"),
        ((B, T, Q), (B + 1, S, M), None, r"memory \(4, 6, 7\).*same B"),
        ((B, T, Q), (B, S, M), torch.ones(B, T, dtype=torch.bool), r"mask is torch.bool of shape \(3, 4\)"),
        ((B, T, Q), (B, S, M), torch.ones(B, S), "mask is torch.float32.*mask_of"),
    ],
)
def test_shapes_that_do_not_fit_are_named(query, memory, mask, message, unchecked):
    with pytest.raises(ValueError, match=message):
        Multiplicative(Q, M)(torch.randn(query), torch.randn(memory), mask)
