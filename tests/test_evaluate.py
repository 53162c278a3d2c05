"""A score is the mean surprise, whatever the pieces; its protocol and its floor are part of it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled.evaluate import Score, evaluate
from unrolled.model import SequenceModel, nll
from unrolled.rnn import RNN

V = 5
MODEL = RNN(V, 12).double()
X = torch.randint(V, (700,), generator=torch.Generator().manual_seed(0))


class Fixed(SequenceModel):
    """The same distribution at every place."""

    def __init__(self, probs):
        super().__init__()
        self.vocab_size, self.logits = len(probs), torch.tensor(probs).log()

    def forward(self, x, state=None):
        return self.logits.expand(*x.shape, -1), state


@given(st.integers(1, 800), st.sampled_from([None, 1, 7, 64, 699, 5000]))
@settings(max_examples=40, deadline=None)
def test_the_chunk_changes_nothing(chunk, window):
    assert evaluate(MODEL, X, window=window, chunk=chunk).bits == pytest.approx(
        evaluate(MODEL, X, window=window, chunk=10_000).bits, abs=1e-9
    )


def test_carried_state_gives_the_loss_of_the_whole_text():
    assert evaluate(MODEL, X).bits == pytest.approx(nll(MODEL, X[None]).item(), abs=1e-9)


def test_windows_start_with_an_empty_state_and_score_each_token_once():
    score = evaluate(MODEL, X, window=64)
    pieces = [X[i : i + 65] for i in range(0, len(X) - 1, 64)]
    total = sum(nll(MODEL, p[None]).item() * (len(p) - 1) for p in pieces)
    assert score.tokens == len(X) - 1 == sum(len(p) - 1 for p in pieces)
    assert score.bits == pytest.approx(total / score.tokens, abs=1e-9)


def test_a_uniform_model_is_as_unsure_as_a_fair_die():
    score = evaluate(Fixed([1 / 6] * 6), torch.tensor([0, 1, 2, 3, 4, 5]))
    assert score.perplexity == pytest.approx(6) and score.tokens == 5


def test_an_impossible_token_costs_infinitely_many_bits():
    assert evaluate(Fixed([1.0, 0.0]), torch.tensor([0, 0, 1])).bits == math.inf


def test_the_gap_is_measured_from_the_floor():
    assert Score(2.5, 10, floor=2.0).gap == 0.5 and Score(2.5, 10).gap is None


def test_the_score_says_its_protocol():
    assert "state carried" in repr(evaluate(MODEL, X))
    assert "windows of 64" in repr(evaluate(MODEL, X, window=64))
    assert repr(Score(1.0, 2000, 0.25)) == (
        "1.000 bits per token (perplexity 2.00; floor 0.250, gap 0.750; 2,000 tokens, state carried)"
    )


def test_scoring_leaves_the_model_in_its_mode():
    model = RNN(V, 4).train()
    evaluate(model, X)
    assert model.training


@pytest.mark.parametrize("n", [0, 1])
def test_a_text_of_fewer_than_two_tokens_has_no_score(n):
    with pytest.raises(ValueError, match="two or more tokens"):
        evaluate(MODEL, X[:n])


def test_sizes_count_tokens():
    with pytest.raises(ValueError, match="chunk is 0"):
        evaluate(MODEL, X, chunk=0)
    with pytest.raises(ValueError, match="window is 0"):
        evaluate(MODEL, X, window=0)
