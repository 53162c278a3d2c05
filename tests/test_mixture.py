"""Two models as one: never worse than the weighted mean of their surprises, and honest about bad calls."""

import pytest
import torch
from unrolled.evaluate import evaluate
from unrolled.generate import generate, greedy
from unrolled.mixture import Mixture
from unrolled.ngram import NGram
from unrolled.rnn import RNN

TEXT = torch.tensor([0, 1, 2, 0, 1, 3] * 30)


def bigram():
    return NGram(2, 4).fit(TEXT)


def test_probabilities_are_mixed_not_logits():
    first, second = RNN(4, 5), bigram()
    p, q, both = (m(TEXT[None, :9])[0].softmax(-1) for m in (first, second, Mixture(first, second, 0.75)))
    assert torch.allclose(both, 0.75 * p + 0.25 * q, atol=1e-6)
    assert torch.allclose(both.sum(-1), torch.ones(1, 9), atol=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_its_surprise_is_at_most_the_mean_of_theirs(weight):
    first, second = RNN(4, 5), bigram()
    alone = [evaluate(m, TEXT).bits for m in (first, second)]
    assert evaluate(Mixture(first, second, weight), TEXT).bits <= weight * alone[0] + (1 - weight) * alone[1]


def test_a_symbol_that_one_model_excludes_keeps_the_other_models_share():
    sure = NGram(2, 4, "none").fit(TEXT)
    logits, _ = Mixture(RNN(4, 5), sure, 0.5)(torch.tensor([[0]]))  # after 0 always came 1
    assert logits.isfinite().all() and logits.softmax(-1)[0, 0, 1] > 0.5


def test_it_writes_like_any_model():
    assert generate(Mixture(RNN(4, 5), bigram()), TEXT[None, :2], 6, greedy).shape == (1, 8)


def test_models_of_different_vocabularies_are_refused():
    with pytest.raises(ValueError, match="know 4 and 5 symbols"):
        Mixture(bigram(), RNN(5, 3))


@pytest.mark.parametrize("weight", [0.0, 1.0, -1.0, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Mixture(bigram(), RNN(4, 3), weight)
