"""A core that looks back is still a core: the law holds, and what is far away is found."""

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS
from unrolled.gru import GRUCore
from unrolled.lookback import LookBack, look_back
from unrolled.model import CoreModel
from unrolled.tasks import Recall
from unrolled.train import train


def model(V=7, hidden=6):
    torch.manual_seed(0)
    return CoreModel(V, LookBack(GRUCore(V, hidden), 4))


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=3))
def test_the_law_holds(law, cuts):
    law(model(), torch.randint(7, (3, 9), generator=torch.Generator().manual_seed(1)), cuts)


def test_looking_back_is_a_mean_of_what_was_written_down_so_far():
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 5, 3, generator=g, dtype=torch.float64) for _ in range(3))
    for b in range(2):
        for t in range(5):
            scores = torch.stack([q[b, t] @ k[b, s] for s in range(t + 1)]) / 3**0.5
            mean = sum(w * v[b, s] for s, w in enumerate(scores.softmax(0)))
            assert torch.allclose(look_back(q, k, v)[b, t], mean)


def test_with_values_of_zero_it_is_the_core_alone():
    core = LookBack(GRUCore(3, 4), 2)
    torch.nn.init.zeros_(core.W_v.weight)
    a = torch.randn(2, 6, 3)
    assert torch.equal(core(a)[0], core.core(a)[0])


def test_nothing_read_is_nothing_written_down():
    core = LookBack(GRUCore(3, 4), 2)
    h, state = core(torch.zeros(2, 0, 3))
    assert h.shape == (2, 0, 4) and state is None
    _, state = core(torch.zeros(2, 5, 3))
    assert core(torch.zeros(2, 0, 3), state)[1] is state
    assert state.keys.shape == (2, 5, 2) and state.values.shape == (2, 5, 4)


@pytest.mark.claim("O1")
def test_it_recalls_across_distances_that_it_was_not_trained_for():
    torch.manual_seed(0)
    task = Recall(12)
    remembering = CoreModel(task.vocab_size, LookBack(GRUCore(task.vocab_size, 16), 8))
    for _ in islice(train(remembering, task, lr=1e-2), 250):
        pass
    assert task.accuracy(remembering) > 0.95 and Recall(60).accuracy(remembering) > 0.9
