"""Sequence to sequence (lecture Q1 to Q3): one core reads the source, another writes the target.

    state = model.start(source, lengths)      # h_0 need not be zero: it can sum up anything (Q1)
    logits, state = model(x, state)           # the law of all models, for the target x (Q2)

Without attention all of the source has to fit into the encoder's last state, which is the decoder's first
(Sutskever et al., 2014, arXiv 1409.3215; Cho et al., 2014). With attention the decoder also looks back at
what the encoder knew at each place (Bahdanau et al., 2015; after its own step, as in Luong et al., 2015).

One class does all shapes (Q3): a source of one symbol is "one to many", a target of one "many to one".
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_map

from .attention import Attention, mask_of
from .model import Core, SequenceModel, State, check_state, check_tokens, take_rows
from .shapes import Bool, Float, Int, Tensor


def reverse(a: Tensor, lengths: Int[Tensor, "B"]) -> Tensor:
    """Each row of a (B, S, ...) back to front; what fills it up beyond lengths[b] stays where it is."""
    s = torch.arange(a.shape[1], device=a.device)
    places = torch.where(mask_of(lengths, a.shape[1]), lengths[:, None] - 1 - s, s)
    return a.take_along_dim(places.view(*places.shape, *[1] * (a.ndim - 2)), 1)


def read_rows(
    core: Core, a: Float[Tensor, "B S D"], lengths: Int[Tensor, "B"]
) -> tuple[Float[Tensor, "B S H"], State]:
    """Read each row as far as it goes: h (B, S, H), with zeros beyond lengths[b], and the state at each end.

    By the law a source can be read in pieces: at each length that occurs, the rows that end there leave, and
    the others go on. What fills a row up is never read.
    """
    order = lengths.argsort(descending=True, stable=True)  # the longest first: who stays stands in front
    a, left, state, start, h, ends = a[order], len(a), None, 0, [], []
    for end, n in zip(*(x.tolist() for x in lengths.unique(return_counts=True))):
        piece, state = core(a[:left, start:end], state)
        h.append(F.pad(piece, (0, 0, 0, 0, 0, len(a) - left)))
        rows = torch.arange(left, device=a.device)
        ends.append(take_rows(state, rows[left - n :], left))
        state, left, start = take_rows(state, rows[: left - n], left), left - n, end
    whole = F.pad(torch.cat(h, 1), (0, 0, 0, a.shape[1] - start))
    back = order.argsort()
    return whole[back], take_rows(_join(ends[::-1]), back, len(a))


def _join(states: list[State]) -> State:
    """The states of several groups of rows as one; ValueError where the length has left its mark on them."""

    def join(*parts: Any) -> Any:
        tensors = [p for p in parts if isinstance(p, Tensor) and p.ndim]
        if len({p.shape[1:] for p in tensors}) > 1 or (not tensors and any(p != parts[0] for p in parts)):
            raise ValueError(
                "this core's state grows with what it reads, so rows of different lengths do not fit "
                "together: give it sources of one length"
            )
        return torch.cat(tensors) if tensors else parts[0]

    return tree_map(join, *states)


class Encoder(nn.Module):
    """Reads a source: memory, state = encoder(source, lengths).

    - core reads it from left to right; `backwards=True` from right to left, which brings the source's first
      words close to the target's first (Sutskever et al., 2014).
    - other, a second core, reads it the other way round; the memory holds the h of both (Bahdanau et al.).
    """

    def __init__(self, vocab_size: int, core: Core, other: Core | None = None, backwards: bool = False):
        super().__init__()
        if other is not None and other.inputs != core.inputs:
            raise ValueError(f"other.inputs is {other.inputs}: expected {core.inputs}, as core.inputs is")
        self.vocab_size, self.core, self.other, self.backwards = vocab_size, core, other, backwards
        self.hidden = core.hidden + (0 if other is None else other.hidden)
        self.embed = nn.Embedding(vocab_size, core.inputs)

    def forward(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]
    ) -> tuple[Float[Tensor, "B S M"], State]:
        """The memory (B, S, M), M = `hidden`, in the source's order, and core's state at each row's end."""
        a = self.embed(source)
        memory, state = self._read(self.core, a, lengths, self.backwards)
        if self.other is None:
            return memory, state
        return torch.cat([memory, self._read(self.other, a, lengths, not self.backwards)[0]], -1), state

    def _read(self, core: Core, a: Tensor, lengths: Tensor, backwards: bool) -> tuple[Tensor, State]:
        if not backwards:
            return read_rows(core, a, lengths)
        h, state = read_rows(core, reverse(a, lengths), lengths)
        return reverse(h, lengths), state


