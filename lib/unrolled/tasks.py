"""Memory tasks: it is known what must be kept, for how long, and what guessing would give (lecture V3, V4).

Each task makes endless batches (x, y) of fresh examples, and plugs into `train` and `fit`:

    task = Recall(lag=50)
    model = RNN(task.vocab_size, 64)
    fit(model, task, steps=500)
    task.accuracy(model)

Who remembers all that is needed has loss 0 in every one of them. Who remembers nothing has at best the loss
`task.guess` and the accuracy `task.chance`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .model import Core, SequenceModel, State, device_of, reading
from .shapes import Bool, Float, Tensor

NOT_ASKED = -1


class Batch(NamedTuple):
    """x (B, T): what is read; y (B, T): the right answers. Where y is -1 nothing is asked; 0 is a blank."""

    x: Tensor
    y: Tensor


class Task:
    """Endless seeded batches of a task: `next(task)` is Batch(x, y).

    `y[:, t]` is the right answer once `x[:, : t + 1]` was read. `symbols` gives each id of x and y a name.
    Chance is drawn from one generator, so the same seed gives the same batches.
    """

    symbols: Sequence[str]
    least = 1  # the least lag that makes sense
    guess: float  # the loss of the best that does not remember, in bits
    chance: float  # its accuracy

    def __init__(self, lag: int, batch: int = 32, seed: int = 0):
        if lag < self.least or batch < 1:
            raise ValueError(f"lag is {lag} and batch {batch}: expected {self.least} and 1, or more")
        self.lag, self.batch, self.generator = lag, batch, torch.Generator().manual_seed(seed)

    @property
    def vocab_size(self) -> int:
        """How many symbols a model has to know."""
        return len(self.symbols)

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """n fresh examples."""
        raise NotImplementedError

    def __iter__(self) -> "Task":
        return self

    def __next__(self) -> Batch:
        return self.draw(self.batch, self.generator)

    def loss(self, model: SequenceModel, batch: Batch) -> Float[Tensor, ""]:
        """The mean surprise of the answers, in bits."""
        logits, y = _ask(model, batch)
        return F.cross_entropy(logits.mT, y, ignore_index=NOT_ASKED) / math.log(2)

    def right(self, model: SequenceModel, batch: Batch) -> Bool[Tensor, "N"]:
        """For each answer but the blanks: is it the model's likeliest symbol?"""
        logits, y = _ask(model, batch)
        return (logits.argmax(-1) == y)[y > 0]

    @torch.no_grad()
    def accuracy(self, model: SequenceModel, n: int = 256, seed: int = 1_000_003) -> float:
        """The share of right answers in n examples that training did not draw."""
        generator = torch.Generator().manual_seed(seed)
        sizes = [min(32, n - start) for start in range(0, n, 32)]
        with reading(model):
            found = [self.right(model, self.draw(size, generator)) for size in sizes]
        return torch.cat(found).float().mean().item()

    def state_dict(self) -> dict[str, Tensor]:
        """Where the drawing of examples stands."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from where `state_dict` was taken."""
        self.generator.set_state(tensors["generator"])


def _ask(model: SequenceModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """The model's outputs and the right answers, both where the model lives."""
    device = device_of(model)
    return model(batch.x.to(device))[0], batch.y.to(device)


class Recall(Task):
    """One of 8 letters, lag - 1 steps of noise, then a question mark: which letter was it?

    Guessing costs 3 bits. (After the "noisy sequences" of Hochreiter and Schmidhuber, 1997, section 5.)
    """

    symbols = "·ABCDEFGH01?"
    guess, chance = 3.0, 1 / 8

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, lag + 1), such as A 0 1 1 0 ?; the last answer is the letter."""
        x = torch.randint(9, 11, (n, self.lag + 1), generator=generator)
        x[:, 0] = torch.randint(1, 9, (n,), generator=generator)
        x[:, -1] = 11
        y = torch.full_like(x, NOT_ASKED)
        y[:, -1] = x[:, 0]
        return Batch(x, y)


class Copy(Task):
    """Ten letters, then `lag` blanks, then the ten letters have to be said in order.

    Every step has an answer, mostly the blank; `accuracy` counts the ten letters. As in Bai, Kolter and
    Koltun (2018, arXiv 1803.01271, section 4): their loss in nats is ours times ln 2.
    """

    symbols = "·ABCDEFGH?"
    chance = 1 / 8

    @property
    def guess(self) -> float:
        """Ten letters of 3 bits among lag + 20 steps."""
        return 10 * 3 / (self.lag + 20)

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, lag + 20): letters, blanks, and from the signal on eleven question marks."""
        letters = torch.randint(1, 9, (n, 10), generator=generator)
        blanks = letters.new_zeros(n, self.lag + 10)
        x = torch.cat([letters, blanks], 1)
        x[:, -11:] = 9
        return Batch(x, torch.cat([blanks, letters], 1))


