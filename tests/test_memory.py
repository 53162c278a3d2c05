"""The traveller's capital: who remembers is told from who guesses."""

import pytest
import torch
from unrolled import memory, stories
from unrolled.lstm import LSTM
from unrolled.ngram import NGram
from unrolled.vocab import Vocab

TEXT = stories.text(300, seed=1, lag=6)
WORDS, CHARS = Vocab.words(TEXT, unknown=True), Vocab.chars(TEXT)


@pytest.mark.filterwarnings("ignore:.*unknown here")
def test_the_grammar_itself_remembers_the_country():
    assert memory.capital_recall(stories.Oracle(WORDS, lag=6), WORDS, lag=6, n=10) > 0.999


def test_a_model_of_independent_words_guesses():
    model = NGram(1, len(WORDS)).fit(WORDS.encode(TEXT))
    assert 0.03 < memory.capital_recall(model, WORDS, lag=6, n=40) < 0.2


def test_shares_sum_to_one_over_options_of_any_length():
    model = NGram(3, len(CHARS)).fit(CHARS.encode(TEXT))
    shares = memory.choose(model, CHARS, "He took the train to", [" Paris", " Rome", "."])
    assert torch.isclose(shares.sum(), torch.tensor(1.0)) and len(shares) == 3


def test_bets_are_made_without_dropout_and_the_model_stays_as_it_was():
    torch.manual_seed(0)
    model = LSTM(len(WORDS), 16, 2, dropout=0.5).train()
    bets = [memory.choose(model, WORDS, "\n", [" Paris", " Rome", " Oslo Rome"]) for _ in range(2)]
    assert bets[0].equal(bets[1]) and all(part.training for part in model.modules())
    assert bets[0].equal(memory.choose(model.eval(), WORDS, "\n", [" Paris", " Rome", " Oslo Rome"]))


def test_an_option_is_scored_by_the_chain_rule():
    model = NGram(3, len(CHARS)).fit(CHARS.encode(TEXT))
    options = [" Rome", " Oslo"]
    whole = [model.log2_prob(CHARS.encode("train to" + o)[None])[0, -len(o) :].sum() for o in options]
    expected = torch.stack(whole).mul(torch.log(torch.tensor(2.0))).softmax(0)
    shares = memory.choose(model, CHARS, "train to", options)
    assert torch.allclose(shares.double(), expected.double(), atol=1e-5)
