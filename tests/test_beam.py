"""Beam search: greedy at one end, exhaustive at the other, with any model of the law and any state."""

import math
from itertools import product
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from unrolled import stories
from unrolled.beam import beam_search, coverage_penalty, gnmt_score, length_penalty
from unrolled.generate import generate, greedy
from unrolled.model import SequenceModel, nll, take_rows
from unrolled.ngram import NGram
from unrolled.repetition import NoRepeat
from unrolled.rnn import RNN
from unrolled.vocab import Vocab

V, STOP = 4, 0
PROMPT = torch.tensor([[1, 2], [3, 3]])


def sharp(seed=0, vocab=V):
    """A random model with opinions: its logits differ enough for greedy to be wrong."""
    torch.manual_seed(seed)
    model = RNN(vocab, 8)
    with torch.no_grad():
        model.W_y *= 4
    return model


def log_prob(model, prompt, written):
    x = torch.cat([prompt, torch.tensor(written)])[None]
    log_p = model(x[:, :-1])[0].log_softmax(-1).gather(-1, x[:, 1:, None])[0, :, 0]
    return log_p[len(prompt) - 1 :].sum().item()


def texts(steps):
    """Every text of so many symbols, or fewer that end with STOP."""
    full = [t for t in product(range(V), repeat=steps) if STOP not in t[:-1]]
    return full + [(*t, STOP) for n in range(steps - 1) for t in product(range(1, V), repeat=n)]


def ended(written):
    """Without what fills up a finished text."""
    written = written.tolist()
    return tuple(written[: written.index(STOP) + 1] if STOP in written else written)


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_beam_of_one_is_greedy(seed, stops):
    model, stop = sharp(seed), STOP if stops else None
    found = beam_search(model, PROMPT, 7, 1, stop=stop)
    assert found.tokens[:, 0].equal(generate(model, PROMPT, 7, greedy, stop=stop))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.6, 1.0, 2.0]))
@settings(max_examples=12, deadline=None)
def test_a_beam_that_holds_all_texts_is_exhaustive(seed, alpha):
    model, every = sharp(seed).double(), texts(3)
    found = beam_search(model, PROMPT, 3, len(every) + 3, stop=STOP, alpha=alpha)
    for row, prompt in enumerate(PROMPT):
        truth = {t: log_prob(model, prompt, t) for t in every}
        ours = [ended(t) for t in found.tokens[row, : len(every), 2:]]
        assert set(ours) == set(every)
        scores = torch.tensor([truth[t] / length_penalty(len(t), alpha) for t in ours], dtype=torch.float64)
        assert_close(found.scores[row, : len(every)], scores)
        assert scores.equal(scores.sort(descending=True).values)
    assert found.scores[:, len(every) :].isneginf().all()


