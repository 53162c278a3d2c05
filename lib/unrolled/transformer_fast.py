"""A transformer's writing, made fast: the numbers of `model(x, state)` for one row, by the symbol, in numpy.

The law's call makes a new state for each symbol, because others may hold the old one: it copies all keys and
values. A `Writer` owns its state, so it writes the new ones behind the old ones, where room was left. For one
row the rest of the time goes into reading matrices from memory, which numpy does faster than torch, and into
calls, so what is known beforehand is done beforehand:

- a norm's gain and bias, and the 1 / sqrt(d) of attention, are put into the matrices that follow;
- W_q, W_k and W_v are one matrix.
"""

from typing import NamedTuple

import numpy as np
import torch

from .model import State, check_tokens, reading
from .shapes import Int, Tensor
from .transformer import Block, Transformer, check_room, length

ROOM = 256  # so many places are added when the room is used up


class Layer(NamedTuple):
    """The arrays of one layer: maps (out, in) with their biases, and the keys and values with their room."""

    W_qkv: np.ndarray
    b_qkv: np.ndarray
    W_o: np.ndarray
    b_o: np.ndarray
    W_in: np.ndarray
    b_in: np.ndarray
    W_out: np.ndarray
    b_out: np.ndarray


class Writer:
    """Reads one symbol and gives the logits of the next, from any state of one row on; float32 or float64.

    Equal to `model(x, state)` up to rounding. It copies the weights: later training does not reach it. Beyond
    the model's context it raises its ValueError.
    """

    def __init__(self, model: Transformer, state: State = None):
        if state is not None and len(state[0].k) != 1:
            raise ValueError(f"state has {len(state[0].k)} rows: a Writer reads one")
        self.model, self.t = model, length(state)
        self.layers = [_layer(block) for block in model.core.blocks]
        self.W_y, self.b_y = _after(model.core.norm, model.W_y)
        N, d = model.core.heads, model.core.hidden // model.core.heads
        self.kv = np.zeros((len(self.layers), 2, N, self.t + ROOM, d), self.W_y.dtype)
        for i, cache in enumerate(state or ()):
            self.kv[i, :, :, : self.t] = [_numpy(part[0]) for part in cache]

    def read(self, symbol: int) -> np.ndarray:
        """The logits (V,) after one more symbol."""
        h, turn = self._begin(symbol)
        for layer, (k, v) in zip(self.layers, self.kv):
            h = h + self._look(h, layer, k, v, turn)
            h += layer.W_out.dot(_bend(_normed(layer.W_in, h, layer.b_in))) + layer.b_out
        self.t += 1
        return _normed(self.W_y, h, self.b_y)

    @torch.no_grad()
    def _begin(self, symbol: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
        """The symbol's vector at its place, cosines and sines to turn by, and room for one more."""
        core, x = self.model.core, torch.tensor([[symbol]])
        if core.context is not None and self.t >= core.context:
            raise ValueError(f"{self.t} symbols were read: this model has {core.context} positions (context)")
        if self.t == self.kv.shape[3]:
            self.kv = np.concatenate([self.kv, np.zeros_like(self.kv)], 3)
        a, turn = core.place(self.model.embed(x.to(core.norm.weight.device)), self.t)
        return _numpy(a[0, 0]), None if turn is None else (_numpy(turn[0].cos()), _numpy(turn[0].sin()))

    def _look(
        self, h: np.ndarray, layer: Layer, k: np.ndarray, v: np.ndarray,
        turn: tuple[np.ndarray, np.ndarray] | None,
    ) -> np.ndarray:  # fmt: skip
        """What h takes along from the past and from itself; its key and value are written behind theirs."""
        N, _, d = k.shape
        q, new_k, new_v = _normed(layer.W_qkv, h, layer.b_qkv).reshape(3, N, d)
        if turn is not None:
            q, new_k = (_rotate(x, *turn) for x in (q, new_k))
        k[:, self.t], v[:, self.t] = new_k, new_v
        e = (k[:, : self.t + 1] @ q[:, :, None])[:, :, 0]  # (N, t + 1)
        w = np.exp(e - e.max(1, keepdims=True))
        w /= w.sum(1, keepdims=True)
        return layer.W_o.dot((w[:, None] @ v[:, : self.t + 1]).reshape(-1)) + layer.b_o


def _normed(W: np.ndarray, h: np.ndarray, b: np.ndarray) -> np.ndarray:
    """W norm(h) + b, with the norm's root taken last."""
    h = h - h.sum() / len(h)
    return W.dot(h) * (h.dot(h) / len(h) + 1e-5) ** -0.5 + b


def _bend(u: np.ndarray) -> np.ndarray:
    """Twice GELU(u), by its tanh (Hendrycks and Gimpel, 2016, arXiv 1606.08415)."""
    return u + u * np.tanh(u * (0.7978845608028654 + 0.035677408136300125 * (u * u)))


def _rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    a, b = np.split(x, 2, -1)
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def _after(norm: torch.nn.LayerNorm, *maps: torch.nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    """The maps that follow a norm as one matrix and bias, with the norm's gain and bias put into them."""
    W, b = (np.concatenate([_numpy(getattr(m, part)) for m in maps]) for part in ("weight", "bias"))
    b = b + W @ _numpy(norm.bias)
    return np.asfortranarray(W * _numpy(norm.weight)), b


def _layer(block: Block) -> Layer:
    attention, (first, _, last) = block.attention, block.mlp
    W_qkv, b_qkv = _after(block.norm_1, attention.W_q, attention.W_k, attention.W_v)
    width = W_qkv.shape[1]
    W_qkv[:width] /= attention.d**0.5
    b_qkv[:width] /= attention.d**0.5
    half = 0.5 * _numpy(last.weight)  # since `_bend` is twice as large
    # each of torch's rows becomes a column in memory: so the product is read in one go
    ends = [np.asfortranarray(W) for W in (_numpy(attention.W_o.weight), half)]
    return Layer(W_qkv, b_qkv, ends[0], _numpy(attention.W_o.bias), *_after(block.norm_2, first),
                 ends[1], _numpy(last.bias))  # fmt: skip


def _numpy(t: Tensor) -> np.ndarray:
    t = t.detach().cpu()
    return t.numpy() if t.dtype == torch.float64 else t.float().numpy()


@torch.no_grad()
def fast_generate(
    model: Transformer,
    prompt: Int[Tensor, "1 T"],
    steps: int,
    temperature: float | int = 1.0,
    seed: int = 0,
    state: State = None,
) -> Int[Tensor, "1 N"]:
    """`generate` for one Transformer and one row: the prompt and `steps` symbols, drawn or likeliest.

    At temperature 0 it writes what `generate(model, prompt, steps, greedy, state)` writes. A symbol is drawn
    as the largest of logits + temperature * Gumbel noise, which has the probabilities of the softmax (Gumbel,
    1954). The same seed draws the same symbols. `state` is what was read before the prompt. Raises ValueError
    for more than one row, an empty prompt, settings below 0, and for more symbols than the context holds.
    """
    check_tokens(prompt, model.vocab_size)
    if len(prompt) != 1 or not prompt.numel() or steps < 0 or not temperature >= 0:
        given = f"prompt has shape {tuple(prompt.shape)}, steps is {steps}, temperature is {temperature}"
        raise ValueError(f"{given}: expected (1, T) with T at least 1, and 0 or more for the others")
    check_room(prompt, state, model.core.blocks, model.core.context)
    with reading(model):
        _, state = model(prompt[:, :-1], state)
    writer, symbol, written = Writer(model, state), int(prompt[0, -1]), np.empty(steps, np.int64)
    chance = np.random.default_rng(seed)
    for i in range(steps):
        noise = chance.gumbel(size=model.vocab_size)
        written[i] = symbol = int((writer.read(symbol) + temperature * noise).argmax())
    return torch.cat([prompt, torch.from_numpy(written)[None].to(prompt.device)], 1)
