"""WaveNet: sound as a sequence, sample by sample (lecture W1 to W5; van den Oord et al., 2016, 1609.03499).

    z = tanh(W_f * x + V_f c) . sigmoid(W_g * x + V_g c)     one layer: a filter and a gate
    x <- x + W_r z                                           what the next layer reads
    h = W_s [z of all layers]                                what the output reads

`*` is a dilated causal convolution: y_t looks at x_t, x_{t-d}, x_{t-2d} ... and at nothing later. With d
doubling from layer to layer, L layers look 2^L steps back. c is a condition that holds for the whole
sequence: who speaks, which vowel, how high.

The state holds the last inputs of each layer, as many as its taps reach back. So one new sample costs one
small product per layer, whatever the horizon (Le Paine et al., 2016, 1611.09482, "Fast Wavenet").
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from .model import Core, SequenceModel, State, check_state, check_tokens
from .shapes import Float, Int, Tensor

DOUBLING = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # one stack of the paper


class Queues(NamedTuple):
    """What a stack of convolutions keeps of the past.

    - pasts: for each layer its last (K - 1) d inputs (B, (K - 1) d, D), the oldest first;
    - condition (B, L, 2 D): what the condition adds inside the gates of each layer, V c.
    """

    pasts: tuple[Tensor, ...]
    condition: Tensor


def receptive_field(kernel: int, dilations: Sequence[int]) -> int:
    """How many inputs one output sees, itself included: 1 + (K - 1) (d_1 + ... + d_L) (lecture W2, W3)."""
    return 1 + (kernel - 1) * sum(dilations)


def taps(
    x: Float[Tensor, "B T D"], past: Float[Tensor, "B P D"], dilation: int
) -> tuple[Float[Tensor, "B T KD"], Float[Tensor, "B P D"]]:
    """What a causal convolution sees at each t: x_{t-(K-1)d} ... x_{t-d} x_t side by side; and the new past.

    past holds the P = (K - 1) d inputs before x. A linear map of the result is the convolution.
    """
    T, P = x.shape[1], past.shape[1]
    line = torch.cat([past, x], 1)
    seen = torch.cat([line[:, start : start + T] for start in range(0, P + 1, dilation)], -1)
    return seen, line[:, T:].clone()  # a clone, so that a short past does not keep a long line in memory


def gate(a: Float[Tensor, "*B A"]) -> Float[Tensor, "*B D"]:
    """tanh of the first half of a, times sigmoid of the other: what to say, and how much of it; D = A / 2."""
    content, share = a.chunk(2, -1)
    return content.tanh() * share.sigmoid()


class WaveNetCore(Core):
    """The convolutions of WaveNet as the lecture's f: vectors in, vectors out, for sound or for text.

    - inputs: the width D of what is read, and of the residual path; hidden: the width of h;
    - dilations: how far apart the taps of each layer are; kernel: how many taps, K;
    - condition: the width of a condition c that `start` takes; 0 for none.

    The state is a `Queues`; None stands for zeros before the beginning and for no condition.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        dilations: Sequence[int] = DOUBLING,
        kernel: int = 2,
        condition: int = 0,
    ):
        super().__init__()
        if min(inputs, hidden, kernel, *dilations) < 1 or not dilations or condition < 0:
            sizes = f"inputs={inputs}, hidden={hidden}, dilations={tuple(dilations)}, kernel={kernel}"
            raise ValueError(f"{sizes}, condition={condition}: at least one layer, sizes 1, condition 0")
        self.inputs, self.hidden, self.condition = inputs, hidden, condition
        self.kernel, self.dilations, L = kernel, tuple(dilations), len(dilations)
        self.W = nn.ModuleList(nn.Linear(kernel * inputs, 2 * inputs) for _ in range(L))  # W_f above W_g
        self.V = nn.Linear(condition, L * 2 * inputs, bias=False) if condition else None
        self.W_r = nn.ModuleList(nn.Linear(inputs, inputs, bias=False) for _ in range(L - 1))
        self.W_s = nn.Linear(L * inputs, hidden)

    def start(self, condition: Float[Tensor, "B C"]) -> Queues:
        """The state before the first element of sequences of which the condition (B, C) is known."""
        if self.V is None or condition.ndim != 2 or condition.shape[1] != self.condition:
            expected = f"(B, {self.condition})" if self.V else "none: this model was built with condition=0"
            raise ValueError(f"condition has shape {tuple(condition.shape)}: expected {expected}")
        added = self.V(condition.to(self.V.weight))
        return Queues(self._silence(added), added.unflatten(1, (len(self.W), -1)))

    def forward(
        self, a: Float[Tensor, "B T D"], state: Queues | None = None
    ) -> tuple[Float[Tensor, "B T H"], Queues]:
        """h (B, T, H) after each vector of a, and the last inputs of each layer."""
        check_state(state, Queues, len(a))
        state = self._blank(a) if state is None else state
        x, zs, pasts = a, [], []
        for i, (past, c) in enumerate(zip(state.pasts, state.condition.unbind(1))):
            x = x + self.W_r[i - 1](zs[-1]) if i else x
            seen, past = taps(x, past, self.dilations[i])
            zs.append(gate(self.W[i](seen) + c[:, None]))
            pasts.append(past)
        return self.W_s(torch.cat(zs, -1)), Queues(tuple(pasts), state.condition)

    def _blank(self, a: Tensor) -> Queues:
        """Nothing was read, and nothing is known of the sequence."""
        return Queues(self._silence(a), a.new_zeros(len(a), len(self.W), 2 * self.inputs))

    def _silence(self, like: Tensor) -> tuple[Tensor, ...]:
        reaches = ((self.kernel - 1) * d for d in self.dilations)
        return tuple(like.new_zeros(len(like), reach, self.inputs) for reach in reaches)


class WaveNet(SequenceModel):
    """WaveNet over symbols, such as the 256 levels of a sample: embedding, convolutions, two-layer output.

    - residual, skip: the widths of the residual path and of the sum of all layers;
    - dilations, kernel, condition: as in `WaveNetCore`.

    logits = W_y relu(W_o relu(h) + b_o) + b_y. The state is a `Queues`; `start(condition)` makes one.
    """

    def __init__(
        self,
        vocab_size: int,
        residual: int = 32,
        skip: int = 64,
        dilations: Sequence[int] = DOUBLING,
        kernel: int = 2,
        condition: int = 0,
    ):
        super().__init__()
        if vocab_size < 1:
            raise ValueError(f"vocab_size is {vocab_size}: it must be at least 1")
        self.vocab_size = vocab_size
        self.embed = nn.Embedding(vocab_size, residual)
        self.core = WaveNetCore(residual, skip, dilations, kernel, condition)
        self.W_o, self.W_y = nn.Linear(skip, skip), nn.Linear(skip, vocab_size)

    @property
    def receptive_field(self) -> int:
        """How many symbols the logits of one place depend on."""
        return receptive_field(self.core.kernel, self.core.dilations)

    def start(self, condition: Float[Tensor, "B C"]) -> Queues:
        """The state before the first symbol: pass it to the first call, and the condition holds from then on.

        Raises ValueError for a condition that is not (B, C) with the C that the model was built with.
        """
        return self.core.start(condition)

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], Queues]:
        """Logits (B, T, V) for the symbol after each of x, and the last inputs of each layer."""
        check_tokens(x, self.vocab_size)
        h, state = self.core(self.embed(x), state)
        return self.W_y(self.W_o(h.relu()).relu()), state
