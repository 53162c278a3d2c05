"""A model that does not repeat itself is a model of the law, and forbids exactly what it says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS
from torch.testing import assert_close
from unrolled.generate import generate, greedy, sample
from unrolled.model import SequenceModel
from unrolled.repetition import NoRepeat, penalise, repeats
from unrolled.rnn import RNN

V = 5


def slow_repeats(text, n):
    """The obvious way, for one text: what would repeat an n-gram after the whole of it."""
    grams = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    tail = text[len(text) - n + 1 :] if len(text) >= n - 1 else None
    return [tail is not None and (*tail, v) in grams for v in range(V)]


@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=14), st.integers(1, 4), st.integers(0, 14))
@settings(max_examples=150, deadline=None)
def test_an_ngram_is_forbidden_where_it_stood_before_and_nowhere_else(text, n, T):
    T = min(T, len(text))
    found = repeats(torch.tensor([text]), T, n, V)[0]
    ends = range(len(text) - T + 1, len(text) + 1)
    assert found.tolist() == [slow_repeats(text[:end], n) for end in ends]


@given(st.lists(st.integers(0, V - 1), min_size=1, max_size=9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_the_penalty_raises_the_probability_of_seen_symbols_to_a_power(text, T):
    T = min(T, len(text))
    logits = torch.randn(1, T, V, dtype=torch.float64)
    p, found = logits[0].softmax(-1), penalise(logits, torch.tensor([text]), 1.5)[0].exp()
    for t in range(T):
        seen = set(text[: len(text) - T + t + 1])
        expected = torch.stack([p[t, v] ** 1.5 if v in seen else p[t, v] for v in range(V)])
        assert_close(found[t], expected)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "settings", [{"penalty": 1.3}, {"ngram": 1}, {"ngram": 2}, {"penalty": 1.3, "ngram": 3}]
)
@torch.no_grad()
def test_it_obeys_the_law(settings, law):
    model = NoRepeat(RNN(V, 6), **settings)
    for T in (1, 2, 9):
        law(model, torch.randint(V, (3, T)), [0, 4])


def test_greedy_writing_falls_into_a_loop_and_is_kept_from_it():
    model = RNN(40, 8)
    loop, free = (
        generate(m, torch.tensor([[1]]), 60, greedy)[0].tolist() for m in (model, NoRepeat(model, ngram=2))
    )
    assert len(set(zip(loop, loop[1:]))) < 30 and len(set(zip(free, free[1:]))) == 60


def test_a_penalty_makes_repetition_rarer():
    def kinds(penalty):
        model, chance = NoRepeat(RNN(200, 8), penalty), torch.Generator().manual_seed(0)
        out = generate(model, torch.zeros(4, 1, dtype=torch.long), 80, lambda x: sample(x, generator=chance))
        return sum(len(row.unique()) for row in out)

    torch.manual_seed(0)
    plain = kinds(1.0)
    torch.manual_seed(0)
    assert kinds(3.0) > 1.1 * plain


def test_without_settings_nothing_changes():
    model, x = RNN(V, 6), torch.randint(V, (2, 7))
    assert NoRepeat(model)(x)[0].equal(model(x)[0])


def test_where_everything_would_repeat_nothing_is_forbidden():
    model = NoRepeat(RNN(2, 4), ngram=1)
    logits, _ = model(torch.tensor([[0, 1, 1]]))
    assert logits[0, 0].isneginf().tolist() == [True, False]
    assert logits[0, 1:].isfinite().all()


class Told(SequenceModel):
    """A model whose state is made beforehand."""

    vocab_size = 3

    def start(self, loud):
        return torch.full((1,), 5.0 if loud else 0.0)

    def forward(self, x, state):
        return state[:, None, None] * torch.eye(3)[x], state


def test_a_condition_reaches_the_model_inside():
    model = NoRepeat(Told(), ngram=3)
    logits, _ = model(torch.tensor([[2]]), model.start(True))
    assert logits[0, 0].tolist() == [0, 0, 5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"penalty": 0.9}, "penalty is 0.9"), ({"penalty": math.nan}, "nan"), ({"ngram": 0}, "ngram is 0")],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        NoRepeat(RNN(V, 4), **settings)
