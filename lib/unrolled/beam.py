"""Beam search: follow the most promising beginnings side by side, with any model of the law.

Greedy writing takes the likeliest symbol, and may miss the likeliest *text*: a dull first word can lead to a
better whole. Beam search keeps the K likeliest beginnings at each step (Sutskever et al., 2014, arXiv
1409.3215); what is finished keeps its place. K = 1 is greedy; a K that no number of texts exceeds is
exhaustive. In between it is neither: it can even find less than greedy does.
"""

from typing import NamedTuple

import torch

from .generate import check_prompt, read
from .model import SequenceModel, State, reading, take_rows
from .shapes import Bool, Float, Int, Tensor


class Beams(NamedTuple):
    """The K texts that a search found for each row of the prompt, the best first.

    tokens (B, K, N): the prompt and what was written, filled up with the stop symbol; log_probs (B, K): the
    natural logarithm of the probability of what was written; scores (B, K): what the texts are ranked by.
    A beam wider than there are texts has some with -inf: they mean nothing.
    """

    tokens: Int[Tensor, "B K N"]
    log_probs: Float[Tensor, "B K"]
    scores: Float[Tensor, "B K"]


def length_penalty(length: int, alpha: float | int) -> float:
    """GNMT's lp(Y) = ((5 + |Y|) / 6)^alpha, for a text of |Y| symbols (Wu et al., 2016, arXiv 1609.08144)."""
    return ((5 + length) / 6) ** alpha


def coverage_penalty(coverage: Float[Tensor, "... S"], beta: float | int) -> Float[Tensor, "..."]:
    """GNMT's cp(X; Y) = beta sum_i log(min(sum_j p_ij, 1)): below 0 where a source symbol got no attention.

    coverage (..., S) is the sum over j: how much attention each symbol of the source has had. None at all
    costs much, but never more than anything: it counts as the smallest number of its precision.
    """
    return beta * coverage.clamp(torch.finfo(coverage.dtype).tiny, 1).log().sum(-1)


def gnmt_score(
    log_probs: Float[Tensor, "B K"],
    length: int,
    state: State,
    alpha: float | int = 0.6,
    beta: float | int = 0.0,
) -> Float[Tensor, "B K"]:
    """GNMT's score of texts of so many symbols: log P(Y|X) / lp(Y) + cp(X; Y).

    alpha 0 is the plain log-probability, which favours short texts. beta needs a state that keeps the
    `coverage` (B * K, S), as that of attention does; without one it is a ValueError.
    """
    scores = log_probs / length_penalty(length, alpha)
    if not beta:
        return scores
    coverage = getattr(state, "coverage", None)
    if coverage is None:
        raise ValueError(f"beta is {beta}: it takes a state with coverage, as models with attention have")
    return scores + coverage_penalty(coverage.view(*scores.shape, -1), beta)


@torch.no_grad()
def beam_search(
    model: SequenceModel,
    prompt: Int[Tensor, "B T"],
    steps: int,
    width: int = 4,
    state: State = None,
    stop: int | None = None,
    **score: float | int,
) -> Beams:
    """The `width` best texts of `steps` symbols (fewer up to `stop`) after the prompt, for each of its rows.

    `state` is what the model read before the prompt; `score` goes to `gnmt_score`: alpha, beta. The beam
    keeps the likeliest beginnings, the scores rank the texts at the end. The state is picked apart by rows
    (`model.take_rows`), so it has the batch first. Raises ValueError for bad prompts, states and logits.
    """
    check_prompt(model, prompt, steps, stop)
    if min(width, steps) < 1:
        raise ValueError(f"width is {width}, steps is {steps}: expected one text and one step, or more")
    copies = torch.arange(len(prompt), device=prompt.device).repeat_interleave(width)
    with reading(model):
        logits, state = read(model, prompt, state)
        logits, state = logits[:, -1:][copies], take_rows(state, copies, len(prompt))
        beam, state = _extend(_begin(prompt, logits, width), logits, state, stop, score)
        while beam.n < steps and beam.open.any():
            logits, state = model(beam.tokens[:, :, -1].reshape(-1, 1), state)
            beam, state = _extend(beam, logits, state, stop, score)
    order = beam.scores.argsort(dim=-1, descending=True, stable=True)
    tokens = beam.tokens.take_along_dim(order[..., None], 1)
    return Beams(tokens, beam.log_probs.gather(1, order), beam.scores.gather(1, order))


class _Beam(NamedTuple):
    """The texts under way: as in Beams, whether each can be continued, and how many symbols were written."""

    tokens: Int[Tensor, "B K N"]
    log_probs: Float[Tensor, "B K"]
    scores: Float[Tensor, "B K"]
    open: Bool[Tensor, "B K"]
    n: int


def _begin(prompt: Int[Tensor, "B T"], logits: Float[Tensor, "R T2 V"], width: int) -> _Beam:
    """The prompt K times; all copies but one at -inf, else the beam would hold the same texts K times."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_probs = torch.full((len(prompt), width), -torch.inf, dtype=dtype, device=logits.device)
    log_probs[:, 0] = 0
    tokens = prompt[:, None].expand(-1, width, -1)
    return _Beam(tokens, log_probs, log_probs, log_probs == 0, 0)


def _log_p(logits: Float[Tensor, "R T V"], alive: Bool[Tensor, "R"]) -> Float[Tensor, "R V"]:
    """The log-probabilities after the last symbol, in float32 at least; what they are matters where alive."""
    last = logits[:, -1].to(torch.promote_types(logits.dtype, torch.float32))
    if not last.amax(-1)[alive].isfinite().all():
        raise ValueError("logits hold nan or inf, or a row where every symbol is impossible (-inf)")
    return last.log_softmax(-1)


def _extend(
    beam: _Beam, logits: Float[Tensor, "R T V"], state: State, stop: int | None, score: dict[str, float | int]
) -> tuple[_Beam, State]:
    """Write a symbol: of all one-symbol extensions the K best, and the rows of the state that fit them."""
    (B, K), V = beam.log_probs.shape, logits.shape[-1]
    ends = torch.arange(V, device=logits.device) == (-1 if stop is None else stop)
    open, before = beam.open[..., None], beam.log_probs[..., None]
    grown = torch.where(open, before + _log_p(logits, beam.open.flatten()).view(B, K, V), -torch.inf)
    # what is finished has one extension, the stop symbol, which costs nothing and always keeps its place
    grown = torch.where(~open & ends, before, grown)
    places = grown.masked_fill(~open & ends & before.isfinite(), torch.inf).flatten(1).topk(K).indices
    parents, x = places // V, places % V
    log_probs = grown.flatten(1).gather(1, places)
    state = take_rows(state, (parents + torch.arange(B, device=x.device)[:, None] * K).flatten(), B * K)
    was_open = beam.open.gather(1, parents)
    now = gnmt_score(log_probs, beam.n + 1, state, **score)
    scores = torch.where(was_open, now, beam.scores.gather(1, parents))
    scores = scores.masked_fill(log_probs.isneginf(), -torch.inf)
    tokens = torch.cat([beam.tokens.take_along_dim(parents[..., None], 1), x[..., None]], -1)
    return _Beam(tokens, log_probs, scores, was_open & ~ends[x] & log_probs.isfinite(), beam.n + 1), state
