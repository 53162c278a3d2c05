"""WaveNet's writing, made fast: the numbers of `model(x, state)`, one symbol at a time, nothing done twice.

The law's call makes a new state for each symbol, because others may hold the old one. A `Writer` owns its
state, so it may overwrite it:

- each layer has d slots, used in turn; a slot holds the K inputs that one output reads. A new input takes
  the place of the oldest one, and nothing else moves: the columns of W are turned instead, beforehand;
- biases and condition are one more column of a matrix, for a 1 at the end of what it reads;
- sigmoid(a) = (1 + tanh(a / 2)) / 2, so one tanh serves filter and gate;
- on arrays this small the calls are what costs: numpy's cost less than torch's, and there are five a layer.
"""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import torch

from .model import State, check_tokens
from .shapes import Int, Tensor
from .wavenet import Queues, WaveNet


class Writer:
    """Reads one symbol and gives the logits of the next, from any state of one row on; float32 or float64.

    Equal to `model(x, state)` up to rounding. It copies the weights: later training does not reach it.
    """

    def __init__(self, model: WaveNet, state: Queues):
        if len(state.condition) != 1:
            raise ValueError(f"state has {len(state.condition)} rows: a Writer reads one")
        core, D, L = model.core, model.core.inputs, len(model.core.W)
        self.embed = _numpy(model.embed.weight)
        dtype = self.embed.dtype
        self.z, self.y = np.ones(L * 2 * D + 1, dtype), np.empty(model.vocab_size, dtype)
        self.h, self.o = np.ones((2, core.hidden + 1), dtype)
        self.nothing = np.zeros(D, dtype)
        skip = _twice(_numpy(core.W_s.weight).reshape(-1, L, D)).reshape(core.hidden, -1)
        self.skip = _product(skip, _numpy(core.W_s.bias))
        self.out, self.last = (_product(_numpy(m.weight), _numpy(m.bias)) for m in (model.W_o, model.W_y))
        back = [_twice(_numpy(m.weight)) for m in core.W_r] + [np.zeros((0, 2 * D), dtype)]
        self.layers = [
            (_turns(core.W[i], state, i), z, z[:D], z[D:], back[i].dot, np.empty(len(back[i]), dtype))
            for i, z in enumerate(self.z[:-1].reshape(L, 2 * D))
        ]

    def read(self, symbol: int) -> np.ndarray:
        """The logits (V,) after one more symbol; the next call overwrites them."""
        x, r = self.embed[symbol], self.nothing
        for turns, z, left, right, back, space in self.layers:
            place, product, slot = next(turns)
            x = np.add(x, r, place)
            product(slot, z)
            np.tanh(z, z)
            np.multiply(left, right, right)
            r = back(z, space)
        for product, read, written in ((self.skip, self.z, self.h), (self.out, self.h, self.o)):
            np.maximum(product(read, written[:-1]), 0, out=written[:-1])
        return self.last(self.o, self.y)


def _numpy(t: Tensor) -> np.ndarray:
    t = t.detach().cpu()
    return t.numpy() if t.dtype == torch.float64 else t.float().numpy()


def _twice(W: np.ndarray) -> np.ndarray:
    """The same map for [tanh, tanh * tanh] as W is for tanh * sigmoid, which is half of their sum."""
    return np.concatenate([W, W], -1) / 2


def _product(W: np.ndarray, b: np.ndarray):
    """W v + b, for v with a 1 at its end."""
    return np.asfortranarray(np.column_stack([W, b])).dot


def _turns(layer: torch.nn.Linear, state: Queues, i: int) -> Iterator[tuple]:
    """Turn after turn of one layer: where its new input goes, the product with W, and the slot it reads."""
    W, past = _numpy(layer.weight), _numpy(state.pasts[i][0])
    b, D = _numpy(layer.bias) + _numpy(state.condition[0, i]), past.shape[1]
    K = W.shape[1] // D
    d = len(past) // max(1, K - 1) or 1
    half = np.repeat(np.array([1, 0.5], W.dtype), D)[:, None]  # sigmoid takes half of its argument to tanh
    slots = np.ones((d, K * D + 1), W.dtype)
    slots[:, D:-1] = past.reshape(K - 1, d, D).swapaxes(0, 1).reshape(d, (K - 1) * D)
    turned = [_product(half * np.roll(W, (k + 1) * D, 1), half[:, 0] * b) for k in range(K)]
    return cycle([(slot[k * D : (k + 1) * D], turned[k], slot) for k in range(K) for slot in slots])


def draw(logits: np.ndarray, temperature: float | int, u: float) -> int:
    """The symbol at which the summed probabilities pass u (0 to 1); at temperature 0 the likeliest one."""
    top = logits.argmax()
    if temperature == 0:
        return int(top)
    sums = np.exp((logits - logits[top]) / temperature, dtype=np.float64).cumsum()
    return int(sums.searchsorted(u * sums[-1], side="right"))


@torch.no_grad()
def fast_generate(
    model: WaveNet,
    prompt: Int[Tensor, "1 T"],
    steps: int,
    temperature: float | int = 1.0,
    seed: int = 0,
    state: State = None,
) -> Int[Tensor, "1 N"]:
    """`generate` for one WaveNet and one row: the prompt and `steps` symbols after it, drawn or likeliest.

    At temperature 0 it writes what `generate(model, prompt, steps, greedy, state)` writes. `state` is what
    was read before the prompt, such as `model.start(condition)`. The same seed draws the same symbols. Raises
    ValueError for more than one row, an empty prompt, and a temperature or a number of steps below 0.
    """
    check_tokens(prompt, model.vocab_size)
    if len(prompt) != 1 or not prompt.numel() or min(steps, temperature) < 0:
        given = f"prompt has shape {tuple(prompt.shape)}, steps is {steps}, temperature is {temperature}"
        raise ValueError(f"{given}: expected (1, T) with T at least 1, and 0 or more for the others")
    _, state = model(prompt[:, :-1], state)
    writer, symbol, written = Writer(model, state), int(prompt[0, -1]), np.empty(steps, np.int64)
    for i, u in enumerate(np.random.default_rng(seed).random(steps)):
        symbol = written[i] = draw(writer.read(symbol), temperature, u)
    return torch.cat([prompt, torch.from_numpy(written)[None].to(prompt.device)], 1)
