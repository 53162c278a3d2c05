"""An LSTM's writing, made fast: the numbers of `model(x, state)` for one row, one symbol at a time, in numpy.

One row leaves nothing to do side by side: the time goes into reading W_h from memory and into calls. Numpy's
matrix-vector product reads faster than torch's, its calls cost less, and three things are done beforehand:

- what the first layer reads of a symbol, W_x x + b, is a table with a row for each symbol;
- sigmoid(a) = (1 + tanh(a / 2)) / 2, so with halved weights one tanh serves gates and candidate;
- other layers read x and h at once: [W_x, W_h] is one matrix.
"""

import numpy as np
import torch

from .lstm import LSTMCore, LSTMState
from .model import CoreModel, check_tokens, reading
from .shapes import Int, Tensor


class Writer:
    """Reads one symbol and gives the logits of the next, from any state of one row on; float32 or float64.

    Equal to `model(x, state)` up to rounding. It copies the weights: later training does not reach it.
    """

    def __init__(self, model: CoreModel, state: LSTMState | None = None):
        if not isinstance(model.core, LSTMCore):
            raise ValueError(f"the core is a {type(model.core).__name__}: this Writer is for an LSTMCore")
        if state is not None and len(state.h) != 1:
            raise ValueError(f"state has {len(state.h)} rows: a Writer reads one")
        first, *others = model.core.layers
        H, dtype = model.core.hidden, _numpy(first.b).dtype
        half = np.repeat(np.array([0.5, 0.5, 1, 0.5], dtype), H)[:, None]  # i, f, g, o: g is no sigmoid
        self.table = (_numpy(model.embed.weight) @ _numpy(first.W_x).T + _numpy(first.b)) * half.T
        stacked = [np.hstack([_numpy(layer.W_x), _numpy(layer.W_h)]) for layer in others]
        # each of torch's rows becomes a column in memory: so the product is read in one go
        self.W = [np.asfortranarray(half * W) for W in [_numpy(first.W_h), *stacked]]
        self.b = [half[:, 0] * _numpy(layer.b) for layer in others]
        self.W_y, self.b_y = np.asfortranarray(_numpy(model.W_y.weight)), _numpy(model.W_y.bias)
        zeros = np.zeros((len(self.W), H), dtype)
        self.h, self.c = (zeros, zeros) if state is None else (_numpy(part[0]) for part in state)
        self.h, self.c = list(self.h), list(self.c)

    def read(self, symbol: int) -> np.ndarray:
        """The logits (V,) after one more symbol."""
        h = self._step(0, self.table[symbol], self.h[0])
        for k, b in enumerate(self.b, 1):
            h = self._step(k, b, np.concatenate([h, self.h[k]]))
        return self.W_y.dot(h) + self.b_y

    def _step(self, k: int, a: np.ndarray, read: np.ndarray) -> np.ndarray:
        """One update of layer k; each gate is (1 + tanh) / 2."""
        i, f, g, o = np.tanh(self.W[k].dot(read) + a).reshape(4, -1)
        self.c[k] = ((1 + f) * self.c[k] + (1 + i) * g) / 2
        self.h[k] = (1 + o) * np.tanh(self.c[k]) / 2
        return self.h[k]


def _numpy(t: Tensor) -> np.ndarray:
    t = t.detach().cpu()
    return t.numpy() if t.dtype == torch.float64 else t.float().numpy()


@torch.no_grad()
def fast_generate(
    model: CoreModel,
    prompt: Int[Tensor, "1 T"],
    steps: int,
    temperature: float | int = 1.0,
    seed: int = 0,
    state: LSTMState | None = None,
) -> Int[Tensor, "1 N"]:
    """`generate` for one LSTM and one row: the prompt and `steps` symbols after it, drawn or likeliest.

    At temperature 0 it writes what `generate(model, prompt, steps, greedy, state)` writes. A symbol is drawn
    as the largest of logits + temperature * Gumbel noise, which has the probabilities of the softmax (Gumbel,
    1954). The same seed draws the same symbols. `state` is what was read before the prompt. Raises ValueError
    for more than one row, an empty prompt, and a temperature or a number of steps below 0.
    """
    check_tokens(prompt, model.vocab_size)
    if len(prompt) != 1 or not prompt.numel() or steps < 0 or not temperature >= 0:
        given = f"prompt has shape {tuple(prompt.shape)}, steps is {steps}, temperature is {temperature}"
        raise ValueError(f"{given}: expected (1, T) with T at least 1, and 0 or more for the others")
    with reading(model):
        _, state = model(prompt[:, :-1], state)
    writer, symbol, written = Writer(model, state), int(prompt[0, -1]), np.empty(steps, np.int64)
    chance = np.random.default_rng(seed)
    for i in range(steps):
        noise = chance.gumbel(size=model.vocab_size)
        written[i] = symbol = int((writer.read(symbol) + temperature * noise).argmax())
    return torch.cat([prompt, torch.from_numpy(written)[None].to(prompt.device)], 1)
