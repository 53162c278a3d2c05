"""What transformers of today do otherwise, so that a pre-trained one fits in (Touvron et al., 2023).

That is arXiv 2302.13971: rotary positions, and four changes to the block of `transformer`: a plainer norm, a
gate in the part that thinks, fewer keys than questions, no biases. The last layer is the embedding, read the
other way round.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .model import SequenceModel, State, check_tokens
from .positions import angles, times
from .shapes import Float, Int, Tensor
from .transformer import Attention, Block, Cache, check_room, length, read


class RMSNorm(nn.Module):
    """Divide each vector by its root mean square, then scale (Zhang and Sennrich, 2019, arXiv 1910.07467)."""

    def __init__(self, width: int):
        super().__init__()
        self.g = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """x / sqrt(mean(x^2) + 0.00001) g: LayerNorm without the mean and without the bias."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.g


class SwiGLU(nn.Module):
    """Thinking with a gate: W_out (silu(W_gate x) * W_in x) (Shazeer, 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.W_gate, self.W_in = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.W_out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """As much of W_in x as the gate lets through, back at the width of x."""
        return self.W_out(F.silu(self.W_gate(x)) * self.W_in(x))


class GroupedAttention(Attention):
    """Attention in which groups of heads share keys and values (Ainslie et al., 2023, arXiv 2305.13245).

    `heads` ask, `shared` show: with 9 and 3, the state is a third as large.
    """

    def __init__(self, width: int, heads: int, shared: int, fast: bool = True):
        nn.Module.__init__(self)
        self.d, self.fast, self.group = width // heads, fast, heads // shared
        self.W_q, self.W_o = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.W_k, self.W_v = (nn.Linear(width, shared * self.d, bias=False) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "B T D"], cache: Cache, mask: Tensor | None = None, turn: Tensor | None = None
    ) -> Float[Tensor, "B T D"]:
        """What x takes along from the elements in the cache; each key serves a group of questions."""
        each = Cache(*(part.repeat_interleave(self.group, 1) for part in cache))
        return super().forward(x, each, mask, turn)


class Llama(SequenceModel):
    """A decoder of the Llama family: SmolLM2, Llama 1 and 2, TinyLlama.

    - heads: how many ask, and how many show keys and values, such as (9, 3);
    - hidden: the numbers in the middle of each SwiGLU; base: the base of the rotary angles.

    There is no end to what it can read, but beyond the length it was trained with it gets worse. The state is
    a tuple of one `Cache` for each layer.
    """

    def __init__(
        self, vocab_size: int, width: int, layers: int, heads: tuple[int, int], hidden: int,
        base: float | int = 10000,
    ):  # fmt: skip
        super().__init__()
        asking, showing = heads
        if min(vocab_size, width, layers, hidden, *heads) < 1 or width % (2 * asking) or asking % showing:
            raise ValueError(
                f"vocab_size is {vocab_size}, width {width}, layers {layers}, heads {heads}, hidden {hidden}:"
                " expected at least 1 of each, an even share of the width a head, and groups of one size"
            )
        self.vocab_size, self.base, self.d = vocab_size, base, width // asking
        self.embed = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(
            Block(width, GroupedAttention(width, asking, showing), SwiGLU(width, hidden), RMSNorm)
            for _ in range(layers)
        )
        self.norm = RMSNorm(width)

    def forward(self, x: Int[Tensor, "B T"], state: State = None) -> tuple[Float[Tensor, "B T V"], State]:
        """Logits (B, T, V) for the token after each of x, and the state with their keys and values."""
        check_tokens(x, self.vocab_size)
        check_room(x, state, self.blocks, None)
        h = self.embed(x)
        if x.shape[1]:
            turn = angles(times(length(state), x.shape[1], h), self.d, self.base)
            h, state = read(self.blocks, h, state, turn)
        return F.linear(self.norm(h), self.embed.weight), state
