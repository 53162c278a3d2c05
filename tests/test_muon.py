"""Muon: its steps are orthogonal, equal torch's where torch has it, and Adam takes the rest."""

import copy
from itertools import islice

import pytest
import torch
from torch.testing import assert_close
from unrolled.lstm import LSTM
from unrolled.muon import Muon, adam, maps_and_rest, orthogonal
from unrolled.rnn import RNN
from unrolled.ssm import SSM
from unrolled.train import batches, train
from unrolled.transformer import Transformer


@pytest.mark.parametrize("shape", [(8, 8), (8, 20), (20, 8), (3, 6, 4)])
def test_all_directions_come_out_about_equally_long(shape):
    torch.manual_seed(0)
    s = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert 0.6 < s.min() and s.max() < 1.25


def test_the_nearest_orthogonal_matrix_keeps_the_directions():
    torch.manual_seed(0)
    G = torch.randn(6, 6, dtype=torch.float64)
    U, _, Vh = torch.linalg.svd(G)
    inner = U.mT @ orthogonal(G) @ Vh.mT  # diagonal, if the singular vectors are the same
    assert_close(inner, inner.diagonal().diag(), atol=1e-9, rtol=0)


def test_a_stack_is_its_matrices():
    G = torch.randn(3, 5, 9)
    assert_close(orthogonal(G), torch.stack([orthogonal(g) for g in G]))


def test_a_zero_gradient_is_no_step():
    assert orthogonal(torch.zeros(4, 4)).equal(torch.zeros(4, 4))


def walk(optimisers, params, steps=5):
    """Some steps of each optimiser down the same bowl."""
    chance = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for p in params:
            p.grad = 0.3 * p.detach() + torch.randn(p.shape, generator=chance)
        for optimiser in optimisers:
            optimiser.step()
    return params


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon to compare with")
@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12)])
def test_equals_torchs(shape):
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    walk([Muon([ours], lr=0.02, dtype=torch.bfloat16)], [ours])
    walk([torch.optim.Muon([theirs], lr=0.02, weight_decay=0)], [theirs])
    assert (ours - theirs).norm() < 0.05 * (theirs - start).norm()  # torch computes in bfloat16, 8 bits


def test_the_rest_is_adam():
    torch.manual_seed(0)
    shapes = (7,), (2, 3), (2, 2, 2)
    ours = [torch.nn.Parameter(torch.randn(shape, dtype=torch.float64)) for shape in shapes]
    theirs = copy.deepcopy(ours)
    walk([Muon([], ours, adam_lr=0.01)], ours)
    walk([torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.95))], theirs)
    for a, b in zip(ours, theirs):
        assert_close(a, b)


def test_tables_and_vectors_are_not_maps():
    model = RNN(7, 12)
    maps, rest = maps_and_rest(model)
    assert len(maps) == 1 and maps[0] is model.W_h
    assert {id(p) for p in rest} == {id(p) for p in model.parameters()} - {id(model.W_h)}


@pytest.mark.parametrize("make", [
    lambda size: LSTM(64, size, 2), lambda size: SSM(64, size, 1), lambda size: RNN(64, size),
    lambda size: Transformer(64, size, 1, 4, context=size),
], ids=["lstm", "ssm", "rnn", "transformer"])
def test_what_a_matrix_is_hangs_on_its_place_and_not_on_its_sizes(make):
    def names(model):
        maps = set(map(id, maps_and_rest(model)[0]))
        return [name for name, p in model.named_parameters() if id(p) in maps]

    assert names(make(64)) == names(make(32)) != []
    assert not [name for name in names(make(64)) if name.endswith((".P", "kernel")) or "embed" in name
                or "W_y" in name]


def test_it_trains_in_the_one_loop():
    torch.manual_seed(0)
    text = torch.arange(7).repeat(60)
    model = RNN(7, 16)
    steps = train(model, batches(text, 16, 8), optimiser=Muon(*maps_and_rest(model), adam_lr=0.02))
    *_, last = islice(steps, 60)
    assert last.loss < 0.1  # guessing costs log2(7) = 2.8 bits


def test_saved_and_taken_up_again_it_walks_the_same_way():
    torch.manual_seed(0)
    p, q = torch.nn.Parameter(torch.randn(4, 4)), torch.nn.Parameter(torch.randn(4))
    through, parted = Muon([p], [q]), None
    walk([through], [p, q])
    p2, q2 = copy.deepcopy(p), copy.deepcopy(q)
    parted = Muon([p2], [q2])
    parted.load_state_dict(copy.deepcopy(through.state_dict()))
    walk([through], [p, q])
    walk([parted], [p2, q2])
    assert p.equal(p2) and q.equal(q2)


@pytest.mark.parametrize("bad", [dict(lr=-1.0), dict(momentum=1.0), dict(adam_lr=-0.1)])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="momentum < 1"):
        Muon([torch.zeros(2, 2, requires_grad=True)], **bad)


def test_a_vector_is_no_map():
    with pytest.raises(ValueError, match=r"\(3,\).*rest"):
        Muon([torch.zeros(3, requires_grad=True)])


def test_adam_moves_by_the_learning_rate_at_first():
    p = torch.zeros(3)
    p.grad = torch.tensor([1.0, -5.0, 100.0])
    adam(p, {}, lr=0.1)
    assert_close(p, torch.tensor([-0.1, 0.1, -0.1]))
