"""Chapter 8, more than one text: beam_search, gumbel_top_k."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ... import beam
from ...model import SequenceModel
from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from .generation import CHAPTER


def beam_search(
    first: Float[Tensor, "V"], then: Float[Tensor, "V V"], steps: int, width: int
) -> tuple[Int[Tensor, "steps"], Float[Tensor, ""]]:
    """The best of `width` texts that are followed side by side, and its log-probability."""
    scores, last = first.topk(min(width, len(first)))
    texts = last[:, None]  # (K, 1)
    for _ in range(steps - 1):
        grown = scores[:, None] + then[texts[:, -1]]  # (K, V): every text with every next symbol
        scores, places = grown.flatten().topk(min(width, grown.numel()))
        parents, last = places // grown.shape[1], places % grown.shape[1]
        texts = torch.cat([texts[parents], last[:, None]], 1)
    return texts[0], scores[0]


class _Chain(SequenceModel):
    """The tables as a model of the law: one symbol more, which begins a text and never comes again."""

    def __init__(self, first: Tensor, then: Tensor):
        super().__init__()
        V = len(first)
        self.vocab_size = V + 1
        self.table = torch.full((V + 1, V + 1), -torch.inf, dtype=first.dtype)
        self.table[V, :V], self.table[:V, :V] = first, then

    def forward(self, x: Tensor, state: None = None) -> tuple[Tensor, None]:
        return self.table[x], None


def _library(first: Tensor, then: Tensor, steps: int, width: int) -> tuple[Tensor, Tensor]:
    found = beam.beam_search(_Chain(first, then), torch.tensor([[len(first)]]), steps, width)
    return found.tokens[0, 0, 1:], found.log_probs[0, 0]


def _everything(first: Tensor, then: Tensor, steps: int, width: int) -> tuple[Tensor, Tensor]:
    """The best of all V ** steps texts: scores[a, b, ...] is the log-probability of the text a, b, ..."""
    scores = first
    for _ in range(steps - 1):
        scores = scores[..., None] + then
    return torch.stack(torch.unravel_index(scores.argmax(), scores.shape)), scores.max()


def _search(of: str) -> Callable[..., Any]:
    """The search with one thing changed."""

    def search(first: Tensor, then: Tensor, steps: int, width: int) -> tuple[Tensor, Tensor]:
        width, V = 1 if of == "greedy" else width, len(first)
        begin, table = first.tolist(), then.tolist()  # plain numbers: many small steps
        p = math.exp if of == "added" else float
        beams = [((i,), p(begin[i])) for i in first.argsort(descending=True)[:width].tolist()]
        for _ in range(steps - 1):
            grown = [((*t, v), s + p(table[t[-1]][v])) for t, s in beams for v in range(V)]
            if of == "one child":
                grown = [max(grown[k : k + V], key=lambda g: g[1]) for k in range(0, len(grown), V)]
            last = (lambda g: table[g[0][-2]][g[0][-1]]) if of == "last step" else lambda g: g[1]
            beams = sorted(grown, key=last, reverse=True)[:width]
        text, score = beams[-1 if of == "last of the beam" else 0]
        score = {"mean": score / steps, "probability": math.exp(score)}.get(of, score)
        return torch.tensor(text), torch.tensor(score, dtype=first.dtype)

    return search


_CONFUSED = ((), (_everything,), (_search("greedy"), _search("one child")), (_search("last step"),))


def _beam_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """Tables on which the search and what it is confused with find different texts."""
    V, steps, width = [(3, 3, 2), (4, 3, 2), (4, 4, 2), (5, 4, 3)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64).mul(1.5)  # noqa: E731
    while True:
        first, then = draw(V).log_softmax(-1), draw(V, V).log_softmax(-1)
        found = [kind(first, then, steps, width)[0] for kind in (_search(""), *_CONFUSED[i])]
        if len({tuple(text.tolist()) for text in found}) == len(found):
            return {"first": first, "then": then, "steps": steps, "width": width}


BEAM = Exercise(
    chapter=CHAPTER, tier=3, minutes=35,
    signature="beam_search(first, then, steps, width) -> text, score",
    text="""A bigram model: first (V,) holds the log-probabilities of the first symbol, then[a, b] (V, V)
