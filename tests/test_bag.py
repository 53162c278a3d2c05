"""The bag of words: a running sum, blind to order."""

import pytest
import torch
from unrolled.bag import Bag
from unrolled.model import nll


@pytest.fixture
def model():
    return Bag(vocab_size=7, hidden=5).double()


def test_the_state_is_the_sum_of_the_columns_of_what_was_read(model):
    x = torch.tensor([[3, 1, 3]])
    _, h = model(x)
    assert torch.allclose(h, (2 * model.W_x[:, 3] + model.W_x[:, 1])[None])


def test_logits_are_a_linear_view_of_the_sum(model):
    x = torch.tensor([[3, 1, 3]])
    logits, h = model(x)
    assert torch.allclose(logits[:, -1], h @ model.W_y.T + model.b_y)


def test_whole_is_in_pieces_is_one_by_one(model):
    x = torch.randint(7, (3, 20))
    whole, last = model(x)
    for size in (1, 3, 7):
        state, logits = None, []
        for piece in x.split(size, dim=1):
            y, state = model(piece, state)
            logits.append(y)
        assert torch.allclose(torch.cat(logits, 1), whole)
        assert torch.allclose(state, last)


def test_an_empty_piece_changes_nothing(model):
    _, state = model(torch.tensor([[1, 2]]))
    logits, same = model(torch.zeros(1, 0, dtype=torch.long), state)
    assert logits.shape == (1, 0, 7) and same is state


@pytest.mark.claim("D4")
def test_any_order_of_the_same_words_gives_the_same_prediction(model):
    x = torch.randint(7, (4, 12))
    shuffled = x[:, torch.randperm(12)]
    assert not torch.equal(x, shuffled)
    assert torch.allclose(model(x)[0][:, -1], model(shuffled)[0][:, -1])


def test_other_words_give_another_prediction(model):
    logits, _ = model(torch.tensor([[1, 2], [1, 3]]))
    assert not torch.allclose(logits[0, -1], logits[1, -1])


@pytest.mark.claim("D4")
def test_two_changed_words_do_not_interact(model):
    """The pairwise wish: the mixed difference of the prediction is exactly what each change does alone."""
    both, first, second, none = model(torch.tensor([[1, 2], [1, 3], [4, 2], [4, 3]]))[0][:, -1]
    assert torch.allclose(both - first - second + none, torch.zeros(7, dtype=torch.double), atol=1e-12)


def test_the_gradient_reaches_the_first_word_undiminished(model):
    x = torch.tensor([[0] + [1] * 30])
    model(x)[0][0, -1, 2].backward()
    assert torch.allclose(model.W_x.grad[:, 0] * 30, model.W_x.grad[:, 1])
    assert model.W_x.grad[:, 0].abs().min() > 0


def test_it_learns_which_letter_a_text_is_made_of():
    model = Bag(vocab_size=4, hidden=8)
    x = torch.arange(4)[:, None].expand(4, 9)  # aaaa..., bbbb..., one a row
    before = nll(model, x).item()
    for _ in range(100):
        loss = nll(model, x)
        for p, slope in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):
            p.data -= 0.3 * slope
    assert before > 1.5 and loss.item() < 0.1


@pytest.mark.parametrize("wrong", [7, -1])
def test_an_id_outside_the_vocabulary_is_named(model, wrong):
    with pytest.raises(ValueError, match=f"{wrong}.*knows 0 to 6"):
        model(torch.tensor([[0, wrong]]))


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Bag(vocab_size=0, hidden=3)