class Looking(NamedTuple):
    """The state of a decoder with attention: its core's, the source, and what it has looked at.

    context is the last one (zeros at first), coverage how much it looked at each place so far; what fills a
    source up counts as looked at, so that GNMT's coverage penalty does not miss it.
    """

    core: State
    memory: Float[Tensor, "B S M"]
    keys: Float[Tensor, "B S K"]
    mask: Bool[Tensor, "B S"]
    context: Float[Tensor, "B M"]
    coverage: Float[Tensor, "B S"]


class Seq2Seq(SequenceModel):
    """Writes x after reading a source: `encoder` reads, `decoder` writes, `attention` looks back.

    decoder takes the state that encoder.core ends with: two cores of one kind and width. `attention` is
    None, Additive(decoder.hidden, encoder.hidden, ...) or Multiplicative(decoder.hidden, encoder.hidden).
    With `feed` the last context enters the decoder beside the next symbol (Luong's input feeding), so it
    knows what it has looked at: slower, since symbols are then read one by one, but it looks at what it
    writes more reliably; decoder.inputs has room for both, the symbol's vector and encoder.hidden.
    vocab_size counts the symbols of the target. A state comes from `start`; None is a ValueError.
    """

    def __init__(
        self,
        encoder: Encoder,
        vocab_size: int,
        decoder: Core,
        attention: Attention | None = None,
        dropout: float | int = 0.0,
        feed: bool = False,
    ):
        super().__init__()
        width = decoder.inputs - (encoder.hidden if feed else 0)
        if vocab_size < 1 or width < 1 or (feed and attention is None):
            raise ValueError(
                f"vocab_size is {vocab_size}, decoder.inputs {decoder.inputs}, encoder.hidden "
                f"{encoder.hidden}: expected a symbol or more, and with feed attention and more inputs"
            )
        self.encoder, self.vocab_size, self.decoder, self.attention = encoder, vocab_size, decoder, attention
        self.embed, self.dropout, self.feed = nn.Embedding(vocab_size, width), nn.Dropout(dropout), feed
        if attention is not None:
            self.W_c = nn.Linear(encoder.hidden + decoder.hidden, decoder.hidden)
        self.W_y = nn.Linear(decoder.hidden, vocab_size)

    def start(self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"] | None = None) -> State:
        """The state before the first target symbol. Row b of the source ends after `lengths[b]` symbols."""
        check_tokens(source, self.encoder.vocab_size)
        B, S = source.shape
        lengths = torch.full((B,), S, device=source.device) if lengths is None else lengths
        if lengths.shape != (B,) or not B or not 1 <= lengths.min() <= lengths.max() <= S:
            raise ValueError(
                f"source has shape {(B, S)}, lengths are {lengths.tolist()}: "
                "expected one length a row, from 1 to S"
            )
        memory, state = self.encoder(source, lengths)
        if self.attention is None:
            return state
        mask, nothing = mask_of(lengths, S), memory.new_zeros(B, memory.shape[2])
        return Looking(state, memory, self.attention.keys(memory), mask, nothing, (~mask).to(memory))

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the symbol after each of x, given the source that `start` read."""
        h, _, state = self._read(x, state)
        return self.W_y(self.dropout(h)), state

    def weights(self, x: Int[Tensor, "B T"], state: State) -> Float[Tensor, "B T S"]:
        """Where the model looks when it has read x[:, t] and writes the next symbol: a map to draw."""
        _, weights, _ = self._read(x, state)
        if weights is None:
            raise ValueError("this model was made without attention: there are no weights to look at")
        return weights

    def _read(self, x: Tensor, state: State) -> tuple[Tensor, Tensor | None, State]:
        check_tokens(x, self.vocab_size)
        if state is None:
            raise ValueError("state is None: begin with state = model.start(source, lengths)")
        a = self.dropout(self.embed(x))
        if self.attention is None:
            h, state = self.decoder(a, state)
            return h, None, state
        check_state(state, Looking, len(x))
        steps = []
        for piece in a.split(1, 1) if self.feed else (a,):
            steps.append(self._look(piece, state))
            state = steps[-1][2]
        h, weights, _ = zip(*steps)
        return torch.cat(h, 1), torch.cat(weights, 1), state

    def _look(self, a: Tensor, state: Looking) -> tuple[Tensor, Tensor, Looking]:
        """The decoder takes its own step, then looks at the source, and makes one vector of both."""
        if self.feed:  # one symbol at a time
            a = torch.cat([a, state.context[:, None].expand(-1, a.shape[1], -1)], -1)
        h, core = self.decoder(a, state.core)
        context, weights = self.attention(h, state.memory, state.mask, state.keys)
        last = context[:, -1] if a.shape[1] else state.context
        h = torch.tanh(self.W_c(torch.cat([context, h], -1)))
        return h, weights, state._replace(core=core, context=last, coverage=state.coverage + weights.sum(1))
