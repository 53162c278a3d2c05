"""The ground floor: clear words for bad input, and a model around any core."""

import pytest
import torch
from laws import LAWS
from unrolled.model import Core, CoreModel, check_tokens, device_of, in_float64, reading


class RunningSum(Core):
    """The simplest core with a memory: h_t is the sum of all that was read."""

    inputs = hidden = 5

    def forward(self, a, state=None):
        h = a.cumsum(1) + (0 if state is None else state[:, None])
        return h, h[:, -1] if a.shape[1] else state


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_lawful_core_makes_a_lawful_model(law):
    with torch.no_grad():
        law(CoreModel(7, RunningSum()), torch.randint(7, (3, 12)), [5])


@pytest.mark.parametrize("x, says", [
    (torch.zeros(2, 3), "torch.float32 of shape \\(2, 3\\): pass whole numbers"),
    (torch.zeros(3, dtype=torch.long), "shape \\(3,\\)"),
    (torch.zeros(2, 3, dtype=torch.bool), "torch.bool"),
    (torch.tensor([[0, 7]]), "ids from 0 to 7: this model knows 0 to 6"),
    (torch.tensor([[-1, 2]]), "ids from -1 to 2"),
])
def test_bad_tokens_are_named(x, says):
    with pytest.raises(ValueError, match=says):
        check_tokens(x, 7)


def test_the_device_is_that_of_the_numbers_a_model_has():
    assert device_of(torch.nn.Linear(2, 2, device="meta")).type == "meta"
    assert device_of(torch.nn.BatchNorm1d(2, affine=False, device="meta")).type == "meta"
    assert device_of(torch.nn.ReLU()).type == "cpu"


def test_float64_is_taken_where_there_is_some():
    x = torch.rand(3)
    assert in_float64(x).dtype == torch.float64 and in_float64(x).float().equal(x)


def test_nothing_to_read_is_fine():
    check_tokens(torch.zeros(1, 0, dtype=torch.long), 7)


@pytest.mark.parametrize("fails", [False, True])
def test_reading_switches_dropout_off_and_leaves_each_part_as_it_was(fails):
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Dropout(0.5))
    model[1].eval()  # frozen by its owner
    with pytest.raises(ZeroDivisionError) if fails else reading(model):
        with reading(model):
            assert not any(part.training for part in model.modules())
            assert model(torch.ones(9)).sum() == 9 / (0 if fails else 1)
    assert [part.training for part in model.modules()] == [True, True, False]
