"""What LSTM and GRU share: gated layers that stand on top of each other, and the way from and to torch.

A room brings the gates and the update; here is what has nothing to do with either.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_map_only

from .model import Core, State
from .shapes import Float, Tensor


class Layer(nn.Module):
    """One recurrent layer with G gates: W_x (G H, D), W_h (G H, H) and b (G H).

    Each gate owns a block of H rows; `gates` names the blocks in torch's order, one letter each, and
    `keeps` is the letter of the gate that decides how much of the past stays.
    """

    gates: str
    keeps: str

    def __init__(self, inputs: int, hidden: int, fused: bool = False):
        super().__init__()
        if inputs < 1 or hidden < 1:
            raise ValueError(f"inputs is {inputs} and hidden is {hidden}: both must be at least 1")
        self.inputs, self.hidden, self.fused = inputs, hidden, fused
        rows = len(self.gates) * hidden
        self.W_x = nn.Parameter(torch.empty(rows, inputs).uniform_(-1, 1) * hidden**-0.5)
        self.W_h = nn.Parameter(torch.empty(rows, hidden).uniform_(-1, 1) * hidden**-0.5)
        self.b = nn.Parameter(torch.zeros(rows))

    def block(self, packed: Tensor, gate: str) -> Tensor:
        """The rows of one gate in W_x, W_h or b: a view of them."""
        return packed.chunk(len(self.gates))[self.gates.index(gate)]

    def forward(self, a: Float[Tensor, "B T D"], state: State) -> tuple[Float[Tensor, "B T H"], State]:
        """Read a, T of at least 1; return h after each element, and the state after the last. None: zeros."""
        raise NotImplementedError

    def to_torch(self) -> list[Tensor]:
        """The weights as torch's kernels take them: W_x, W_h and a bias for each."""
        raise NotImplementedError

    def from_torch(self, W_x: Tensor, W_h: Tensor, b_x: Tensor, b_h: Tensor) -> None:
        """Take over the weights of one layer of torch's."""
        raise NotImplementedError

    def kernel(self, run: Callable[..., Any], a: Tensor, state: Any) -> Any:
        """One layer by torch's own loop (torch.lstm or torch.gru): the same sums, written in C++.

        torch asks whether the model trains and means whether there will be a gradient, so we tell it that.
        On a GPU autocast would round to float16, whatever precision was asked for: we round to that one.
        """
        given, device = (a, state, self.to_torch()), a.device.type
        own = device == "cuda" and torch.is_autocast_enabled(device)
        if own:
            given = tree_map_only(Tensor, lambda t: t.to(torch.get_autocast_dtype(device)), given)
        with warnings.catch_warnings(), torch.autocast(device, enabled=False) if own else nullcontext():
            # cuDNN would like to own the weights; a copy of them costs little
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single")
            return run(*given, True, 1, 0.0, torch.is_grad_enabled(), False, True)


class Layers(Core):
    """Layers on top of each other: each reads the h of the one below, with dropout in between in training.

    The state is that of all layers: a tensor (B, layers, H), or a NamedTuple of such tensors.
    """

    peer: type[nn.RNNBase]  # the module of torch that computes the same
    kept: type = Tensor  # the type of the state

    def __init__(self, layers: list[Layer], dropout: float | int = 0.0):
        super().__init__()
        if not layers or not 0 <= dropout < 1:
            raise ValueError(f"{len(layers)} layers, dropout {dropout}: expected 1 or more, 0 <= dropout < 1")
        self.inputs, self.hidden = layers[0].inputs, layers[0].hidden
        self.layers, self.dropout = nn.ModuleList(layers), dropout

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T H"], State]:
        """h (B, T, H) of the uppermost layer after each of a, and the state of all layers after the last."""
        self._check(a, state)
        if not a.shape[1]:
            return a.new_zeros(len(a), 0, self.hidden), state
        ends = []
        for k, layer in enumerate(self.layers):
            a = F.dropout(a, self.dropout, self.training and k > 0)
            a, end = layer(a, None if state is None else _slice(state, k))
            ends.append(end)
        return a, _stack(ends)

    @classmethod
    def from_torch(cls, theirs: nn.RNNBase, fused: bool = False) -> "Layers":
        """The same network as torch's module, with copies of its weights."""
        if not isinstance(theirs, cls.peer) or theirs.bidirectional or theirs.proj_size:
            raise ValueError(f"{theirs} is no {cls.peer.__name__} that reads one way without projections")
        core = cls(theirs.input_size, theirs.hidden_size, theirs.num_layers, theirs.dropout, fused)
        core.to(theirs.weight_ih_l0)
        with torch.no_grad():
            for layer, weights in zip(core.layers, theirs.all_weights):
                none = weights[0].new_zeros(len(weights[0]))
                layer.from_torch(*weights, *[none] * (4 - len(weights)))
        return core

    def to_torch(self) -> nn.RNNBase:
        """The same network as a module of torch (batch_first), with copies of these weights."""
        weights = [layer.to_torch() for layer in self.layers]
        theirs = self.peer(self.inputs, self.hidden, len(weights), batch_first=True, dropout=self.dropout)
        theirs.to(weights[0][0])
        with torch.no_grad():
            for layer, values in zip(theirs.all_weights, weights):
                copy(layer, values)
        return theirs

    def _check(self, a: Tensor, state: State) -> None:
        """Raise a ValueError that says what is wrong with the shapes."""
        if a.ndim != 3 or a.shape[-1] != self.inputs:
            raise ValueError(f"a has shape {tuple(a.shape)}: expected (B, T, D) with D = {self.inputs}")
        if state is None:
            return
        if not isinstance(state, self.kept):
            raise ValueError(f"state is a {type(state).__name__}: expected a {self.kept.__name__}, or None")
        expected = (len(a), len(self.layers), self.hidden)
        shapes = [tuple(part.shape) for part in (state if isinstance(state, tuple) else [state])]
        if any(shape != expected for shape in shapes):
            raise ValueError(f"state has shape {shapes}: expected (B, layers, H) = {expected}")


def copy(into: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy each of the values into the tensor at its place."""
    for there, value in zip(into, values):
        there.copy_(value)


def _slice(state: State, k: int) -> State:
    """The state of layer k: (B, H), part by part."""
    return type(state)(*(part[:, k] for part in state)) if isinstance(state, tuple) else state[:, k]


def _stack(states: list[State]) -> State:
    """The states of all layers as one: (B, layers, H), part by part."""
    if isinstance(states[0], tuple):
        return type(states[0])(*(torch.stack(parts, 1) for parts in zip(*states)))
    return torch.stack(states, 1)
