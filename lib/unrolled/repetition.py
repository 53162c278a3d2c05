"""Writing without going round in circles: a model around any model, which knows what was already written.

Greedy writing and beam search love loops ("the cat saw the cat saw the cat"). Two common cures are here,
as a model of the law: its state is that of the model inside and the symbols so far, so it works wherever a
model does, in `generate` and in `beam_search`, for text, pixels, sound and actions.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .model import SequenceModel, State, check_state
from .shapes import Bool, Float, Int, Tensor


def penalise(
    logits: Float[Tensor, "B T V"], tokens: Int[Tensor, "B N"], penalty: float | int
) -> Float[Tensor, "B T V"]:
    """Every symbol that stands in the text so far gets p^penalty in place of its probability p.

    tokens (B, N): all that was read; logits (B, T, V) belong to the last T of them. (Keskar et al., 2019,
    arXiv 1909.05858, divide the logits instead, whose zero point means nothing.)
    """
    (B, N), (T, V) = tokens.shape, logits.shape[1:]
    place = torch.arange(N, device=tokens.device)
    never = torch.full((B, V), N, device=tokens.device)
    first = never.scatter_reduce(1, tokens, place.expand(B, N), "amin")  # where each symbol stands first
    log_p = logits.log_softmax(-1)
    return torch.where(first[:, None] <= place[N - T :, None], penalty * log_p, log_p)


def repeats(tokens: Int[Tensor, "B N"], T: int, n: int, vocab_size: int) -> Bool[Tensor, "B T V"]:
    """Which symbols would, after each of the last T tokens, complete n in a row that stood there before.

    (Paulus et al., 2017, arXiv 1705.04304, forbid repeated trigrams.)
    """
    N = tokens.shape[1]
    grams = tokens.unfold(1, n, 1) if N >= n else tokens.new_zeros(len(tokens), 0, n)
    tails = F.pad(tokens, (n - 1, 0), value=-1).unfold(1, n - 1, 1)[:, N - T + 1 :]  # n - 1 before each t
    same = (tails[:, :, None] == grams[:, None, :, :-1]).all(-1)  # (B, T, grams)
    place = torch.arange(N, device=tokens.device)
    past = place[n - 1 :] <= place[N - T :, None]  # a gram that is complete at t, and not one from the future
    found = tokens.new_zeros(len(tokens), T, vocab_size)
    return found.scatter_add(2, grams[:, None, :, -1].expand_as(same), (same & past).long()) > 0


class Seen(NamedTuple):
    """The state of the model inside, and the symbols (B, N) that were read."""

    state: State
    tokens: Int[Tensor, "B N"] | None


class NoRepeat(SequenceModel):
    """Any model of the law, kept from repeating itself.

    `penalty` 1.2 makes symbols less likely that stand in the text already (1 changes nothing); `ngram` 3
    forbids three symbols in a row that stood there before, except where nothing else would be left. The
    prompt counts as text. A state made beforehand comes from `NoRepeat.start(...)`, which hands its arguments
    to the model inside; what it has read does not count.
    """

    def __init__(self, model: SequenceModel, penalty: float | int = 1.0, ngram: int | None = None):
        super().__init__()
        if not penalty >= 1:
            raise ValueError(f"penalty is {penalty}: expected 1 (no penalty) or more")
        if ngram is not None and ngram < 1:
            raise ValueError(f"ngram is {ngram}: expected a number of symbols in a row, 1 or more")
        self.model, self.penalty, self.ngram = model, penalty, ngram
        self.vocab_size = model.vocab_size

    def start(self, *condition: object) -> Seen:
        """The state of `model.start(...)` with nothing written yet."""
        return Seen(self.model.start(*condition), None)

    def forward(
        self, x: Int[Tensor, "B T"], state: Seen | None = None
    ) -> tuple[Float[Tensor, "B T V"], Seen]:
        """The logits of the model inside, with what would repeat made less likely or impossible."""
        check_state(state, Seen, len(x))
        inner, tokens = state or Seen(None, None)
        logits, inner = self.model(x, inner)
        tokens = x if tokens is None else torch.cat([tokens, x], 1)
        if self.penalty != 1:
            logits = penalise(logits, tokens, self.penalty)
        if self.ngram is not None:
            again = repeats(tokens, x.shape[1], self.ngram, self.vocab_size)
            logits = logits.masked_fill(again & ~again.all(-1, keepdim=True), -torch.inf)
        return logits, Seen(inner, tokens)
