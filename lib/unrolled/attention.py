"""Attention over a memory: a decoder looks back at all that an encoder read, and chooses where.

A query asks each place of the memory for a score; a softmax makes weights of the scores; the context is the
mean of the memory under these weights. Two ways to score are here:

    additive        e_s = v . tanh(W_q q + W_m m_s + b)   (Bahdanau et al., 2015, arXiv 1409.0473)
    multiplicative  e_s = q . W_m m_s                     (Luong et al., 2015, arXiv 1508.04025, "general")

Without the tanh the additive score would fall apart into a part of q, which cancels in the softmax, and a
part of m_s: all queries would look at the same place. (The lecture's T1: the weights come from the content.)
"""

import torch
from torch import nn

from .shapes import Bool, Float, Int, Tensor


def mask_of(lengths: Int[Tensor, "B"], size: int) -> Bool[Tensor, "B S"]:
    """Which places of rows filled up to `size` hold something: the first lengths[b] of row b."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked_softmax(
    scores: Float[Tensor, "B T S"], mask: Bool[Tensor, "B S"] | None = None
) -> Float[Tensor, "B T S"]:
    """Weights from scores: 0 where the mask is False, and they sum to 1; a row with no place gets zeros.

    The smallest number of the type stands for minus infinity, so nothing becomes nan, in float16 either.
    """
    if mask is None:
        return scores.softmax(-1)
    mask = mask[:, None]
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask


class Attention(nn.Module):
    """Looks up a memory: context, weights = attention(query, memory, mask).

    `keys` is what the memory shows to be found by. It does not depend on the query, so a decoder computes it
    once for each source.
    """

    def keys(self, memory: Float[Tensor, "B S M"]) -> Float[Tensor, "B S K"]:
        """The half of the score that needs no query: W_m m_s for all places."""
        raise NotImplementedError

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B T S"]:
        """How well each place fits each query, as any real number."""
        raise NotImplementedError

    def forward(
        self,
        query: Float[Tensor, "B T Q"],
        memory: Float[Tensor, "B S M"],
        mask: Bool[Tensor, "B S"] | None = None,
        keys: Float[Tensor, "B S K"] | None = None,
    ) -> tuple[Float[Tensor, "B T M"], Float[Tensor, "B T S"]]:
        """The context of each query, and the weights (B, T, S) it was made with.

        `mask` (B, S) is False at places that hold nothing (`mask_of`); `keys` are those of this memory, if
        you have them already. Raises ValueError where the shapes do not belong together.
        """
        check(query, memory, mask)
        weights = masked_softmax(self.scores(query, self.keys(memory) if keys is None else keys), mask)
        return weights @ memory, weights


class Additive(Attention):
    """Bahdanau's attention: v . tanh(W_q q + W_m m + b), with `hidden` units in between."""

    def __init__(self, query: int, memory: int, hidden: int):
        super().__init__()
        self.W_q = nn.Linear(query, hidden, bias=False)
        self.W_m = nn.Linear(memory, hidden)
        self.v = nn.Parameter(torch.randn(hidden) * hidden**-0.5)

    def keys(self, memory: Float[Tensor, "B S M"]) -> Float[Tensor, "B S K"]:
        """W_m m_s + b."""
        return self.W_m(memory)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B T S"]:
        """v . tanh(W_q q_t + keys_s), for all pairs (t, s): B T S K numbers on the way."""
        return torch.tanh(self.W_q(query)[:, :, None] + keys[:, None]) @ self.v


class Multiplicative(Attention):
    """Luong's attention ("general"): q . W_m m."""

    def __init__(self, query: int, memory: int):
        super().__init__()
        self.W_m = nn.Linear(memory, query, bias=False)

    def keys(self, memory: Float[Tensor, "B S M"]) -> Float[Tensor, "B S K"]:
        """W_m m_s."""
        return self.W_m(memory)

    def scores(self, query: Float[Tensor, "B T Q"], keys: Float[Tensor, "B S K"]) -> Float[Tensor, "B T S"]:
        """q_t . keys_s, for all pairs (t, s)."""
        return query @ keys.mT


def check(query: Tensor, memory: Tensor, mask: Tensor | None) -> None:
    """Raise a ValueError unless query is (B, T, Q), memory (B, S, M) and mask None or booleans (B, S)."""
    if query.ndim != 3 or memory.ndim != 3 or len(query) != len(memory):
        raise ValueError(
            f"query has shape {tuple(query.shape)}, memory {tuple(memory.shape)}: expected (B, T, Q) and "
            "(B, S, M) with the same B; a single query is query[:, None]"
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != memory.shape[:2]):
        raise ValueError(
            f"mask is {mask.dtype} of shape {tuple(mask.shape)}: expected booleans of shape "
            f"{tuple(memory.shape[:2])}, True where the memory holds something; see mask_of(lengths, S)"
        )
