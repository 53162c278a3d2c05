"""The lecture's five wishes for a model of sequences, measured on any model of the law (claims D2 to D6).

A wish becomes a measurement when we say what is changed in the context and where we look. All contexts and
all changes are drawn with a seed, so the same model always gets the same numbers. The numbers belong to the
model with its weights: measure a trained one to learn about training, a new one to learn about its kind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from .model import SequenceModel, State, detach, device_of, nll, reading
from .scoreboard import LECTURE, scoreboard
from .shapes import Float, Int, Tensor

__all__ = ["LECTURE", "Wishes", "effects", "interaction", "scoreboard", "wishlist"]

REACH = 0.01  # an element is remembered while it has this share of the effect of the last one
DIRECT = 0.1  # a comparison is direct if this share of its strength is left at the longest distance


class Wishes(NamedTuple):
    """What was measured, wish by wish; `ticks` says which of them are fulfilled.

    - order: how far the prediction moves when the context is shuffled (total variation, 0 to 1);
    - length: the longest of the contexts, of 1, 2, 5, 20 and 50 elements, whose first element still counts;
    - gradient: the share of the parameter tensors that the gradient of the loss reaches;
    - pairwise: the interaction of two elements at the longest distance, as a share of the strongest one;
    - memory: the horizon, the largest distance at which an element has 1 % of the effect of the last one.
    """

    order: float
    length: int
    gradient: float
    pairwise: float
    memory: int
    noise: float  # the prediction moves so far by rounding alone
    longest: int  # the longest distance measured
    lengths: tuple[int, ...]  # the lengths tried
    interactions: dict[int, float]  # by the distance of two elements, the size of the mixed difference
    effects: dict[int, float]  # by steps back (1 is the last element), how far the prediction moves

    @property
    def ticks(self) -> dict[str, str]:
        """Each wish's "yes" or "no"; memory is "half" where it spans half of the longest distance."""
        half = "half" if 2 * self.memory >= self.longest else "no"
        return {
            "order": "yes" if self.order > self.noise else "no",
            "length": "yes" if self.length == self.lengths[-1] else "no",
            "gradient": "yes" if self.gradient == 1 else "no",
            "pairwise": "yes" if self.pairwise >= DIRECT else "no",
            "memory": "yes" if self.memory >= self.longest else half,
        }


def wishlist(
    model: SequenceModel,
    vocab_size: int,
    stream: Int[Tensor, "N"] | None = None,
    longest: int = 64,
    contexts: int = 16,
    seed: int = 0,
) -> Wishes:
    """Measure the five wishes on a model that obeys the law.

    - stream (N,): tokens to cut the contexts from and to take replacements from; None draws both evenly from
      the vocabulary, which tells little of a model that knows only texts;
    - longest: the longest distance to measure, in tokens; contexts: how many are averaged over.

    Raises ValueError for a model that breaks the law, and where the stream is too short.
    """
    x, other = _contexts(vocab_size, stream, (contexts, longest + 1), seed)
    with _measuring(model) as device:
        x, other = x.to(device), other.to(device)
        noise, loud = _noise(model, x)
        moved = effects(model, x, other, longest)
        mixed = {d: interaction(model, x, other, d) for d in (1, 2, 4, 8, 16, 32, 64, 128) if d < longest}
        mixed[longest] = interaction(model, x, other, longest)
        mixed = {d: v if v > loud else 0.0 for d, v in mixed.items()}
        lengths = tuple(n for n in (1, 2, 5, 20, 50) if n <= longest + 1)
        return Wishes(
            order=shuffled(model, x, seed),
            length=_used(model, x, other, lengths, noise),
            gradient=reached(model, x),
            pairwise=mixed[longest] / max(*mixed.values(), 1e-30),
            memory=max((k for k, e in moved.items() if e > max(noise, REACH * moved[1])), default=0),
            noise=noise, longest=longest, lengths=lengths, interactions=mixed, effects=moved,
        )  # fmt: skip


def _contexts(
    vocab_size: int, stream: Tensor | None, shape: tuple[int, int], seed: int
) -> tuple[Tensor, Tensor]:
    """Contexts (B, T), and for each of their elements another one to put in its place."""
    g = torch.Generator().manual_seed(seed)
    if vocab_size < 2 or min(shape) < 2 or stream is not None and len(stream) < shape[1]:
        raise ValueError(
            f"vocab_size {vocab_size}, {shape[0]} contexts of {shape[1]} tokens"
            + (f", a stream of {len(stream)}" if stream is not None else "")
            + ": it takes 2 symbols, 2 contexts, a longest distance of 1 and a stream as long as a context"
        )
    if stream is None:
        x, other = torch.randint(vocab_size, (2, *shape), generator=g)
    else:
        starts = torch.randint(len(stream) - shape[1] + 1, (shape[0], 1), generator=g)
        x = stream.cpu()[starts + torch.arange(shape[1])]
        other = stream.cpu()[torch.randint(len(stream), shape, generator=g)]
    return x, torch.where(other == x, (x + 1) % vocab_size, other)


@contextmanager
def _measuring(model: nn.Module) -> Iterator[torch.device]:
    """The model as it is used, without dropout; afterwards it is as it was."""
    # cuDNN's recurrent layers give no gradients in eval mode; torch's own do
    with reading(model), torch.no_grad(), torch.backends.cudnn.flags(enabled=False):
        yield device_of(model)


def predict(model: SequenceModel, x: Int[Tensor, "B T"], state: State = None) -> Float[Tensor, "B V"]:
    """The scores of what may come after x, about their mean."""
    scores = model(x, state)[0][:, -1]
    scores = scores.maximum(scores.amax(-1, keepdim=True) - 50)  # a probability of 0 has a score of -inf
    return scores - scores.mean(-1, keepdim=True)


