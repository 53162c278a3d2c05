"""The fast writer is the model: its logits, its greedy text, its chances, from any state on."""

import pytest
import torch
from torch.testing import assert_close
from unrolled.generate import generate, greedy
from unrolled.gru import GRU
from unrolled.lstm import LSTM
from unrolled.lstm_fast import Writer, fast_generate

V, H = 7, 12
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_writer_has_the_logits_of_the_model(layers, dtype):
    model, x = LSTM(V, H, layers).to(dtype), torch.randint(V, (1, 30))
    logits, _ = model(x)
    for start in (0, 11):
        state = model(x[:, :start])[1]
        writer = Writer(model, state)
        ours = torch.stack([torch.from_numpy(writer.read(int(symbol)).copy()) for symbol in x[0, start:]])
        assert_close(ours, logits[0, start:], rtol=0, atol=TOLERANCE[dtype])


def test_half_precision_is_read_as_single():
    model = LSTM(V, H).bfloat16()
    logits = torch.from_numpy(Writer(model).read(3))
    assert_close(logits, model(torch.tensor([[3]]))[0][0, 0].float(), rtol=0, atol=0.02)


@pytest.mark.parametrize("length", [1, 9])
def test_greedy_writing_is_that_of_generate(length):
    model, prompt = LSTM(V, H, 2, dropout=0.5), torch.randint(V, (1, length))
    assert fast_generate(model, prompt, 60, 0).equal(generate(model, prompt, 60, greedy))
    assert model.training


def test_writing_goes_on_from_a_state_and_leaves_it_alone():
    model, x = LSTM(V, H, 2).double(), torch.randint(V, (1, 9))
    state = model(x[:, :5])[1]
    before = [part.clone() for part in state]
    whole = fast_generate(model, x, 30, 0)
    assert fast_generate(model, x[:, 5:], 30, 0, state=state).equal(whole[:, 5:])
    assert all(part.equal(was) for part, was in zip(state, before))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_symbols_have_the_frequencies_of_the_softmax(temperature):
    model = LSTM(V, H)
    with torch.no_grad():
        model.W_y.weight.zero_()  # so the logits are always the bias
        model.W_y.bias.copy_(torch.linspace(-1, 1, V))
    drawn = fast_generate(model, torch.zeros(1, 1, dtype=torch.long), 20_000, temperature)[0, 1:]
    expected = (model.W_y.bias / temperature).softmax(-1)
    assert_close(drawn.bincount(minlength=V) / len(drawn), expected.detach(), rtol=0, atol=0.015)


def test_the_same_seed_writes_the_same():
    model, prompt = LSTM(V, H), torch.zeros(1, 1, dtype=torch.long)
    first, again, other = (fast_generate(model, prompt, 50, seed=seed) for seed in (1, 1, 2))
    assert first.equal(again) and not first.equal(other)


@pytest.mark.parametrize(("shape", "steps", "temperature"), [
    ((2, 1), 3, 1),
    ((1, 0), 3, 1),
    ((1, 1), -1, 1),
    ((1, 1), 3, -1.0),
    ((1, 1), 3, float("nan")),
])
def test_what_cannot_be_written_is_named(shape, steps, temperature, unchecked):
    said = f"shape .*{shape[0]}, {shape[1]}.*, steps is {steps}, temperature is {temperature}"
    with pytest.raises(ValueError, match=said):
        fast_generate(LSTM(V, H), torch.zeros(shape, dtype=torch.long), steps, temperature)


def test_other_cores_several_rows_and_unknown_symbols_are_named():
    model, prompt = LSTM(V, H), torch.zeros(1, 1, dtype=torch.long)
    with pytest.raises(ValueError, match="the core is a GRUCore"):
        Writer(GRU(V, H))
    with pytest.raises(ValueError, match="state has 2 rows"):
        Writer(model, model(torch.zeros(2, 1, dtype=torch.long))[1])
    with pytest.raises(ValueError, match="ids from 7 to 7"):
        fast_generate(model, prompt + V, 3)
