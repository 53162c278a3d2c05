"""Chapter 14, attention: sdpa, split_heads, causal_mask."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Bool, Float, Tensor
from ...transformer import attention, causal, split
from ..exercise import Exercise
from ..properties import demand, finite_when
from ..trial import Trial

CHAPTER = "14_transformers"


def sdpa(
    q: Float[Tensor, "B T D"], k: Float[Tensor, "B S D"], v: Float[Tensor, "B S D"], mask: Bool[Tensor, "T S"]
) -> Float[Tensor, "B T D"]:
    """softmax(q k^T / sqrt(D)) v, where the mask is True."""
    scores = q @ k.mT / q.shape[-1] ** 0.5  # (B, T, S)
    scores = scores.masked_fill(~mask, -torch.inf)  # before the softmax: the others share the whole
    return scores.softmax(-1) @ v


def _library_sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return attention(q[:, None], k[:, None], v[:, None], mask)[:, 0]


def _sdpa_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, S, D = [(1, 2, 3, 4), (2, 3, 5, 4), (3, 4, 4, 9), (2, 5, 3, 16)][i]
    mask = torch.rand(T, S, generator=g) < 0.6
    mask[torch.arange(T), torch.arange(T) % S] = True  # each may look somewhere
    mask[0, -1] = False
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {"q": draw(B, T, D), "k": draw(B, S, D), "v": draw(B, S, D), "mask": mask}


def _sdpa(of: str) -> Callable[..., Any]:
    """Attention with one thing changed."""

    def wrong(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        D, T = q.shape[-1], q.shape[1]
        scores = q @ k.mT / {"no root": 1, "by D": D, "by T": T**0.5}.get(of, D**0.5)
        if of == "after":
            return (scores.softmax(-1) * mask) @ v
        if of == "times":
            return (scores * mask).softmax(-1) @ v
        if of != "no mask":
            scores = scores.masked_fill(mask if of == "inverted" else ~mask, -torch.inf)
        return scores.softmax(1 if of == "queries" else -1).nan_to_num() @ v

    return wrong


def _by_hand(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    e = (q @ k.mT / q.shape[-1] ** 0.5).exp() * mask
    return e @ v / e.sum(-1, keepdim=True)


SDPA = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="sdpa(q, k, v, mask) -> out",
    text="""q (B, T, D) are T questions, k (B, S, D) and v (B, S, D) the keys and values of S elements. mask
(T, S) is True where a question may look; each may look somewhere. Return, for each question, the mean of the
values under the weights softmax(q k^T / sqrt(D)), of shape (B, T, D).""",
    worked=sdpa,
    reference=_library_sdpa,
    cases=_sdpa_case,
    axes={"q": "B T D", "k": "B S D", "v": "B S D", "mask": "T S", "return": "B T D"},
    grads=("q", "k", "v"),
    properties=(
        finite_when("large scores are no trouble", lambda case: {"q": 400 * case["q"]}),
    ),
    right={
        "torch's own": lambda q, k, v, mask: torch.nn.functional.scaled_dot_product_attention(q, k, v, mask),
        "minus infinity is added": lambda q, k, v, mask: (
            q @ k.mT / q.shape[-1] ** 0.5 + mask.to(q.dtype).log()).softmax(-1) @ v,
    },
    wrong={
        "the root is missing": (
            _sdpa("no root"),
            "The scores are not divided. The more numbers a key has, the larger they get, and the softmax "
            "sees one key only."),
        "divided by D": (
            _sdpa("by D"),
            "You divide by D itself. A sum of D products of random numbers is about sqrt(D) large, so its "
            "root is the measure."),
        "divided by the root of T": (
            _sdpa("by T"),
            "You divide by the root of the number of questions. What matters is how many products are added "
            "up in one score."),
        "the questions share the weights": (
            _sdpa("queries"),
            "Your softmax runs over the questions. For each question the weights over the keys sum to 1."),
        "the mask is the wrong way round": (
            _sdpa("inverted"),
            "You shut out what may be seen. True means that a question may look there."),
        "scores are multiplied with the mask": (
            _sdpa("times"),
            "A score of 0 still gets a weight, since exp(0) is 1. What may not be seen has the score minus "
            "infinity."),
        "the mask comes after the softmax": (
            _sdpa("after"),
            "You set weights to 0 after the softmax, and those that are left no longer sum to 1."),
        "no mask at all": (
            _sdpa("no mask"),
            "Every question looks everywhere. The mask is not used."),
        "a softmax by hand that overflows": (
            _by_hand,
            "Right for small scores. `exp` of a large one is infinite: take the largest score off first, as "
            "`softmax` does."),
    },
    hints=(
        "The product of q with k, turned round in its last two axes, has the shape (B, T, S): `k.mT`.",
        "`masked_fill` puts minus infinity where a question may not look. Do it before the softmax.",
        "The softmax runs along the last axis. Multiplied with v, it gives the means.",
    ),
    explain="what do you get when all keys are alike?",
    harder="kv_step",
)  # fmt: skip


def split_heads(x: Float[Tensor, "B T D"], N: int) -> Float[Tensor, "B N T d"]:
    """Each vector cut into N pieces that follow each other; the heads come before the time."""
    B, T, D = x.shape
    return x.view(B, T, N, D // N).transpose(1, 2)  # (B, T, N, d) -> (B, N, T, d)


def _heads_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, N, d = [(1, 3, 2, 2), (2, 4, 3, 5), (3, 4, 2, 4), (2, 5, 4, 3)][i]
    return {"x": torch.randn(B, T, N * d, generator=g, dtype=torch.float64), "N": N}


HEADS = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="split_heads(x, N) -> pieces",
    text="""x (B, T, D) holds a vector of D numbers for each element. Cut each vector into N pieces of D / N
