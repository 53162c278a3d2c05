"""How large the steps of a training are, from the first to the last: a learning rate for each step.

    fit(model, batches, 1000, lr=cosine(3e-3, 1000, warmup=50))

A schedule is a function from the number of the step to the learning rate, so it has no state: a training
that is taken up again asks for the step at which it stands.
"""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def linear(peak: float | int, steps: int, warmup: int = 0, end: float | int = 0.0) -> Schedule:
    """Up to `peak` in the first `warmup` steps, then straight down to `end`, where `steps` are over."""
    return _schedule(peak, steps, warmup, end, lambda share: 1 - share)


def cosine(peak: float | int, steps: int, warmup: int = 0, end: float | int = 0.0) -> Schedule:
    """As `linear`, but down half a wave: slow at first, steep in the middle, slow at the end.

    Loshchilov and Hutter, 2017, arXiv 1608.03983, without the restarts.
    """
    return _schedule(peak, steps, warmup, end, lambda share: (1 + math.cos(math.pi * share)) / 2)


def _schedule(
    peak: float | int, steps: int, warmup: int, end: float | int, left: Callable[[float], float]
) -> Schedule:
    """left(share) says what is left of the height, 1 to 0, after a share of the way down."""
    if not 0 <= warmup < steps or not 0 <= end <= peak:
        raise ValueError(f"warmup is {warmup} of {steps} steps, end is {end} of a peak of {peak}: expected "
                         "0 <= warmup < steps and 0 <= end <= peak")

    def rate(step: int) -> float:
        if step < warmup:
            return peak * (step + 1) / warmup
        return end + (peak - end) * left(min(1.0, (step - warmup) / (steps - warmup)))

    return rate