@given(st.integers(0, 10**6), st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_the_log_probability_is_that_of_the_text_returned(seed, width):
    model = sharp(seed).double()
    found = beam_search(model, PROMPT, 6, width, stop=STOP)
    for row, prompt in enumerate(PROMPT):
        for tokens, log_p in zip(found.tokens[row], found.log_probs[row]):
            assert log_p == pytest.approx(log_prob(model, prompt, ended(tokens[2:])), abs=1e-9)


class Chain(SequenceModel):
    """What comes next depends on the last symbol only: rows of P."""

    def __init__(self, P):
        super().__init__()
        self.P, self.vocab_size = torch.tensor(P), len(P)

    def forward(self, x, state=None):
        return self.P[x].log(), None


def best_p(model, steps, width):
    return beam_search(model, torch.tensor([[0]]), steps, width).log_probs[0, 0].exp().item()


def test_a_beam_finds_what_greedy_misses_if_it_is_wide_enough():
    dull = [0.0, 1 / 3, 1 / 3, 1 / 3]
    model = Chain([[0.0, 0.4, 0.35, 0.25], dull, dull, [0.0, 0.0, 0.0, 1.0]])  # the third leads to the best
    best = [best_p(model, 2, width) for width in (1, 2, 3)]
    assert best == pytest.approx([0.4 / 3, 0.4 / 3, 0.25])


def test_a_beam_can_find_less_than_greedy():
    fifth = [0.2] * 5 + [0.0] * 3
    after_a, after_b = [0.0, 0, 0, 0.35, 0, 0, 0.33, 0.32], [0.0, 0, 0, 0.1, 0.45, 0.45, 0, 0]
    after_3, start = [0.0] * 6 + [1.0, 0.0], [0.0, 0.5, 0.45, 0, 0, 0, 0, 0.05]
    model = Chain([start, after_a, after_b, after_3, fifth, fifth, fifth, fifth])
    best = [best_p(model, 3, width) for width in (1, 2)]
    assert best == pytest.approx([0.5 * 0.35, 0.45 * 0.45 * 0.2])


def test_the_texts_of_a_beam_are_all_different_and_sorted():
    found = beam_search(sharp(3), PROMPT, 6, 12)
    assert all(len({tuple(t.tolist()) for t in row}) == 12 for row in found.tokens)
    assert found.scores.equal(found.scores.sort(descending=True).values)


def test_rows_of_a_batch_are_searched_as_if_alone():
    model, prompts = sharp(5), torch.randint(V, (6, 3))
    together = beam_search(model, prompts, 9, 4, stop=STOP)
    for row, prompt in enumerate(prompts):
        alone = beam_search(model, prompt[None], 9, 4, stop=STOP)
        N = alone.tokens.shape[-1]  # alone it may end sooner
        assert together.tokens[row, :, :N].equal(alone.tokens[0])
        assert (together.tokens[row, :, N:] == STOP).all()
        assert_close(together.scores[row], alone.scores[0])


def test_after_stop_a_text_holds_only_stop_and_the_search_ends_when_all_have():
    model = RNN(V, 8)
    with torch.no_grad():
        model.b_y[STOP] = 5
    found = beam_search(model, PROMPT, 500, 3, stop=STOP).tokens[..., 2:]
    assert found.shape[-1] < 100 and (found[..., -1] == STOP).all()
    assert ((found == STOP).long().cummax(-1).values == (found == STOP).long()).all()


def test_the_search_goes_on_from_a_state():
    model, x = sharp(7), torch.randint(V, (2, 9))
    later = beam_search(model, x[:, 6:], 5, 4, state=model(x[:, :6])[1])
    assert_close(later.scores, beam_search(model, x, 5, 4).scores)


def test_a_count_based_model_is_searched_like_any_other():
    text = torch.randint(V, (300,))
    model = NGram(3, V, smoothing="kneser_ney").fit(text)
    found = beam_search(model, PROMPT, 3, 64)
    ours = {tuple(t.tolist()): p.item() for t, p in zip(found.tokens[0, :, 2:], found.log_probs[0])}
    truth = {t: log_prob(model, PROMPT[0], t) for t in product(range(V), repeat=3)}
    assert ours == pytest.approx(truth, abs=1e-5)


def test_a_beam_needs_no_symbol_to_be_possible_where_the_text_is_finished():
    model = Chain([[0.0] * 4] + [[0.25] * 4] * 3)
    assert beam_search(model, PROMPT, 5, 6, stop=STOP).scores.isfinite().all()


# ---- the state, by rows


class Parts(NamedTuple):
    cache: tuple
    place: int
    clock: torch.Tensor


def test_a_state_of_any_make_is_taken_by_rows():
    h = torch.arange(6).view(3, 2)
    state = Parts((h, [h + 10, None]), 7, torch.tensor(5))
    taken = take_rows(state, torch.tensor([2, 0, 0, 2]), 3)
    assert type(taken) is Parts and (taken.place, int(taken.clock)) == (7, 5)
    assert taken.cache[0].tolist() == [[4, 5], [0, 1], [0, 1], [4, 5]]
    assert taken.cache[1][0].equal(taken.cache[0] + 10) and taken.cache[1][1] is None


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (torch.zeros(2, 3), r"shape \(2, 3\).*batch of 3"),
        (({"France": 0.5},) * 3, "state holds float"),
        ("h", "state holds str"),
    ],
)
def test_a_state_without_rows_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        take_rows(state, torch.tensor([0]), 3)


def test_the_oracle_of_the_stories_says_that_its_beliefs_have_no_rows():
    text = "\n" + stories.text(3)
    vocab = Vocab.words(text)
    with pytest.raises(ValueError, match="state holds float: expected tensors whose first axis"):
        beam_search(stories.Oracle(vocab), vocab.encode("\n")[None], 3)


# ---- GNMT's score


