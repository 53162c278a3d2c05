"""The law as functions: each takes a model and x (B, T), and raises AssertionError where the model breaks it.

Reading whole or in pieces gives the same logits; no row knows of another; no place knows what comes after
it; a state that was handed out stays as it was.
"""

import torch
from torch.testing import assert_close
from unrolled.generate import generate, greedy

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10, torch.bfloat16: 1e-2}  # three units of its last place


def close(a, b):
    assert_close(a, b, rtol=TOLERANCE[a.dtype], atol=TOLERANCE[a.dtype])


def read(model, x, cuts=(), state=None):
    """The logits of x read in the pieces between the cuts, with carried state."""
    logits = []
    for piece in x.tensor_split(sorted(cuts), dim=1):
        if piece.shape[1]:
            out, state = model(piece, state)
            logits.append(out)
    return torch.cat(logits, 1)


def whole_is_pieces(model, x, cuts):
    close(read(model, x, cuts), model(x)[0])


def whole_is_one_by_one(model, x, cuts):
    close(read(model, x, range(1, x.shape[1])), model(x)[0])


def rows_are_strangers(model, x, cuts):
    close(torch.cat([model(row[None])[0] for row in x]), model(x)[0])


def the_future_is_unknown(model, x, cuts):
    """Bit by bit: what comes later may not change even the rounding."""
    t = min([c for c in cuts if c], default=1)
    other = x.clone()
    other[:, t:] = (other[:, t:] + 1) % model.vocab_size
    assert model(x)[0][:, :t].equal(model(other)[0][:, :t])


def states_are_not_touched(model, x, cuts):
    """A state can be read from twice: generation branches, and so does beam search."""
    state = model(x)[1]
    first, _ = model(x, state)
    assert first.equal(model(x, state)[0])


def writing_is_reading(model, x, cuts):
    """Each symbol that greedy writing chose is the likeliest one after all that stands before it."""
    out = generate(model, x, 6, greedy)
    logits = model(out)[0][:, x.shape[1] - 1 : -1]
    chosen = logits.gather(-1, out[:, x.shape[1] :, None])[..., 0]
    close(chosen, logits.amax(-1))


LAWS = [
    whole_is_pieces,
    whole_is_one_by_one,
    rows_are_strangers,
    the_future_is_unknown,
    states_are_not_touched,
    writing_is_reading,
]