class Brackets(Task):
    """Two kinds of brackets, nested up to `lag` deep: which one may close next? It takes a stack.

    Each line opens `lag` brackets, then opens and closes by chance (a Dyck language of bounded depth). It is
    asked after each closing bracket, where the last symbol tells nothing of the answer: guessing costs 1 bit.
    """

    symbols = "·()[]"
    least = 2  # of depth 1, nothing is open any more after a closing bracket
    guess, chance = 1.0, 1 / 2

    def __init__(self, lag: int, batch: int = 32, seed: int = 0, length: int = 64):
        super().__init__(lag, batch, seed)
        if length <= lag:
            raise ValueError(f"length is {length}: expected more than lag, {lag}")
        self.length = length

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, length): a bracket at each step."""
        coins = torch.randint(2, (2, n, self.length), generator=generator).tolist()
        lines = [self._line(up, kinds) for up, kinds in zip(*coins)]
        return Batch(*torch.tensor(lines).unbind(1))

    def _line(self, up: list[int], kinds: list[int]) -> tuple[list[int], list[int]]:
        """One line and its answers, from coins: open or close, and which kind."""
        x, y, stack = [], [], []
        for t in range(self.length):
            if t < self.lag or not stack or (up[t] and len(stack) < self.lag):
                stack.append(2 + 2 * kinds[t])  # the id of the bracket that will close it
                x.append(stack[-1] - 1)
                y.append(NOT_ASKED)
            else:
                x.append(stack.pop())
                y.append(stack[-1] if stack else NOT_ASKED)
        return x, y


class Readout(SequenceModel):
    """Numbers in, numbers out: a core that reads vectors, and one linear layer that answers from its h.

    `y, state = model(a, state)`: a (B, T, D) with D = core.inputs, y (B, T, O); the law holds as for symbols.
    """

    def __init__(self, core: Core, outputs: int = 1):
        super().__init__()
        self.core, self.vocab_size, self.W_y = core, outputs, nn.Linear(core.hidden, outputs)

    def forward(self, a: Float[Tensor, "B T D"], state: State = None) -> tuple[Float[Tensor, "B T O"], State]:
        """The answer after each element of a, and the core's state."""
        h, state = self.core(a, state)
        return self.W_y(h), state


class Adding(Task):
    """`lag` numbers between 0 and 1, two of them marked: what is the sum of the two?

    For a model of numbers, such as `Readout(core)` with core.inputs = 2. The loss is the squared error, no
    bits: always saying 1 has 1/6. An answer is right within 0.04 (Hochreiter and Schmidhuber, 1997, section
    5.4; with marks anywhere, as Bai, Kolter and Koltun, 2018, have them).
    """

    inputs, symbols, least = 2, ("sum",), 2
    guess, chance = 1 / 6, 2 * 0.04 - 0.04**2

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, lag, 2): a number and its mark, 0 or 1; y (n): the sums."""
        numbers = torch.rand(n, self.lag, generator=generator)
        marked = torch.rand(n, self.lag, generator=generator).topk(2).indices
        marks = torch.zeros(n, self.lag).scatter(1, marked, 1.0)
        return Batch(torch.stack([numbers, marks], -1), (numbers * marks).sum(1))

    def loss(self, model: SequenceModel, batch: Batch) -> Float[Tensor, ""]:
        """The mean squared error of the last output."""
        answers, y = _ask(model, batch)
        return F.mse_loss(answers[:, -1, 0], y)

    def right(self, model: SequenceModel, batch: Batch) -> Bool[Tensor, "N"]:
        """For each example: is the last output within 0.04 of the sum?"""
        answers, y = _ask(model, batch)
        return (answers[:, -1, 0] - y).abs() < 0.04
