"""One sampler for all models: it draws what it says, never a nan, and reads everything just once."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from unrolled.generate import (
    continuation,
    generate,
    greedy,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    sample,
    write,
)
from unrolled.model import SequenceModel
from unrolled.rnn import RNN
from unrolled.vocab import Vocab

V = 6
inf = float("inf")


class Adder(SequenceModel):
    """Sure of one symbol, one more than the sum of all that it has read: nothing may get lost."""

    vocab_size = V

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(100.0))

    def forward(self, x, state=None):
        total = x.cumsum(1) + (0 if state is None else state)
        return self.scale * torch.nn.functional.one_hot((total + 1) % V, V), total[:, -1:]


def slow_greedy(model, prompt, steps):
    """The obvious way: read everything again for each symbol."""
    x = prompt
    for _ in range(steps):
        x = torch.cat([x, model(x)[0][:, -1:].argmax(-1)], 1)
    return x


def frequencies(logits, n=20_000, **settings):
    draws = sample(torch.tensor(logits).expand(n, -1), generator=torch.Generator().manual_seed(1), **settings)
    return draws.bincount(minlength=len(logits)) / n


@pytest.mark.parametrize("make", [lambda: RNN(V, 16), Adder], ids=["rnn", "adder"])
def test_fast_writing_equals_slow_writing_to_the_token(make):
    model, prompt = make(), torch.randint(V, (3, 7))
    assert generate(model, prompt, 40, greedy).equal(slow_greedy(model, prompt, 40))


def test_a_prompt_longer_than_a_piece_reads_the_same():
    model, prompt = Adder(), torch.randint(V, (1, 1100))
    assert generate(model, prompt, 5, greedy).equal(slow_greedy(model, prompt, 5))


def test_the_prompt_is_read_once_and_then_one_symbol_at_a_time():
    model, lengths = RNN(V, 8), []
    model.register_forward_pre_hook(lambda m, args: lengths.append(args[0].shape[1]))
    generate(model, torch.zeros(2, 9, dtype=torch.long), 4)
    assert lengths == [9, 1, 1, 1]


def test_a_state_continues_what_was_read_before():
    model, x = Adder(), torch.randint(V, (2, 10))
    state = model(x[:, :6])[1]
    later = generate(model, x[:, 6:], 8, greedy, state=state)
    assert later[:, 4:].equal(generate(model, x, 8, greedy)[:, 10:])


def test_continuation_is_the_endless_part_of_generate():
    model, prompt = RNN(V, 8), torch.randint(V, (2, 3))
    taken = [x for x, _ in zip(continuation(model, prompt, greedy), range(5))]
    assert torch.stack(taken, 1).equal(generate(model, prompt, 5, greedy)[:, 3:])


def test_after_stop_a_row_holds_only_stop_and_writing_ends_when_all_rows_have():
    rows = iter([[1, 2], [0, 3], [4, 0], [5, 5]])
    out = generate(RNN(V, 4), torch.full((2, 1), 3), 50, lambda logits: torch.tensor(next(rows)), stop=0)
    assert out.tolist() == [[3, 1, 0, 0], [3, 2, 3, 0]]


def test_writing_leaves_the_model_as_it_was_and_without_a_graph():
    model = RNN(V, 4).train()
    assert not generate(model, torch.zeros(1, 1, dtype=torch.long), 3).requires_grad and model.training


def test_draws_have_the_frequencies_of_the_softmax():
    logits = [2.0, 1.0, 0.0, -inf]
    assert_close(frequencies(logits), torch.tensor(logits).softmax(-1), atol=0.015, rtol=0)


def test_temperature_divides_the_logits():
    expected = torch.tensor([4.0, 2.0, 0.0]).softmax(-1)
    assert_close(frequencies([2.0, 1.0, 0.0], temperature=0.5), expected, atol=0.015, rtol=0)


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-45, 1e-8])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tiny_temperatures_are_greedy(temperature, dtype):
    logits = torch.tensor([[1.0, 3.0, -inf], [-1e4, -2e4, 1e4]]).to(dtype)
    assert sample(logits, temperature).tolist() == [1, 2]


@given(st.integers(1, 12), st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_top_k_keeps_exactly_k_and_of_equals_the_first(k, values):
    kept = keep_top_k(torch.tensor([values]), k)[0] > -inf
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert kept.nonzero().flatten().tolist() == sorted(order[:k])


@given(st.floats(0.01, 1), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_top_p_keeps_the_smallest_set_with_enough_mass(p, seed):
    logits = torch.randn(1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3
    kept, probs = keep_top_p(logits, p)[0] > -inf, logits[0].softmax(-1)
    mass = probs[kept].sum()
    assert mass >= p - 1e-12 and mass - probs[kept].min() < p + 1e-12
    assert probs[kept].min() >= probs[~kept].max() if (~kept).any() else True


def test_top_p_of_exact_halves():
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]], dtype=torch.float64).log()
    counts = [int((keep_top_p(logits, p) > -inf).sum()) for p in (1e-9, 0.5, 0.75, 0.76, 1.0)]
    assert counts == [1, 1, 2, 3, 4]


@given(st.floats(0.01, 1), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_min_p_keeps_what_is_at_least_so_many_times_as_likely_as_the_likeliest(p, seed):
    logits = torch.randn(1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3
    probs = logits[0].softmax(-1)
    assert (keep_min_p(logits, p)[0] > -inf).equal(probs >= p * probs.max() * (1 - 1e-12))


def test_min_p_of_exact_halves():
    logits = torch.tensor([[4.0, 2.0, 1.0, 1.0]], dtype=torch.float64).log()
    assert [int((keep_min_p(logits, p) > -inf).sum()) for p in (0.2, 0.25, 0.3, 0.6, 1.0)] == [4, 4, 2, 1, 1]


def test_each_row_has_its_own_likeliest_symbol():
    kept = keep_min_p(torch.tensor([[0.0, -0.5, -9.0], [-50.0, -50.5, -59.0]]), 0.5).isfinite()
    assert kept.tolist() == [[True, True, False]] * 2


def test_symbols_below_min_p_are_never_drawn():
    drawn = frequencies([0.0, 1.0, 2.0, 3.0], min_p=0.2)
    assert drawn[:2].sum() == 0 and drawn[2] > 0.2


def test_top_k_acts_before_top_p():
    assert frequencies([1.0, 1.0, 1.0, 1.0], top_k=2, top_p=0.5).tolist() == [1.0, 0, 0, 0]


def test_symbols_that_are_left_out_are_never_drawn():
    assert frequencies([0.0, 1.0, 2.0, 3.0], top_k=2)[:2].sum() == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"min_p": 0.0}, "min_p is 0.0"),
        ({"min_p": 2}, "min_p is 2"),
    ],
)
def test_bad_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        sample(torch.zeros(1, 3), **setting)


@pytest.mark.parametrize("bad", [[float("nan"), 0.0], [inf, 0.0], [-inf, -inf]])
@pytest.mark.parametrize("other", [[], [[0.0, 0.0]]], ids=["alone", "beside a good row"])
def test_logits_without_a_meaning_are_refused(bad, other):
    with pytest.raises(ValueError, match="nan or inf, or a row where every symbol is impossible"):
        sample(torch.tensor([*other, bad]))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), "prompt is empty"),
        (torch.tensor([[0, V]]), "holds ids from 0 to 6: the model knows 0 to 5"),
        (torch.tensor([[-1]]), "ids from -1"),
        (torch.zeros(4, dtype=torch.long), r"shape \(4,\): pass token ids of shape \(B, T\)"),
        (torch.zeros(1, 4), "float32"),
    ],
)
def test_bad_prompts_are_named(prompt, message, unchecked):
    with pytest.raises(ValueError, match=message):
        generate(RNN(V, 4), prompt, 3)


@pytest.mark.parametrize(("steps", "stop", "message"), [
    (-1, None, "steps is -1: expected 0 or more"), (3, V, "stop is 6: expected one of the ids 0 to 5"),
    (3, -1, "stop is -1: expected one of the ids 0 to 5"),
])  # fmt: skip
def test_bad_ends_are_named(steps, stop, message):
    with pytest.raises(ValueError, match=message):
        generate(RNN(V, 4), torch.zeros(1, 2, dtype=torch.long), steps, stop=stop)


def test_no_steps_are_fine_and_so_is_the_last_symbol_as_stop():
    prompt = torch.zeros(1, 2, dtype=torch.long)
    assert generate(RNN(V, 4), prompt, 0).equal(prompt)
    assert generate(Adder(), torch.tensor([[0, 4]]), 9, stop=V - 1).tolist() == [[0, 4, 5]]


def test_write_begins_a_story_of_200_symbols_with_seed_0_if_nothing_else_is_said():
    vocab, model = Vocab.chars("ab\n"), RNN(3, 8)
    text = write(model, vocab)
    assert len(text) == 201 and text == write(model, vocab, "\n", 200, 0)


def test_write_hands_the_settings_of_the_draw_on():
    vocab, model = Vocab.chars("abc"), RNN(3, 8)
    likeliest = generate(model, vocab.encode("ab")[None], 20, greedy)[0]
    assert write(model, vocab, "ab", 20, temperature=0) == vocab.decode(likeliest)


def test_write_gives_back_plain_text_that_begins_with_the_prompt():
    vocab = Vocab.chars("<b>&\n")
    text = write(RNN(len(vocab), 8), vocab, "<b>", steps=30, seed=3, temperature=2.0)
    assert text.startswith("<b>") and len(text) == 33 and set(text) <= set("<b>&\n")


def test_the_same_seed_writes_the_same_text_whatever_was_drawn_before():
    vocab = Vocab.chars("abc")
    draw = partial(write, RNN(3, 8), vocab, "a", steps=50)
    first, _ = draw(seed=1), torch.rand(7)
    assert draw(seed=1) == first != draw(seed=2)


def test_write_ends_with_stop():
    vocab = Vocab.chars("ab\n")
    text = write(RNN(3, 8), vocab, "a", steps=500, stop="\n")
    assert text.endswith("\n") and text.count("\n") == 1


def test_write_names_an_empty_prompt_and_an_unknown_symbol():
    vocab = Vocab.chars("ab")
    with pytest.raises(ValueError, match="begins a story"):
        write(RNN(2, 4), vocab, "")
    with pytest.raises(ValueError, match="🐍"):
        write(RNN(2, 4), vocab, "a🐍")
