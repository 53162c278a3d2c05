"""Two models as one: the mean of their probabilities (for experts of every kind, Jacobs et al., 1991).

    p(w | past) = weight p_1(w | past) + (1 - weight) p_2(w | past)

Its surprise is never above the weighted mean of theirs, since -log is convex. Two models that err in
different places, such as a network and an n-gram, are better together than the better of them alone.
"""

import math
from typing import NamedTuple

import torch

from .model import SequenceModel, State, check_state
from .shapes import Float, Int, Tensor


class MixtureState(NamedTuple):
    """What each of the two models keeps of the past."""

    first: State
    second: State


class Mixture(SequenceModel):
    """`weight` of the first model's probability, the rest of the second's; both know the same symbols.

    ValueError for a weight outside 0 to 1 and for models of different vocabularies.
    """

    def __init__(self, first: SequenceModel, second: SequenceModel, weight: float = 0.5):
        super().__init__()
        if first.vocab_size != second.vocab_size:
            sizes = f"{first.vocab_size} and {second.vocab_size}"
            raise ValueError(f"the models know {sizes} symbols: expected one vocabulary")
        if not 0 < weight < 1:
            raise ValueError(f"weight is {weight}; expected a share between 0 and 1")
        self.first, self.second, self.weight = first, second, weight
        self.vocab_size = first.vocab_size

    def forward(
        self, x: Int[Tensor, "B T"], state: MixtureState | None = None
    ) -> tuple[Float[Tensor, "B T V"], MixtureState]:
        """The logarithms of the mixed probabilities of the token after each of x, and both states."""
        check_state(state, MixtureState, len(x))
        first, second = state or (None, None)
        p, first = self.first(x, first)
        q, second = self.second(x, second)
        parts = [p.log_softmax(-1) + math.log(self.weight), q.log_softmax(-1) + math.log1p(-self.weight)]
        return torch.logaddexp(*parts), MixtureState(first, second)
