"""Does a model remember? The traveller's capital: named by a country long before (lecture, V4)."""

from collections.abc import Sequence

import torch

from . import stories
from .model import SequenceModel
from .shapes import Float, Tensor
from .stories_grammar import CAPITALS
from .vocab import Vocab


@torch.no_grad()
def choose(model: SequenceModel, vocab: Vocab, context: str, options: Sequence[str]) -> Float[Tensor, "N"]:
    """How the model would divide its bets among these continuations of the context, and no others.

    Each option is scored whole by the chain rule, whether it is one symbol or many; the N shares sum to 1.
    """
    logits, state = model(vocab.encode(context)[None])
    first = logits[0, -1].log_softmax(-1)
    scores = []
    for option in options:
        ids = vocab.encode(option)
        logp = first[ids[0]]
        if len(ids) > 1:
            rest = model(ids[None, :-1], state)[0][0].log_softmax(-1)
            logp = logp + rest.gather(-1, ids[1:, None]).sum()
        scores.append(logp)
    return torch.stack(scores).softmax(0)


def capital_recall(
    model: SequenceModel, vocab: Vocab, lag: int = 12, n: int = 60, seed: int = 5
) -> float:
    """The mean probability of the right capital, of twelve, where a new story names it.

    At least `lag` words stand between the country and its capital. Guessing gives 1/12 (0.083), a model that
    remembers the country 1. The stories are new: n of them, from `stories.sample(n, seed, lag)`.
    """
    capitals = [f" {capital}" for capital in CAPITALS.values()]
    shares = []
    for story in stories.sample(n, seed=seed, lag=lag):
        place, right = max((story.rfind(capital), i) for i, capital in enumerate(capitals))
        shares.append(float(choose(model, vocab, "\n" + story[:place], capitals)[right]))
    return sum(shares) / n