def distance(one: Float[Tensor, "B V"], other: Float[Tensor, "B V"]) -> Float[Tensor, "B"]:
    """How far two predictions lie apart: total variation, from 0 (the same) to 1 (nothing in common)."""
    return (one.softmax(-1) - other.softmax(-1)).abs().sum(-1) / 2


def replaced(x: Int[Tensor, "B T"], other: Int[Tensor, "B T"], *back: int) -> Int[Tensor, "B T"]:
    """x, with the elements that stand so many steps back (1 is the last) taken from `other`."""
    x = x.clone()
    for k in back:
        x[:, -k] = other[:, -k]
    return x


def _noise(model: SequenceModel, x: Int[Tensor, "B T"]) -> tuple[float, float]:
    """How far rounding moves a prediction, and its scores: by the law, one piece and two are the same."""
    whole, far, off = predict(model, x), 0.0, 0.0
    for cut in (1, x.shape[1] // 2, x.shape[1] - 1):
        pieces = predict(model, x[:, cut:], model(x[:, :cut])[1])
        far = max(far, float(distance(whole, pieces).max()))
        off = max(off, float((whole - pieces).abs().max()))
    if not far <= 0.01:  # also where it is not a number
        raise ValueError(f"the model breaks the law: read in two pieces, its prediction moves by {far:.2g}")
    eps = torch.finfo(whole.dtype).eps
    return max(1e-5, 20 * far), max(20 * off, 64 * eps * float(whole.abs().max()))


def shuffled(model: SequenceModel, x: Int[Tensor, "B T"], seed: int = 0, times: int = 4) -> float:
    """Wish 1: the farthest that the prediction moves when the whole context is put into another order."""
    g, here = torch.Generator().manual_seed(seed), predict(model, x)
    orders = [torch.randperm(x.shape[1], generator=g).to(x.device) for _ in range(times)]
    return max(float(distance(predict(model, x[:, order]), here).max()) for order in orders)


def _used(model: SequenceModel, x: Tensor, other: Tensor, lengths: Sequence[int], noise: float) -> int:
    """Wish 2: the longest context that is used from end to end, tried from the shortest up.

    An n-gram takes long contexts too, and ignores all but the last n - 1 elements: what is asked is whether
    the first element counts. It does if changing it moves the prediction, be it by the 38th decimal place.
    """
    used = 0
    for n in lengths:
        c, d = x[:, -n:], other[:, -n:]
        moves = distance(predict(model, replaced(c, d, n)), predict(model, c)).max() > noise
        if not (moves or n > 1 and _felt(model, c, d)):
            break
        used = n
    return used


def _felt(model: SequenceModel, x: Int[Tensor, "B T"], other: Int[Tensor, "B T"]) -> bool:
    """Whether the first element reaches the prediction through the state, by however little.

    The past can act through the state alone, so we ask for the slope along the change that another first
    element makes to it. That tells a far effect, too small for the prediction, from none at all.
    """
    before, after = (_floats(detach(model(t[:, :1])[1])) for t in (x, other))
    with torch.enable_grad():
        state = detach(model(x[:, :1])[1])
        inputs = [s.requires_grad_() for s in _floats(state)]
        scores = predict(model, x[:, 1:], state)
        if not inputs or not scores.requires_grad:
            return False
        ways = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0)).to(scores) * 1e30
        slopes = torch.autograd.grad(scores, inputs, ways, allow_unused=True)  # times 1e30: no underflow
    changes = [a != b for a, b in zip(before, after)]
    return any(s is not None and bool((s[c] != 0).any()) for s, c in zip(slopes, changes))


def _floats(state: State) -> list[Tensor]:
    """The tensors of numbers with a slope that a state is made of."""
    if isinstance(state, tuple | list):
        return [t for part in state for t in _floats(part)]
    return [state] if isinstance(state, Tensor) and state.is_floating_point() else []


def reached(model: SequenceModel, x: Int[Tensor, "B T"]) -> float:
    """Wish 3: the share of the parameter tensors that the gradient of the loss reaches; 0 without any."""
    weights = [p for p in model.parameters() if p.requires_grad]
    with torch.enable_grad():
        loss = nll(model, x) if weights else torch.zeros(())
        if not loss.requires_grad:
            return 0.0
        slopes = torch.autograd.grad(loss, weights, allow_unused=True)
    found = [s for s in slopes if s is not None and s.isfinite().all()]
    return len(found) / len(weights) if any(s.any() for s in found) else 0.0


def interaction(
    model: SequenceModel, x: Int[Tensor, "B T"], other: Int[Tensor, "B T"], apart: int
) -> float:
    """Wish 4: what the last element and the one `apart` before it do only together."""

    def s(*back: int) -> Tensor:
        return predict(model, replaced(x, other, *back))

    a, b = apart + 1, 1  # steps back
    mixed = s(a, b) - s(a) - s(b) + s()  # 0 where the two act independently
    return mixed.pow(2).mean(-1).sqrt().mean().item()


def effects(
    model: SequenceModel, x: Int[Tensor, "B T"], other: Int[Tensor, "B T"], longest: int
) -> dict[int, float]:
    """Wish 5: how far the prediction moves when one element is changed, by how far back that is."""
    here, moved = predict(model, x), {}
    many = max(1, 2_000_000 // (x.numel() * here.shape[1]))  # changes read at once: a matter of memory
    for first in range(1, longest + 1, many):
        some = range(first, min(first + many, longest + 1))
        there = predict(model, torch.cat([replaced(x, other, k) for k in some]))
        far = distance(there, here.repeat(len(some), 1)).view(len(some), -1)
        moved |= dict(zip(some, far.mean(1).tolist()))
    return moved
