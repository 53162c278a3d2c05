"""The fast writer is the transformer: its logits, its greedy text, its chances, from any state on."""

import pytest
import torch
from torch.testing import assert_close
from unrolled.generate import generate, greedy
from unrolled.transformer import POSITIONS, Transformer
from unrolled.transformer_fast import ROOM, Writer, fast_generate

V = 7
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def transformer(positions="learned", context=64):
    """A small one, with all weights drawn anew: norms and biases that do nothing could hide."""
    model = Transformer(V, 12, 2, 2, context, positions=positions)
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.3)
    return model


@torch.no_grad()
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_writer_has_the_logits_of_the_model(positions, dtype):
    model, x = transformer(positions).to(dtype), torch.randint(V, (1, 30))
    logits, _ = model(x)
    for start in (0, 11):
        state = model(x[:, :start])[1]
        writer = Writer(model, state)
        ours = torch.stack([torch.from_numpy(writer.read(int(symbol))) for symbol in x[0, start:]])
        assert_close(ours, logits[0, start:], rtol=0, atol=TOLERANCE[dtype])


@torch.no_grad()
def test_more_room_is_made_where_it_runs_out():
    model, x = transformer("rotary", None).double(), torch.randint(V, (1, ROOM + 5))
    writer = Writer(model)
    for symbol in x[0]:
        last = writer.read(int(symbol))
    assert_close(torch.from_numpy(last), model(x)[0][0, -1], rtol=0, atol=1e-12)


def test_half_precision_is_read_as_single():
    model = transformer().bfloat16()
    logits = torch.from_numpy(Writer(model).read(3))
    assert_close(logits, model(torch.tensor([[3]]))[0][0, 0].float(), rtol=0, atol=0.05)


@pytest.mark.parametrize("length", [1, 9])
def test_greedy_writing_is_that_of_generate(length):
    model, prompt = transformer(), torch.randint(V, (1, length))
    assert fast_generate(model, prompt, 50, 0).equal(generate(model, prompt, 50, greedy))
    assert model.training


def test_writing_goes_on_from_a_state_and_leaves_it_alone():
    model, x = transformer().double(), torch.randint(V, (1, 9))
    state = model(x[:, :5])[1]
    before = [part.clone() for cache in state for part in cache]
    whole = fast_generate(model, x, 30, 0)
    assert fast_generate(model, x[:, 5:], 30, 0, state=state).equal(whole[:, 5:])
    assert all(part.equal(was) for part, was in zip((part for cache in state for part in cache), before))


def test_symbols_have_the_frequencies_of_the_softmax():
    model = transformer("rotary", None)
    with torch.no_grad():
        model.W_y.weight.zero_()  # so the logits are always the bias
        model.W_y.bias.copy_(torch.linspace(-1, 1, V))
    start = torch.zeros(1, 1, dtype=torch.long)
    drawn = torch.cat([fast_generate(model, start, 100, 0.5, seed)[0, 1:] for seed in range(20)])
    expected = (model.W_y.bias / 0.5).softmax(-1)
    assert_close(drawn.bincount(minlength=V) / len(drawn), expected.detach(), rtol=0, atol=0.04)


def test_the_same_seed_writes_the_same():
    model, prompt = transformer(), torch.zeros(1, 1, dtype=torch.long)
    first, again, other = (fast_generate(model, prompt, 50, seed=seed) for seed in (1, 1, 2))
    assert first.equal(again) and not first.equal(other)


@pytest.mark.parametrize(("shape", "steps", "temperature"), [
    ((2, 1), 3, 1),
    ((1, 0), 3, 1),
    ((1, 1), -1, 1),
    ((1, 1), 3, -1.0),
    ((1, 1), 3, float("nan")),
])  # fmt: skip
def test_what_cannot_be_written_is_named(shape, steps, temperature, unchecked):
    said = f"shape .*{shape[0]}, {shape[1]}.*, steps is {steps}, temperature is {temperature}"
    with pytest.raises(ValueError, match=said):
        fast_generate(transformer(), torch.zeros(shape, dtype=torch.long), steps, temperature)


def test_the_context_ends_for_the_writer_too():
    model, prompt = transformer(context=8), torch.zeros(1, 6, dtype=torch.long)
    assert fast_generate(model, prompt, 3).shape == (1, 9)  # the last one is written, not read
    with pytest.raises(ValueError, match=r"8 symbols were read: .* 8 positions"):
        fast_generate(model, prompt, 4)
    with pytest.raises(ValueError, match="state has 2 rows"):
        Writer(model, model(prompt.expand(2, -1))[1])