numbers, the first head getting the first piece, and return them as (B, N, T, D / N).""",
    worked=split_heads,
    reference=lambda x, N: split(x, x.shape[-1] // N),
    cases=_heads_case,
    axes={"x": "B T D", "return": "B N T d"},
    grads=("x",),
    right={"chunks": lambda x, N: torch.stack(x.chunk(N, -1), 1)},
    wrong={
        "viewed at once": (
            lambda x, N: x.reshape(x.shape[0], N, x.shape[1], -1),
            "The shape is right, and the content is mixed: `view` goes through the numbers in their order, "
            "so a head gets numbers of different elements. Cut first, then swap two axes."),
        "every N-th number": (
            lambda x, N: x.unflatten(-1, (-1, N)).permute(0, 3, 1, 2),
            "You deal the numbers out like cards. The first head gets the first D / N numbers in a row."),
        "time first": (
            lambda x, N: x.unflatten(-1, (N, -1)),
            "Your pieces are right, and stand as (B, T, N, d). The heads come before the time."),
        "heads in the batch": (
            lambda x, N: torch.cat(x.chunk(N, -1)),
            "You put the heads into the batch. Here they have an axis of their own, the second one."),
    },
    hints=(
        "`x.view(B, T, N, D // N)` cuts the last axis only: nothing moves.",
        "Two axes are then in the wrong order: `transpose` swaps them.",
    ),
    explain="what undoes it?",
    harder="sdpa",
)  # fmt: skip


def causal_mask(T: int, S: int) -> Bool[Tensor, "T S"]:
    """True where the last T of S elements may look: at themselves and at all before them."""
    t = torch.arange(S - T, S)  # where the questions stand
    return torch.arange(S) <= t[:, None]


def _mask_case(g: torch.Generator, i: int) -> dict[str, Any]:
    return dict(zip("TS", [(2, 2), (2, 5), (4, 4), (3, 7)][i]))


def _none_is_blind(trial: Trial) -> bool:
    return bool(trial.got.any(-1).all())


MASK = Exercise(
    chapter=CHAPTER, tier=2, minutes=10,
    signature="causal_mask(T, S) -> mask",
    text="""Of S elements the last T are new and ask. Return mask (T, S), True where a new element may look:
at itself and at all before it. With T = S nothing was read before.""",
    worked=causal_mask,
    reference=lambda T, S: causal(T, S),
    cases=_mask_case,
    axes={"return": "T S"},
    early=(
        demand("each may look somewhere", _none_is_blind,
               "one of them may look nowhere at all: its softmax divides 0 by 0"),
    ),
    right={"tril": lambda T, S: torch.ones(T, S, dtype=torch.bool).tril(S - T),
           "a cut of the square": lambda T, S: torch.ones(S, S, dtype=torch.bool).tril()[S - T:]},
    wrong={
        "not even at itself": (
            lambda T, S: torch.ones(T, S, dtype=torch.bool).tril(S - T - 1),
            "Your elements may not look at themselves. The first of a sequence then has nothing to look at, "
            "and its row becomes nan."),
        "into the future": (
            lambda T, S: torch.ones(T, S, dtype=torch.bool).triu(S - T),
            "You keep the upper half: each looks at itself and at what comes after it."),
        "as if nothing was read before": (
            lambda T, S: torch.ones(T, S, dtype=torch.bool).tril(),
            "You count the new elements from the first place on. They are the last T of S."),
        "all of it": (
            lambda T, S: torch.ones(T, S, dtype=torch.bool),
            "Every element sees every other one, those to come as well: it would copy the answer."),
        "one too far": (
            lambda T, S: torch.ones(T, S, dtype=torch.bool).tril(S - T + 1),
            "Your elements see one step ahead, and that is the very one they are asked to guess."),
    },
    hints=(
        "The question in row t stands at place S - T + t. At which places may it look?",
        "Compare `torch.arange(S)` with the places of the questions, put upright by `[:, None]`.",
    ),
    explain="why is no mask needed for T = 1?",
    harder="kv_step",
)  # fmt: skip

EXERCISES = (HEADS, SDPA, MASK)
