"""A probe reads what is there to be read, in any coordinates; a single unit needs the right ones."""

import pytest
import torch
from unrolled.probe import correlations, probe, rotation


def states(n=400, H=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    h = torch.randn(n, H, generator=g, dtype=torch.float64)
    return h, h[:, 2] + 0.1 * torch.randn(n, generator=g, dtype=torch.float64) > 0


def test_a_probe_finds_the_direction():
    h, y = states()
    p = probe(h, y)
    assert p.w.abs().argmax() == 2 and p.accuracy(*states(seed=1)) > 0.95


def test_without_a_ridge_it_is_least_squares():
    h, y = states(50)
    p = probe(h, y, ridge=0)
    ones = torch.cat([h, torch.ones(50, 1, dtype=torch.float64)], 1)
    best = torch.linalg.lstsq(ones, 2.0 * y[:, None].double() - 1).solution[:, 0]
    assert torch.allclose(torch.cat([p.w, p.b[None]]), best)


def test_what_is_not_there_is_not_read():
    h, _ = states()
    y = torch.randint(2, (400,), generator=torch.Generator().manual_seed(3)) == 1
    other, truth = states(seed=1)
    assert abs(probe(h, y).accuracy(other, truth) - 0.5) < 0.25


@pytest.mark.claim("O2", "O4")
def test_a_turn_of_the_space_moves_the_neuron_and_not_the_probe():
    (h, y), (new, _), R = states(), states(seed=1), rotation(6).double()
    straight, turned = probe(h, y, ridge=0), probe(h @ R.T, y, ridge=0)
    assert torch.allclose(straight(new), turned(new @ R.T))
    assert correlations(h, y).abs().max() > 0.75 > 0.65 > correlations(h @ R.T, y).abs().max()


def test_a_rotation_keeps_lengths_and_a_seed_keeps_the_rotation():
    R = rotation(9, seed=4)
    assert torch.allclose(R @ R.T, torch.eye(9), atol=1e-6) and torch.equal(R, rotation(9, seed=4))


def test_correlations_are_those_of_numpy_and_a_still_unit_has_none():
    h, y = states()
    h[:, 0] = 3.0
    expected = torch.corrcoef(torch.cat([h[:, 1:].T, y[None].double()]))[-1, :-1]
    assert torch.allclose(correlations(h, y)[1:], expected) and correlations(h, y)[0] == 0


def test_one_answer_alone_is_refused():
    with pytest.raises(ValueError, match="both kinds"):
        probe(torch.randn(4, 2), torch.ones(4, dtype=torch.bool))
