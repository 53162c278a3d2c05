"""Bad calls that torch takes silently, or refuses in a riddle, are refused in words (R16, R17, R18, R21)."""

import pytest
import torch
from test_law import ZOO, member, tokens
from unrolled import stories
from unrolled.attention import Multiplicative
from unrolled.canvas import Canvas
from unrolled.encoder_decoder import EncoderDecoder
from unrolled.evaluate import evaluate
from unrolled.generate import generate, greedy, sample
from unrolled.gru import GRUCore
from unrolled.lookback import LookBack
from unrolled.lstm import LSTM, LSTMCore
from unrolled.model import nll
from unrolled.ngram import NGram
from unrolled.policy import Memoryless
from unrolled.repetition import NoRepeat
from unrolled.rnn import RNN
from unrolled.seq2seq import Encoder, Seq2Seq
from unrolled.train import batches, streams
from unrolled.vocab import Vocab

pytestmark = pytest.mark.usefixtures("unchecked")  # as people without jaxtyping see it
KINDS = {name.split(",")[0]: name for name in reversed(ZOO)}  # one model of each kind is enough
LONG = torch.arange(100) % 7


def state_of(model, rows):
    return model(tokens(model, rows, 4, 0))[1]


BAD = {  # what is wrong: the call, and what its message says of argument and value
    "numbers with a point": (lambda m, x: m(x.float()), "x is torch.float32 of shape"),
    "yes and no": (lambda m, x: m(x > 1), "x is torch.bool of shape"),
    "one row without its batch": (lambda m, x: m(x[0]), r"x is torch.int64 of shape \(4,\)"),
    "an axis too many": (lambda m, x: m(x[None]), r"x is torch.int64 of shape \(1, 2, 4\)"),
    "an id past the vocabulary": (lambda m, x: m(x.fill_(m.vocab_size)), "ids from .* this model knows"),
    "a negative id": (lambda m, x: m(x.fill_(-1)), "ids from -1 to -1"),
    "a list": (lambda m, x: m(x.tolist()), "x is a list"),
    "short numbers": (lambda m, x: m(x.to(torch.int8)), r"x is torch.int8, .* call x.long\(\)"),
    "bytes": (lambda m, x: m(x.to(torch.uint8)), r"x is torch.uint8, .* call x.long\(\)"),
    "an array of numpy": (lambda m, x: m(x.numpy()), "x is a ndarray"),
    "a state of more rows": (lambda m, x: m(x, state_of(m, 3)), "state "),
    "a state of fewer rows": (lambda m, x: m(x, state_of(m, 1)), "state "),
    "two states for one row": (lambda m, x: m(x[:1], state_of(m, 2)), "state "),
    "a state that is a word": (lambda m, x: m(x, "hello"), "state is a str"),
}


@pytest.mark.parametrize("wrong", BAD)
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_model_refuses_in_words(kind, wrong):
    model = member(KINDS[kind])
    call, says = BAD[wrong]
    with pytest.raises(ValueError, match=says):
        call(model, tokens(model, 2, 4, 0))


def rnn():
    return RNN(7, 4)


def translator():
    return EncoderDecoder(7, 7, 4, 1, 1)


def looker():
    return Seq2Seq(Encoder(7, GRUCore(4, 4)), 7, GRUCore(4, 4), Multiplicative(4, 4))


def notes():
    return LookBack(Memoryless(4, 4))


OTHERS = {
    "a text with two axes": (lambda: batches(LONG.view(10, 10), 4, 2), "pass one text of shape"),
    "a window longer than the text": (lambda: batches(LONG, 101, 2), "need 102"),
    "more streams than text": (lambda: next(iter(streams(LONG, 90, 8))), "need 728"),
    "one token has no next one": (lambda: nll(rnn(), LONG[None, :1]), r"x has shape \(1, 1\): it takes"),
    "no rows have no mean": (lambda: nll(rnn(), LONG.view(20, 5)[:0]), r"x has shape \(0, 5\): it takes"),
    "a source without rows": (lambda: translator().start(LONG.view(20, 5)[:0]), r"source has shape \(0, 5\)"),
    "a word where a source was read": (lambda: translator()(LONG[None], "hello"), "state is a str"),
    "a word where it looks back": (lambda: looker()(LONG[None], "hello"), "state is a str"),
    "a source of more rows": (
        lambda: looker()(LONG[None], looker().start(LONG.view(20, 5))), "made for 20 rows: x has 1"),
    "a word where nothing repeats": (lambda: NoRepeat(rnn())(LONG[None], "hello"), "state is a str"),
    "one row's notes for three": (
        lambda: notes()(torch.zeros(3, 2, 4), notes()(torch.zeros(1, 2, 4))[1]), "made for 1 rows: x has 3"),
    "a drawing in one action": (lambda: Canvas(5, limit=1).reset(), "limit is 1: a target by chance takes 2"),
    "a score of nothing": (lambda: evaluate(rnn(), LONG[:1]), "two or more tokens"),
    "an empty corpus": (lambda: NGram(2, 7).fit(LONG[:0]), "nothing to count"),
    "an unknown letter": (lambda: Vocab.chars("abc").encode("abz"), "z"),
    "a model without symbols": (lambda: RNN(0, 4), "vocab_size=0"),
    "a state of no size": (lambda: LSTM(7, 0), "hidden"),
    "dropout that drops all": (lambda: LSTM(7, 4, 2, dropout=1.0), "dropout 1.0"),
    "vectors of another width": (lambda: GRUCore(5, 4)(torch.zeros(1, 2, 6)), "D = 5"),
    "a GRU's state for an LSTM": (
        lambda: LSTMCore(5, 4)(torch.zeros(1, 2, 5), GRUCore(5, 4)(torch.zeros(1, 2, 5))[1]), "state is a"),
    "a source that is no batch": (
        lambda: Seq2Seq(Encoder(7, LSTMCore(4, 4)), 7, LSTMCore(4, 4)).start(LONG), "x is torch.int64"),
    "a negative temperature": (lambda: sample(torch.zeros(1, 7), -1.0), "temperature is -1"),
    "a distribution of nan": (lambda: sample(torch.full((1, 7), torch.nan)), "nan"),
    "nothing possible": (lambda: sample(torch.full((1, 7), -torch.inf)), "impossible"),
    "an end that is no symbol": (
        lambda: generate(rnn(), LONG[None, :2], 3, stop=7), "stop is 7: expected one of the ids 0 to 6"),
    "fewer steps than none": (lambda: list(generate(rnn(), LONG[None, :2], -1)), "steps is -1"),
    "a text whose end is cut": (lambda: stories.floor("half a story"), "new line"),
}


@pytest.mark.parametrize("wrong", OTHERS)
def test_the_rest_of_the_library_refuses_in_words(wrong):
    call, says = OTHERS[wrong]
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_scores_give_the_loss_of_float64(size):
    model, x = RNN(7, 4), LONG[None, :20]
    with torch.no_grad():
        model.W_y.mul_(size)
    assert nll(model, x).isfinite()
    torch.testing.assert_close(nll(model, x).double(), nll(model.double(), x), rtol=1e-4, atol=0)


@pytest.mark.parametrize("temperature", [0, 1e-8])
def test_no_temperature_is_the_likeliest_symbol(temperature):
    logits = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) * 1e4
    assert torch.equal(sample(logits, temperature), greedy(logits))


def test_the_gradient_through_two_thousand_steps_is_a_number():
    x = LONG.repeat(21)[None, :2001]
    for model in (RNN(7, 8), LSTM(7, 8)):
        nll(model, x).backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())
