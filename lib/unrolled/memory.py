"""Does a model remember, and how far back? The traveller's capital (lecture, V4), and success by lag."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice

import torch
from torch import nn

from . import stories
from .model import SequenceModel, State, device_of, reading
from .shapes import Float, Int, Tensor
from .stories_grammar import CAPITALS
from .tasks import NOT_ASKED, Batch, Task
from .train import train
from .vocab import Vocab


@torch.no_grad()
def choose(model: SequenceModel, vocab: Vocab, context: str, options: Sequence[str]) -> Float[Tensor, "N"]:
    """How the model would divide its bets among these continuations of the context, and no others.

    Each option is scored whole by the chain rule, whether it is one symbol or many; the N shares sum to 1.
    The model is used as it is, without dropout.
    """
    device = device_of(model)
    with reading(model):
        logits, state = model(vocab.encode(context)[None].to(device))
        first = logits[0, -1].log_softmax(-1)
        scores = [_log_prob(model, vocab.encode(option).to(device), first, state) for option in options]
    return torch.stack(scores).softmax(0)


def _log_prob(
    model: SequenceModel, ids: Int[Tensor, "T"], first: Float[Tensor, "V"], state: State
) -> Float[Tensor, ""]:
    """Of a whole option: its first symbol by `first`, the others by what the model reads from `state` on."""
    if len(ids) == 1:
        return first[ids[0]]
    rest = model(ids[None, :-1], state)[0][0].log_softmax(-1)
    return first[ids[0]] + rest.gather(-1, ids[1:, None]).sum()


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


@cache
def story_words() -> Vocab:
    """All the symbols of the travel stories."""
    return Vocab.words(stories.text(2000))


class Capital(Task):
    """A traveller leaves for a country; `lag` or more words later: which capital is the train to (V4)?

    The stories are those of `stories`; all twelve countries are equally likely.
    """

    least = 0
    guess, chance = math.log2(len(CAPITALS)), 1 / len(CAPITALS)

    @property
    def symbols(self) -> Sequence[str]:
        """The words of the stories."""
        return story_words().symbols

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """x (n, T): stories up to the word before the capital, filled up with new lines to one length."""
        seed = int(torch.randint(2**31, (), generator=generator))
        words, lines = story_words(), stories.sample(n, seed, self.lag)
        ids = [words.encode("\n" + line) for line in lines]
        capitals = torch.tensor([words.id(f" {capital}") for capital in CAPITALS.values()])
        places = [int(torch.isin(row, capitals).nonzero()[-1]) for row in ids]
        x = torch.full((n, max(places)), words.id("\n"))
        y = torch.full_like(x, NOT_ASKED)
        for b, (row, place) in enumerate(zip(ids, places)):
            x[b, :place], y[b, place - 1] = row[:place], row[place]
        return Batch(x, y)


def success_by_lag(
    model: SequenceModel | Callable[[Task], SequenceModel],
    task: Callable[[int], Task],
    lags: Sequence[int],
    steps: int = 500,
    lr: float = 3e-3,
) -> Float[Tensor, "N"]:
    """The accuracy on `task(lag)` for each of the lags: how far does the memory reach?

    task: a class such as `Recall`, or any function from a lag to a task. model: a trained model, asked at
    every lag as it is; or a function from a task to a new model, which is then trained for `steps` batches of
    that lag first.
    """
    found = []
    for each in map(task, lags):
        asked = model
        if not isinstance(model, nn.Module):
            asked = model(each)
            deque(islice(train(asked, each, lr), steps), maxlen=0)  # take the steps, keep nothing
        found.append(each.accuracy(asked))
    return torch.tensor(found)
