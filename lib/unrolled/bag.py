"""The bag of words: add up what was read, in any order (the lecture's claim D4).

    h_t = h_{t-1} + W_x x_t                  the state: a sum, whatever the order
    p(x_{t+1} | x_1 ... x_t) = softmax(W_y h_t)

It is what is left of a recurrent network without W_h and without the squashing. It reads any length, learns
by gradient descent and forgets nothing; it only cannot tell "dog bites man" from "man bites dog".
"""

import torch
import torch.nn.functional as F
from torch import nn

from .model import SequenceModel, check_state, check_tokens
from .shapes import Float, Int, Tensor


class Bag(SequenceModel):
    """The sum of the words as a model of the next one: parameters W_x (H, V), W_y (V, H) and b_y (V).

    The state is h (B, H), the sum so far; None stands for zeros. The sum grows with the text, and with it the
    certainty of the softmax: another weakness of having no structure.
    """

    def __init__(self, vocab_size: int, hidden: int):
        super().__init__()
        if vocab_size < 1 or hidden < 1:
            raise ValueError(f"Bag(vocab_size={vocab_size}, hidden={hidden}): both must be at least 1")
        self.vocab_size, self.hidden = vocab_size, hidden
        # small columns, so that the sum of a long text does not begin wild
        self.W_x = nn.Parameter(torch.randn(hidden, vocab_size) * 0.1)
        self.W_y = nn.Parameter(torch.randn(vocab_size, hidden) * hidden**-0.5)
        self.b_y = nn.Parameter(torch.zeros(vocab_size))

    def states(
        self, x: Int[Tensor, "B T"], state: Float[Tensor, "B H"] | None = None
    ) -> Float[Tensor, "B T H"]:
        """h_t after each token of x: the running sum, starting from `state` (None: zeros)."""
        check_tokens(x, self.vocab_size)
        check_state(state, Tensor, len(x))
        h = F.embedding(x, self.W_x.T).cumsum(1)  # the column of W_x for each token, added up over time
        return h if state is None else h + state[:, None]

    def forward(
        self, x: Int[Tensor, "B T"], state: Float[Tensor, "B H"] | None = None
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B H"] | None]:
        """Logits (B, T, V) for the token after each of x, and the sum h (B, H) after the last."""
        h = self.states(x, state)
        return F.linear(h, self.W_y, self.b_y), h[:, -1] if x.shape[1] else state
