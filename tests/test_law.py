"""One law for every model of the book, and proof that the law bites: models that leak must fail it."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS, whole_is_one_by_one
from unrolled import orders, scenes, stories
from unrolled.bag import Bag
from unrolled.gru import GRU, GRUCore
from unrolled.lstm import LSTM, LSTMCore
from unrolled.mixture import Mixture
from unrolled.neighbours import Neighbours
from unrolled.ngram import NGram
from unrolled.nimble import Nimble
from unrolled.pixelcnn import GatedPixelCNN, PixelCNN
from unrolled.pixelrnn import PixelDiagonalBiLSTM, PixelRowLSTM, PixelWalk
from unrolled.policy import Policy
from unrolled.rnn import RNN
from unrolled.ssm import SSM, Diagonal
from unrolled.train import batches, fit
from unrolled.transformer import Transformer
from unrolled.vocab import Vocab
from unrolled.wavenet import WaveNet

V = 7
TEXT = torch.randint(V, (600,), generator=torch.Generator().manual_seed(0))
TEXT = TEXT.sort().values.view(20, 30).T.flatten()  # something can be learned: the symbols mostly ascend
STORY = "\n" + stories.text(30, seed=1)
WORDS = Vocab.words(STORY)


def trained(model):
    fit(model, batches(TEXT, 16, 8), 30, lr=1e-2)
    return model


PAGE = (V - 1, (7, 7))  # pictures for the laws: six levels and start, room enough for two readings


def painted(model):
    """Trained on pictures, in which no pixel is start."""
    fit(model, batches(TEXT.clamp(max=V - 2), 16, 8), 30, lr=1e-2)
    return model


def ngram(n, smoothing):
    return lambda: NGram(n, V, smoothing=smoothing).fit(TEXT)


ZOO = {
    "rnn, random": lambda: RNN(V, 12),
    "rnn, trained": lambda: trained(RNN(V, 12)),
    "rnn without biases": lambda: RNN(V, 5, bias=False),
    "rnn, float64": lambda: RNN(V, 12).double(),
    "bag, random": lambda: Bag(V, 8),
    "bag, trained": lambda: trained(Bag(V, 8)),
    "bag, float64": lambda: Bag(V, 8).double(),
    "unigram": ngram(1, "kneser_ney"),
    "3-gram, add-alpha": ngram(3, "add_alpha"),
    "3-gram, kneser-ney": ngram(3, "kneser_ney"),
    "3-gram, modified kneser-ney": ngram(3, "modified_kneser_ney"),
    "3-gram, unsmoothed": ngram(3, "none"),
    "3-gram, float64": lambda: ngram(3, "kneser_ney")().double(),
    "8-gram": ngram(8, "kneser_ney"),
    "mixture": lambda: Mixture(trained(LSTM(V, 12)), ngram(3, "kneser_ney")(), 0.7),
    "oracle": lambda: stories.Oracle(WORDS),
    "lstm, random": lambda: LSTM(V, 12),
    "lstm, trained": lambda: trained(LSTM(V, 12)),
    "lstm, 2 layers": lambda: LSTM(V, 12, 2, dropout=0.5),
    "lstm, float64": lambda: LSTM(V, 12).double(),
    "lstm, bfloat16": lambda: trained(LSTM(V, 12)).bfloat16(),
    "lstm, fused": lambda: trained(LSTM(V, 12, 2, fused=True)),
    "gru, random": lambda: GRU(V, 12),
    "gru, trained": lambda: trained(GRU(V, 12)),
    "gru, 2 layers": lambda: GRU(V, 12, 2, dropout=0.5),
    "gru, float64": lambda: GRU(V, 12).double(),
    "gru, bfloat16": lambda: trained(GRU(V, 12)).bfloat16(),
    "gru, fused": lambda: trained(GRU(V, 12, 2, fused=True)),
    "wavenet, random": lambda: WaveNet(V, 4, 8, (1, 2, 4)),
    "wavenet, trained": lambda: trained(WaveNet(V, 4, 8, (1, 2, 4))),
    "wavenet, 3 taps": lambda: WaveNet(V, 4, 8, (1, 3), kernel=3),
    "wavenet, float64": lambda: WaveNet(V, 4, 8, (1, 2, 4)).double(),
    "wavenet, bfloat16": lambda: trained(WaveNet(V, 4, 8, (1, 2, 4))).bfloat16(),
    "transformer, random": lambda: Transformer(V, 12, 2, 2, 64),
    "transformer, trained": lambda: trained(Transformer(V, 12, 2, 2, 64)),
    "transformer, sinusoidal": lambda: trained(Transformer(V, 12, 1, 2, positions="sinusoidal")),
    "transformer, rotary": lambda: trained(Transformer(V, 12, 2, 2, positions="rotary")),
    "transformer, readable": lambda: trained(Transformer(V, 12, 1, 2, 64, fast=False)),
    "transformer, float64": lambda: Transformer(V, 12, 2, 2, positions="rotary").double(),
    "transformer, bfloat16": lambda: trained(Transformer(V, 12, 1, 2, 64, fast=False)).bfloat16(),
    "nimble transformer": lambda: trained(Nimble(V, 12, 1, 2)),
    "mingru, random": lambda: SSM(V, 12),
    "mingru, trained": lambda: trained(SSM(V, 12)),
    "mingru, float64": lambda: SSM(V, 12).double(),
    "mingru, bfloat16": lambda: trained(SSM(V, 12, 1)).bfloat16(),
    "diagonal, trained": lambda: trained(SSM(V, 12, 2, Diagonal)),
    "diagonal, float64": lambda: SSM(V, 12, 2, Diagonal).double(),
    "policy": lambda: Policy(GRUCore(5, 12), (V, 3), V),
    "policy, float64": lambda: Policy(LSTMCore(5, 12), V, V).double(),
    "policy, bfloat16": lambda: trained(Policy(GRUCore(5, 12), V, V)).bfloat16(),
    "pixelcnn, trained": lambda: painted(PixelCNN(*PAGE, 4, 2)),
    "pixelcnn, kernel 5, float64": lambda: PixelCNN(*PAGE, 4, 1, kernel=5).double(),
    "gated pixelcnn, trained": lambda: painted(GatedPixelCNN(*PAGE, 4, 2)),
    "gated pixelcnn, float64": lambda: GatedPixelCNN(*PAGE, 4, 2, reach=2).double(),
    "gated pixelcnn, bfloat16": lambda: painted(GatedPixelCNN(*PAGE, 4, 2)).bfloat16(),
    "row lstm, trained": lambda: painted(PixelRowLSTM(*PAGE, 4, 2)),
    "row lstm, float64": lambda: PixelRowLSTM(*PAGE, 4, 1).double(),
    "diagonal bilstm, trained": lambda: painted(PixelDiagonalBiLSTM(*PAGE, 4, 1)),
    "diagonal bilstm, float64": lambda: PixelDiagonalBiLSTM(*PAGE, 4, 1).double(),
    "lstm along a spiral": lambda: painted(PixelWalk(V - 1, orders.spiral(7, 7), LSTMCore(6, 8))),
    "table of neighbours": lambda: Neighbours(*PAGE, 2).fit(TEXT[:500].clamp(max=V - 2).view(10, 50)),
    "oracle of scenes": lambda: scenes.Oracle(),
}


@cache
@torch.enable_grad()
def member(name):
    torch.manual_seed(0)
    return ZOO[name]().eval()


def tokens(model, B, T, seed):
    """Rows that the model may meet: pieces of its own text, with one symbol in ten put there by chance."""
    text = TEXT if model.vocab_size == V else WORDS.encode(STORY)
    chance = torch.Generator().manual_seed(seed)
    x = text[torch.randint(len(text) - T, (B, 1), generator=chance) + torch.arange(T)]
    noise = torch.randint(model.vocab_size, x.shape, generator=chance)
    return torch.where(torch.rand(x.shape, generator=chance) < 0.1, noise, x)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ZOO)
@given(st.integers(1, 3), st.integers(1, 24), st.integers(0, 10**6), st.lists(st.integers(0, 24), max_size=4))
@settings(max_examples=12, deadline=None)
@torch.no_grad()
def test_every_model_obeys(law, name, B, T, seed, cuts):
    model = member(name)
    law(model, tokens(model, B, T, seed), cuts)


# ---- models that leak ------------------------------------------------------------------------------


class LooksAhead(RNN):
    """A mask that is wrong by one: the logits at t have seen x at t + 1."""

    def forward(self, x, state=None):
        logits, state = super().forward(x, state)
        return torch.cat([logits[:, 1:], logits[:, -1:]], 1), state


class MixesRows(RNN):
    """A normalisation over the batch."""

    def forward(self, x, state=None):
        logits, state = super().forward(x, state)
        return logits - logits.mean(0), state


class DropsToken(RNN):
    """A cache that misses the last token of each piece."""

    def forward(self, x, state=None):
        return super().forward(x, state)[0], super().forward(x[:, :-1], state)[1]


class ReadsMean(RNN):
    """A normalisation over time."""

    def forward(self, x, state=None):
        logits, state = super().forward(x, state)
        return logits - logits.mean(1, keepdim=True), state


class Forgets(RNN):
    """A model that takes the state and does not use it."""

    def forward(self, x, state=None):
        return super().forward(x)


class WritesInPlace(RNN):
    """A cache that is changed where it lies, for whoever else still holds it."""

    def forward(self, x, state=None):
        logits, new = super().forward(x, state)
        return logits, new.clone() if state is None else state.copy_(new)


LEAKS = {
    LooksAhead: {"whole_is_pieces", "whole_is_one_by_one", "the_future_is_unknown"},
    MixesRows: {"rows_are_strangers"},
    DropsToken: {"whole_is_pieces", "whole_is_one_by_one", "writing_is_reading"},
    ReadsMean: {"whole_is_pieces", "whole_is_one_by_one", "the_future_is_unknown"},
    Forgets: {"whole_is_pieces", "whole_is_one_by_one", "writing_is_reading"},
    WritesInPlace: {"states_are_not_touched"},
}


@torch.no_grad()
def broken(model):
    """The names of the laws that the model breaks."""
    x, names = tokens(model, 3, 12, seed=1), set()
    for law in LAWS:
        try:
            law(model, x, [5])
        except AssertionError:
            names.add(law.__name__)
    return names


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_leak_breaks_the_law(leak):
    assert broken(leak(V, 12).eval()) >= LEAKS[leak]


def test_without_a_leak_nothing_is_broken():
    assert broken(RNN(V, 12)) == set()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_no_law_is_idle(law):
    assert any(law.__name__ in names for names in LEAKS.values())


def test_a_thousand_steps_drift_no_further_than_the_tolerance():
    with torch.no_grad():
        whole_is_one_by_one(RNN(V, 64), torch.randint(V, (1, 1000)), [])
