"""Writing with any model of the law (lecture G1, G2): read, choose the next symbol, feed it back.

One sampler serves all models, because all answer the same call: the prompt is read once, then each
new symbol costs one call with T = 1.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import torch

from .model import SequenceModel, State, device_of, reading
from .shapes import Float, Int, Tensor
from .vocab import Vocab


def greedy(logits: Float[Tensor, "B V"]) -> Int[Tensor, "B"]:
    """The likeliest symbol of each row; of several equally likely ones the first."""
    return logits.argmax(-1)


def keep_top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """The k largest logits of each row, the others at -inf. Exactly k stay: of equal ones the first."""
    if k < 1:
        raise ValueError(f"top_k is {k}: at least one symbol must stay")
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.scatter(-1, order[..., k:], -torch.inf)


def keep_top_p(logits: Float[Tensor, "B V"], p: float | int) -> Float[Tensor, "B V"]:
    """The smallest set of likeliest symbols with mass p or more, the others at -inf; one stays at least.

    Known as nucleus sampling (Holtzman et al., 2020, arXiv 1904.09751).
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p is {p}: expected 0 < top_p <= 1, the share of the probability that stays")
    order = logits.argsort(dim=-1, descending=True, stable=True)
    probs = logits.softmax(-1).gather(-1, order)
    before = probs.cumsum(-1) - probs  # the mass of all likelier symbols
    dropped = torch.empty_like(probs, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(dropped, -torch.inf)


def keep_min_p(logits: Float[Tensor, "B V"], p: float | int) -> Float[Tensor, "B V"]:
    """The symbols at least p times as likely as the likeliest one of their row, the others at -inf.

    Where the model is sure, few stay; where it is not, many do (Nguyen et al., 2024, arXiv 2407.01082).
    """
    if not 0 < p <= 1:
        raise ValueError(f"min_p is {p}: expected 0 < min_p <= 1, a share of the largest probability")
    return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(p), -torch.inf)


def sample(
    logits: Float[Tensor, "B V"],
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "B"]:
    """Draw one symbol a row from softmax(logits / temperature).

    Temperature 0 is the likeliest symbol (`greedy`); below 1 the draw is bolder than the model, above 1
    wilder. First the temperature acts, then top_k, then top_p and min_p on what is left. The draw is made on
    the CPU in float64, whatever the model runs on: tiny temperatures do not overflow, and a (CPU) generator
    means the same draws everywhere. Raises ValueError for bad settings, nan logits, and rows where
    nothing is possible.
    """
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}: expected 0 (the likeliest symbol) or more")
    scores = logits.detach().to("cpu", torch.float64)
    top = scores.amax(-1, keepdim=True)
    if not top.isfinite().all():
        raise ValueError("logits hold nan or inf, or a row where every symbol is impossible (-inf)")
    if temperature == 0:
        return greedy(logits)
    scores = (scores - top) / temperature
    if top_k is not None:
        scores = keep_top_k(scores, top_k)
    if top_p is not None:
        scores = keep_top_p(scores, top_p)
    if min_p is not None:
        scores = keep_min_p(scores, min_p)
    return torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0].to(logits.device)


def read(
    model: SequenceModel, prompt: Int[Tensor, "B T"], state: State = None
) -> tuple[Float[Tensor, "B T2 V"], State]:
    """Read a prompt in pieces of 1,024 (by the law, pieces only save memory): the last logits, the state."""
    for piece in prompt.split(1024, 1):
        logits, state = model(piece, state)
    return logits, state


@torch.no_grad()
def continuation(
    model: SequenceModel,
    prompt: Int[Tensor, "B T"],
    pick: Callable[[Float[Tensor, "B V"]], Int[Tensor, "B"]] = sample,
    state: State = None,
) -> Iterator[Int[Tensor, "B"]]:
    """The symbols that follow the prompt, without end: take as many as you like.

    prompt (B, T) is read once: see `read`.
    """
    logits, state = read(model, prompt, state)
    while True:
        x = pick(logits[:, -1])
        yield x
        logits, state = model(x[:, None], state)


def generate(
    model: SequenceModel,
    prompt: Int[Tensor, "B T"],
    steps: int,
    pick: Callable[[Float[Tensor, "B V"]], Int[Tensor, "B"]] = sample,
    state: State = None,
    stop: int | None = None,
) -> Int[Tensor, "B N"]:
    """The prompt (B, T) and `steps` more symbols, each chosen by `pick` from the last logits and fed back.

    `state` is what the model read before the prompt. With `stop`, a row that has written this symbol is
    filled up with it, and the writing ends when all rows have: then N < T + steps. Raises ValueError for
    an empty prompt and for ids (stop's too) that the model does not know. Lecture G1, G2.
    """
    check_prompt(model, prompt, steps, stop)
    symbols = continuation(model, prompt, pick, state)
    if stop is not None:
        symbols = _until(stop, symbols)
    with reading(model):
        return torch.cat([prompt, *(x[:, None] for x in islice(symbols, steps))], 1)


def _until(stop: int, symbols: Iterator[Int[Tensor, "B"]]) -> Iterator[Int[Tensor, "B"]]:
    """A row that has written `stop` writes nothing else; the end comes when all rows have."""
    done = torch.tensor(False)
    for x in symbols:
        x = x.masked_fill(done.to(x.device), stop)
        done = x == stop
        yield x
        if done.all():
            return


def check_prompt(model: SequenceModel, prompt: Tensor, steps: int, stop: int | None = None) -> None:
    """Raise a ValueError that says what is wrong, unless the model can read this prompt and write on."""
    if prompt.ndim != 2 or prompt.is_floating_point():
        raise ValueError(
            f"prompt is {prompt.dtype} of shape {tuple(prompt.shape)}: pass token ids of shape (B, T); "
            "one sequence is ids[None]"
        )
    if not prompt.numel():
        raise ValueError("prompt is empty: give at least one symbol, such as the newline that begins a story")
    low, high, V = int(prompt.min()), int(prompt.max()), model.vocab_size
    if low < 0 or high >= V:
        raise ValueError(f"prompt holds ids from {low} to {high}: the model knows 0 to {V - 1}")
    if steps < 0:
        raise ValueError(f"steps is {steps}: expected 0 or more symbols to write")
    if stop is not None and not 0 <= stop < V:
        raise ValueError(f"stop is {stop}: expected one of the ids 0 to {V - 1}, or None")


def write(
    model: SequenceModel,
    vocab: Vocab,
    prompt: str = "\n",
    steps: int = 200,
    seed: int = 0,
    stop: str | None = None,
    **sampling: Any,
) -> str:
    """The prompt as text and `steps` symbols that the model writes after it, up to `stop` where it is given.

    `sampling` goes to `sample`: temperature, top_k, top_p, min_p. The same seed writes the same text. The
    text is plain: escape it before it goes into HTML. Raises ValueError for an empty prompt; what an unknown
    symbol does is the vocabulary's choice.
    """
    if not prompt:
        raise ValueError('prompt is "": give at least one symbol; "\\n" begins a story')
    pick = partial(sample, generator=torch.Generator().manual_seed(seed), **sampling)
    ids = vocab.encode(prompt)[None].to(device_of(model))
    out = generate(model, ids, steps, pick, stop=None if stop is None else vocab.id(stop))
    return prompt + vocab.decode(out[0, ids.shape[1] :])