def test_the_length_penalty_is_gnmts():
    assert length_penalty(1, 0.7) == 1 and length_penalty(13, 0.5) == pytest.approx(math.sqrt(3))
    assert length_penalty(7, 0) == 1


def test_the_coverage_penalty_is_gnmts():
    attention = torch.tensor([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]])  # two target symbols, three of the source
    expected = 0.2 * (0 + math.log(0.2) + math.log(0.1))
    assert coverage_penalty(attention.sum(0), 0.2).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_symbol_without_any_attention_costs_much_but_not_all(dtype):
    none, some = coverage_penalty(torch.tensor([[0.0, 1.0], [1e-3, 1.0]], dtype=dtype), 0.2)
    assert none.isfinite() and none < some
    assert coverage_penalty(torch.zeros(2, dtype=dtype), 0.2) < none  # two such symbols cost more


def test_a_longer_text_wins_when_length_is_paid_for():
    start, last = [0.55, 0.0, 0.45, 0.0], [1.0, 0.0, 0.0, 0.0]  # stop at once, or write two more
    model = Chain([last, start, [0.0, 0.0, 0.0, 1.0], last])
    best = [beam_search(model, torch.tensor([[1]]), 6, 4, stop=STOP, alpha=a) for a in (0.0, 2.0)]
    assert [ended(found.tokens[0, 0, 1:]) for found in best] == [(STOP,), (2, 3, STOP)]


class Covered(NamedTuple):
    h: torch.Tensor
    coverage: torch.Tensor


class Reader(SequenceModel):
    """Two ways to write, equally likely: 1 looks at the first half of the source only, 2 at all of it."""

    vocab_size = 3

    def forward(self, x, state):
        look = torch.tensor([[0.25, 0.25], [0.5, 0.0], [0.25, 0.25]])[x]
        coverage = (state.coverage[:, None] + look.cumsum(1)).clamp(1e-3)
        p = torch.tensor([0.0, 0.5, 0.5]).log().expand(*x.shape, 3)
        return p, Covered(state.h, coverage[:, -1] if x.shape[1] else state.coverage)


def test_beta_prefers_the_text_that_looked_at_all_of_the_source():
    start = Covered(torch.zeros(1, 1), torch.zeros(1, 2))
    found = beam_search(Reader(), torch.tensor([[0]]), 4, 16, state=start, beta=0.2)
    best, worst = found.tokens[0, 0, 1:-1], found.tokens[0, -1, 1:-1]
    assert (best == 2).all() and (worst == 1).all()
    assert found.log_probs.unique().numel() == 1


def test_beta_without_coverage_is_refused():
    with pytest.raises(ValueError, match="beta is 0.2: it takes a state with coverage"):
        beam_search(sharp(), PROMPT, 3, beta=0.2)


def test_alpha_zero_is_the_plain_log_probability():
    log_probs = torch.randn(2, 3)
    assert gnmt_score(log_probs, 9, None, alpha=0).equal(log_probs)


# ---- without repeating


def test_a_beam_obeys_a_model_that_does_not_repeat():
    found = beam_search(NoRepeat(sharp(2, vocab=9), ngram=2), PROMPT, 12, 4)
    for text in found.tokens.flatten(0, 1).tolist():
        pairs = list(zip(text, text[1:]))
        assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("settings", [{"width": 0}, {"stop": V}, {"stop": -1}, {"steps": 0}])
def test_bad_settings_are_named(settings):
    name = next(iter(settings))
    with pytest.raises(ValueError, match=f"{name} is {settings[name]}"):
        beam_search(sharp(), PROMPT, **{"steps": 3, **settings})


def test_logits_without_a_meaning_are_refused():
    with pytest.raises(ValueError, match="nan or inf"):
        beam_search(Chain([[-1.0] * 4] * 4), PROMPT, 3)  # the logarithm of -1 is nan


def test_the_search_leaves_the_model_as_it_was_and_without_a_graph():
    model = sharp().train()
    assert not beam_search(model, PROMPT, 3).scores.requires_grad and model.training


def test_the_log_probability_is_the_surprise_that_nll_measures():
    model = sharp(9).double()
    found = beam_search(model, PROMPT[:1], 5, 4)
    bits = nll(model, found.tokens[0, :1, 1:], model(PROMPT[:1, :1])[1])  # the last prompt symbol is given
    assert bits.item() * 5 * math.log(2) == pytest.approx(-found.log_probs[0, 0].item())
