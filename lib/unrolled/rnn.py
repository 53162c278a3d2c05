"""A recurrent network from scratch (lecture R1 to R4; Elman, 1990, "Finding structure in time").

    h_t = tanh(W_h h_{t-1} + W_x x_t)        the state: a summary of all that was read
    p(x_{t+1} | x_1 ... x_t) = softmax(W_y h_t)

x_t is one-hot, so W_x x_t is one column of W_x: nothing is multiplied, the column is looked up.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .model import SequenceModel, check_state, check_tokens
from .shapes import Float, Int, Tensor


def step(
    h: Float[Tensor, "B H"], a: Float[Tensor, "B H"], W_h: Float[Tensor, "H H"]
) -> Float[Tensor, "B H"]:
    """One update of the state: h_t = tanh(W_h h_{t-1} + a_t), with a_t = W_x x_t."""
    return torch.tanh(h @ W_h.T + a)


def unroll(
    h: Float[Tensor, "B H"], a: Float[Tensor, "B T H"], W_h: Float[Tensor, "H H"]
) -> Float[Tensor, "B T H"]:
    """All the states h_1 ... h_T from h = h_0: the same `step`, the same W_h, every time."""
    states = []
    for a_t in a.unbind(1):
        h = step(h, a_t, W_h)
        states.append(h)
    return torch.stack(states, 1)


class RNN(SequenceModel):
    """The lecture's recurrent network (R1 to R4): parameters W_x (H, V), W_h (H, H) and W_y (V, H).

    The state is h (B, H); None stands for zeros. With `bias=True` b_h (H) and b_y (V) are learned too;
    the lecture leaves them out.
    """

    def __init__(self, vocab_size: int, hidden: int, bias: bool = True):
        super().__init__()
        if vocab_size < 1 or hidden < 1:
            raise ValueError(f"RNN(vocab_size={vocab_size}, hidden={hidden}): both must be at least 1")
        self.vocab_size, self.hidden = vocab_size, hidden
        self.W_x = nn.Parameter(torch.empty(hidden, vocab_size))
        self.W_h = nn.Parameter(torch.empty(hidden, hidden))
        self.W_y = nn.Parameter(torch.empty(vocab_size, hidden))
        self.b_h = nn.Parameter(torch.zeros(hidden)) if bias else None
        self.b_y = nn.Parameter(torch.zeros(vocab_size)) if bias else None
        self.reset()

    def reset(self) -> None:
        """Draw new weights, of a size at which W_h neither stretches nor shrinks a state on average."""
        nn.init.normal_(self.W_x)
        nn.init.normal_(self.W_h, std=self.hidden**-0.5)
        nn.init.normal_(self.W_y, std=self.hidden**-0.5)
        for b in (self.b_h, self.b_y):
            if b is not None:
                nn.init.zeros_(b)

    def inputs(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T H"]:
        """W_x x_t + b_h for all t at once: the half of the update that need not wait for the state."""
        check_tokens(x, self.vocab_size)
        a = F.embedding(x, self.W_x.T)  # the column of W_x for each symbol
        return a if self.b_h is None else a + self.b_h

    def states(
        self, x: Int[Tensor, "B T"], state: Float[Tensor, "B H"] | None = None
    ) -> Float[Tensor, "B T H"]:
        """h_t after each token of x, starting from `state` (None: zeros)."""
        a = self.inputs(x)
        check_state(state, Tensor, len(x))
        h = a.new_zeros(len(x), self.hidden) if state is None else state
        if h.shape != (len(x), self.hidden):
            raise ValueError(f"state has shape {tuple(h.shape)}: expected (B, H) = {(len(x), self.hidden)}")
        return unroll(h, a, self.W_h) if x.shape[1] else a

    def forward(
        self, x: Int[Tensor, "B T"], state: Float[Tensor, "B H"] | None = None
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B H"] | None]:
        """Logits (B, T, V) for the token after each of x, and the last state h (B, H)."""
        h = self.states(x, state)
        return F.linear(h, self.W_y, self.b_y), h[:, -1] if x.shape[1] else state
