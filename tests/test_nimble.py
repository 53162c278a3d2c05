"""The nimble transformer: it keeps the law, begins as nothing, and looks one element back."""

import copy

import pytest
import torch
from torch.testing import assert_close
from unrolled.model import detach, nll
from unrolled.muon import Muon, maps_and_rest
from unrolled.nimble import Nimble, NimbleBlock, NimbleCore, SquaredReLU

V = 11


def shaken(model):
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.3)
    return model


def test_it_begins_by_giving_all_symbols_one_probability():
    logits, _ = Nimble(V, 12, 2, 2)(torch.randint(V, (2, 5)))
    assert logits.equal(torch.zeros(2, 5, V))


def test_a_layer_begins_as_no_layer():
    h, turn = torch.randn(2, 5, 12), torch.zeros(5, 3)
    assert NimbleBlock(12, 2)(h, turn=turn)[0].equal(h)


@torch.no_grad()
def test_pieces_are_the_whole_to_five_digits():
    model, x, state = shaken(Nimble(V, 12, 2, 2)), torch.randint(V, (3, 40)), None
    logits = []
    for piece in x.split([1, 17, 0, 9, 13], 1):
        out, state = model(piece, state)
        logits.append(out)
    assert_close(torch.cat(logits, 1), model(x)[0], rtol=1e-5, atol=1e-5)


def test_no_gradient_comes_from_the_future():
    core, a = shaken(NimbleCore(12, 2, 2)), torch.randn(1, 9, 12, requires_grad=True)
    (core(a)[0][:, 4] * torch.randn(12)).sum().backward()
    assert (a.grad.abs().sum((0, 2)) > 0).tolist() == [True] * 5 + [False] * 4


def test_the_share_alone_tells_what_came_before():
    """With values of the element itself only, the one before it is still seen through the share."""
    block, turn = shaken(NimbleBlock(12, 2)), torch.zeros(2, 3)
    h, other = torch.randn(1, 2, 12), torch.randn(1, 2, 12)
    other[:, 1] = h[:, 1]
    itself = torch.eye(2, dtype=torch.bool)
    seen = block(h, mask=itself, turn=turn)[0][:, 1] - block(other, mask=itself, turn=turn)[0][:, 1]
    with torch.no_grad():
        block.share.zero_()
    blind = block(h, mask=itself, turn=turn)[0][:, 1] - block(other, mask=itself, turn=turn)[0][:, 1]
    assert seen.abs().max() > 1e-3 and blind.abs().max() < 1e-6


def test_questions_and_keys_have_one_length():
    attention, turn = NimbleBlock(12, 2).attention, torch.randn(5, 3)
    q = attention.questions(100 * torch.randn(2, 5, 12), turn)
    assert_close(q.norm(dim=-1), torch.full((2, 2, 5), 6**0.5), rtol=1e-3, atol=0)


def test_squared_relu_and_its_gradient():
    mlp = shaken(SquaredReLU(3)).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert_close(mlp(x), ((x @ mlp.W_in.weight.T).clamp(min=0) ** 2) @ mlp.W_out.weight.T)
    assert torch.autograd.gradcheck(mlp, x)


def test_muon_takes_the_maps_and_adam_the_rest():
    model = Nimble(V, 12, 2, 2)
    maps, rest = maps_and_rest(model)
    assert len(maps) == 2 * 6 and all(model.vocab_size not in p.shape for p in maps)
    assert len(rest) == 2 * 3 + 3


def test_a_few_steps_of_muon_teach_it_to_look_back():
    model = Nimble(V, 32, 2, 4)
    optimiser = Muon(*maps_and_rest(model), adam_lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        bits = nll(model, torch.randint(V, (32, 3)).repeat(1, 4))
        bits.backward()
        optimiser.step()
    assert bits < 1.7  # guessing costs log2(11) = 3.5; knowing all but the first three, 0.63


def test_an_empty_piece_changes_nothing():
    model, none = Nimble(V, 12, 2, 2), torch.zeros(2, 0, dtype=torch.long)
    assert model(none)[0].shape == (2, 0, V) and model(none)[1] is None
    _, state = model(torch.ones(2, 3, dtype=torch.long))
    before = copy.deepcopy(detach(state))
    assert model(none, state)[1] is state
    model(torch.ones(2, 3, dtype=torch.long), state)
    assert all(a.equal(b) for one, two in zip(state, before) for a, b in zip(one, two))


@pytest.mark.parametrize("bad", [(0, 1, 1), (12, 0, 2), (10, 1, 4), (6, 1, 2)])
def test_bad_sizes_are_named(bad):
    with pytest.raises(ValueError, match="an even share of the width"):
        NimbleCore(*bad)
