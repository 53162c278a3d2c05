"""Running parity: has a 1 been read an even or an odd number of times? One bit must be kept (lecture O3).

It is the smallest task whose solution can be written down by hand, so one can compare the room that a
solution needs with the room in which training finds one.
"""

import torch

from .shapes import Bool, Tensor
from .tasks import Batch, Task

STEEP = 10.0  # how far into its flat ends the hand-made network drives each tanh


class Parity(Task):
    """A row of `lag` zeros and ones; after each of them: is the number of ones so far odd?

    Guessing costs 1 bit at every step, and all but the whole past is guessing: one symbol missed turns all
    later answers round.
    """

    symbols = "01"
    guess, chance = 1.0, 1 / 2

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, lag): coins; y (n, lag): 1 where an odd number of ones was read."""
        x = torch.randint(2, (n, self.lag), generator=generator)
        return Batch(x, x.cumsum(1) % 2)

    def right(self, model: torch.nn.Module, batch: Batch) -> Bool[Tensor, "N"]:
        """For each answer: is it the model's likelier symbol? Here 0 is an answer, no blank."""
        return (model(batch.x)[0].argmax(-1) == batch.y).flatten()


def by_hand() -> dict[str, Tensor]:
    """The weights of an RNN of two units that solves it: one means "or", the other "and".

    With p the parity so far (0 or 1) and x the new symbol, the first unit says x + p > 1/2 and the second
    x + p > 3/2; the new parity is the first without the second: half of h_1 - h_2. For `load_state_dict`.
    """
    half = torch.tensor([[0.5, -0.5]])
    return {
        "W_x": STEEP * torch.tensor([[0.0, 1.0], [0.0, 1.0]]),
        "W_h": STEEP * half.expand(2, 2).clone(),
        "b_h": STEEP * torch.tensor([-0.5, -1.5]),
        "W_y": STEEP * torch.cat([-half, half]),
        "b_y": STEEP * torch.tensor([0.5, -0.5]),
    }