the log-probability of b after a. Search for a likely text of `steps` symbols, from left to right. Keep the
`width` likeliest beginnings; at each step continue each of them with all V symbols, and of all these keep the
`width` likeliest. Return the likeliest text of the last beam, as ids (steps,), and its log-probability.""",
    worked=beam_search,
    reference=_library,
    cases=_beam_case,
    axes={"first": "V", "then": "V V"},
    right={"with lists": _search(""), "the library's": _library},
    wrong={
        "greedy": (
            _search("greedy"),
            "You follow one beginning, and take its likeliest symbol at each step. Keep `width` of them."),
        "one child for each beginning": (
            _search("one child"),
            "You keep the likeliest continuation of each beginning. Two of the best may come from the same "
            "one: compare all the V * width continuations with each other."),
        "ranked by the last step alone": (
            _search("last step"),
            "Your beam keeps the symbols that are likely now, and forgets what their texts have cost "
            "so far. Rank whole beginnings."),
        "probabilities are added": (
            _search("added"),
            "You add probabilities. The probability of a text is a product; so its log-probability is a "
            "sum of log-probabilities."),
        "all texts are looked at": (
            _everything,
            "This is the best of all texts, better than what a beam of this width finds. A beam gives up "
            "beginnings that look bad early. You need to be as short-sighted as it is."),
        "the last of the beam": (
            _search("last of the beam"),
            "You return a text that was kept, and not the likeliest of those."),
        "the mean of a symbol": (
            _search("mean"),
            "The text is right. Its score is the log-probability of all of it, not that of a symbol on "
            "average."),
        "a probability": (
            _search("probability"),
            "The text is right. Its score is a logarithm, and you turned it into a probability."),
    },
    hints=(
        "Keep two things for each beginning: its ids and its log-probability so far.",
        "With scores (K,) and the last ids (K,), `scores[:, None] + then[last]` has the scores of all K * V "
        "continuations.",
        "`topk` of the flat list gives places; a place divided by V says which beginning, and the rest which "
        "symbol.",
    ),
    explain="how wide must the beam be to be sure of the likeliest text?",
    harder="gumbel_top_k",
)


def gumbel_top_k(logits: Float[Tensor, "V"], u: Float[Tensor, "V"], k: int) -> Int[Tensor, "k"]:
    """k different symbols, drawn one after the other without putting any back: the k largest noisy logits."""
    noise = -torch.log(-torch.log(u))  # Gumbel's distribution, from numbers between 0 and 1
    return (logits + noise).topk(k).indices


def _gumbel_case(g: torch.Generator, i: int) -> dict[str, Any]:
    V, k = [(4, 2), (6, 3), (8, 5), (12, 7)][i]
    logits = torch.randn(V, generator=g, dtype=torch.float64)
    return {"logits": logits, "u": torch.rand(V, generator=g, dtype=torch.float64), "k": k}


def _noisy(key: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    return lambda logits, u, k: key(logits, u).topk(k).indices


def _ready(logits: Tensor, u: Tensor, k: int) -> Tensor:
    return gumbel_top_k(logits, u, k).sort()[0]


GUMBEL = Exercise(
    chapter=CHAPTER, tier=4, minutes=40,
    signature="gumbel_top_k(logits, u, k) -> ids",
    text="""Draw k different symbols at once, as if you drew the first from softmax(logits), took it out, drew
the second from what is left, and so on. There is a way without a loop: give every symbol a random key of its
own, made from its logit and its number u, and take the k largest keys. The noise that does it is Gumbel's:
if u is even between 0 and 1, then -log(-log u) has this distribution. logits (V,), u (V,), all strictly
between 0 and 1; return ids (k,) in the order of the keys, the largest first.""",
    worked=gumbel_top_k,
    cases=_gumbel_case,
    axes={"logits": "V", "u": "V"},
    right={
        "a race: who rings first": lambda logits, u, k: (-torch.log(u) / logits.softmax(-1)).topk(
            k, largest=False).indices,
        "Efraimidis and Spirakis": _noisy(lambda logits, u: torch.log(u) / logits.exp()),
    },
    wrong={
        "the noise is added to probabilities": (
            _noisy(lambda logits, u: logits.softmax(-1) - torch.log(-torch.log(u))),
            "You add the noise to probabilities. They are all between 0 and 1, so the noise decides nearly "
            "alone. It belongs to the logits."),
        "no noise": (
            _noisy(lambda logits, u: logits),
            "These are the k likeliest symbols, the same ones every time. Where does u come in?"),
        "even noise": (
            _noisy(lambda logits, u: logits + u),
            "You add u as it is. It moves a logit by less than 1, so likely symbols come too often. Bend it "
            "first."),
        "the sign is turned": (
            _noisy(lambda logits, u: logits + torch.log(-torch.log(u))),
            "Your noise is Gumbel's with the wrong sign: its long tail reaches down, where it should reach "
            "up."),
        "probability times noise": (
            _noisy(lambda logits, u: logits.softmax(-1) * u),
            "p times u looks right, and favours the likely ones too much. Try two symbols with 2/3 and 1/3: "
            "how often does the first one win?"),
        "in the order of the ids": (
            _ready,
            "The right symbols, sorted by their ids. The order of the keys is the order in which they would "
            "have been drawn."),
    },
    hints=(
        "For k = 1 this is a way to draw from the softmax: the argmax of noisy logits.",
        "Two logarithms and two minus signs make the noise from u. One `topk` does the rest.",
    ),
    explain="why is the second largest key a fair draw from what is left?",
)

EXERCISES = (BEAM, GUMBEL)
