"""Chapter 11, looking and the loss: seen_pixels, spatial_attention, caption_loss."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...attention import Multiplicative
from ...pairs import cross_entropy
from ...shapes import Float, Int, Tensor
from ..exercise import Exercise
from ..question import Question

CHAPTER = "11_captions"

PIXELS = Question(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="seen_pixels(number)",
    text="""The encoder of this chapter is: convolution 3 x 3, halving, convolution 3 x 3, halving,
convolution 3 x 3. A halving takes the largest of each 2 x 2. How many pixels wide is the square of the
picture that one place of the memory can see?""",
    answer=lambda: 1 + 2 + 1 + 2 * 2 + 2 + 4 * 2,
    way="""see, step = 1, 1  # what one place sees, and how far apart places are, in pixels
for size, stride in [(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)]:
    see, step = see + (size - 1) * step, step * stride
see""",
    wrong={
        "the halvings are forgotten": (
            7, "Three convolutions without halvings see 7 pixels. A halving puts neighbours 2 pixels apart."),
        "products": (
            108, "You multiply all sizes. Each layer adds to what is seen, by how far apart its inputs lie."),
        "the last convolution is forgotten": (
            10, "This is what the second halving sees. The last convolution sees three of these in a row."),
        "three places side by side": (
            12, "Three blocks of 4 pixels. But the blocks overlap: each of the three sees 10 pixels, not 4."),
        "the distance of places": (
            4, "Places lie 4 pixels apart. What one of them sees is wider, so that neighbours overlap."),
        "an area": (
            324, "This is the number of pixels in the square. Asked is how wide it is."),
    },
    hints=(
        "Go through the layers from the first to the last, and keep two numbers: how wide one place sees, "
        "and how many pixels lie between two places.",
        "A layer that looks at n neighbours adds n - 1 times the distance between them.",
    ),
    explain="how wide is it with one halving and one convolution more, and is it wider than the picture?",
    harder="spatial_attention",
    rtol=1e-9,
)  # fmt: skip


def spatial_attention(
    maps: Float[Tensor, "B M R C"], q: Float[Tensor, "B H"], W: Float[Tensor, "H M"]
) -> tuple[Float[Tensor, "B M"], Float[Tensor, "B R C"]]:
    """Look at the places of a picture: the context, and the weights where they lie."""
    memory = maps.flatten(2).mT  # (B, R C, M): one row for each place
    scores = ((memory @ W.T) * q[:, None]).sum(-1)
    weights = scores.softmax(-1)
    context = (weights[..., None] * memory).sum(1)
    return context, weights.view(len(maps), *maps.shape[2:])


def _library(maps: Tensor, q: Tensor, W: Tensor) -> tuple[Tensor, Tensor]:
    model = Multiplicative(*W.shape).to(W.dtype)
    memory = maps.flatten(2).mT
    context, weights = torch.func.functional_call(model, {"W_m.weight": W}, (q[:, None], memory))
    return context[:, 0], weights[:, 0].unflatten(-1, maps.shape[2:])


def _attention_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, M, R, C, H = [(2, 3, 1, 2, 4), (1, 2, 3, 4, 5), (3, 4, 2, 3, 2), (3, 3, 3, 3, 3)][i]
    sizes = {"maps": (B, M, R, C), "q": (B, H), "W": (H, M)}
    return {k: torch.randn(size, generator=g, dtype=torch.float64) for k, size in sizes.items()}


def _attention(of: str) -> Callable[..., Any]:
    """Attention with one thing changed."""

    def look(maps: Tensor, q: Tensor, W: Tensor) -> tuple[Tensor, Tensor]:
        B, M, R, C = maps.shape
        memory = maps.reshape(B, R * C, M) if of == "reshape" else maps.flatten(2).mT
        scores = torch.einsum("bh,hm,bsm->bs", q, W, memory)
        scores = scores / M**0.5 if of == "scaled" else scores
        if of == "rows":
            weights = scores.view(B, R, C).softmax(-1).flatten(1)
        elif of == "sigmoid":
            weights = scores.sigmoid()
        else:
            weights = scores.softmax(-1)
        context = torch.einsum("bs,bsm->bm", weights, memory)
        if of == "hard":
            context = memory[torch.arange(B), scores.argmax(-1)]
        if of == "keys":
            context = torch.einsum("bs,bsh->bh", weights, memory @ W.T)
        if of == "turned":
            return context, weights.view(B, C, R).mT
        return context, weights.view(B, R, C)

    return look


ATTENTION = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="spatial_attention(maps, q, W) -> context, weights",
    text="""maps (B, M, R, C) is what a convolutional network makes of B pictures: M numbers at each of R x C
places. q (B, H) is the writer's state and W (H, M) a parameter. The score of a place with the vector m is
q . W m. Return the context (B, M), the mean of the vectors under the weights, and the weights (B, R, C), a
softmax of the scores over all places of a picture.""",
    worked=spatial_attention,
    reference=_library,
    cases=_attention_case,
    axes={"maps": "B M R C", "q": "B H", "W": "H M", "return": "B M, B R C"},
    grads=("maps", "q", "W"),
    right={"with einsum": _attention("")},
    wrong={
        "reshaped where it should be turned": (
            _attention("reshape"),
            "`reshape` cuts the numbers anew, so that your vectors mix channels and places. Flatten the "
            "places, then exchange the two axes."),
        "a softmax for each row of the picture": (
            _attention("rows"),
            "Your weights sum to 1 in every row of the picture. All its places share one softmax."),
        "sigmoids": (
            _attention("sigmoid"),
            "With a sigmoid the places do not compete: your weights do not sum to 1."),
        "scaled scores": (
            _attention("scaled"),
            "You divide the scores by the root of M, as transformers do. Here the score is q . W m itself."),
        "only the best place": (
            _attention("hard"),
            "You take the vector of the one best place. The context is a mean, and so it has a gradient."),
        "the context is a mean of keys": (
            _attention("keys"),
            "W m serves for finding a place. What is averaged are the vectors m themselves."),
        "the weights lie on their side": (
            _attention("turned"),
            "Your map has rows and columns exchanged. Places go row by row: the view is (B, R, C)."),
    },
    hints=(
        "`flatten(2)` makes (B, M, R C) of the maps. A place should be a row: exchange the last two axes.",
        "The scores are (B, R C). One softmax over the last axis, then the weighted mean of the rows.",
    ),
    explain="if all places of a picture are shuffled, what happens to the weights, and what to the context?",
    harder="information_gain",
)  # fmt: skip


def caption_loss(
    logits: Float[Tensor, "B T V"], x: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]
) -> Float[Tensor, ""]:
    """The mean surprise of a caption's words, in bits; the end counts, the filling does not."""
    logp = torch.log_softmax(logits[:, :-1], -1)
    surprise = -logp.gather(-1, x[:, 1:, None])[..., 0]  # (B, T - 1), in nats
    real = torch.arange(1, x.shape[1]) < lengths[:, None]
    return surprise[real].mean() / math.log(2)


def _library_loss(logits: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
    return cross_entropy(logits[:, :-1], x[:, 1:], lengths - 1)


def captions_case(g: torch.Generator, i: int) -> dict[str, Any]:
    """Logits, captions from 0 to 0 that are filled up with 0, and their lengths."""
    B, T, V = [(2, 4, 5), (3, 5, 4), (4, 7, 6), (5, 5, 5)][i]
    lengths = torch.randint(3, T + 1, (B,), generator=g)
    lengths[0], lengths[1] = T, 3
    x = torch.randint(1, V, (B, T), generator=g)
    x[:, 0] = 0
    x[torch.arange(T) >= lengths[:, None] - 1] = 0
    return {"logits": torch.randn(B, T, V, generator=g, dtype=torch.float64), "x": x, "lengths": lengths}


def _loss(of: str) -> Callable[..., Tensor]:
    """The loss with one thing changed."""

    def loss(logits: Tensor, x: Tensor, lengths: Tensor) -> Tensor:
        B, T, _ = logits.shape
        logp = logits.log_softmax(-1)
        real = torch.arange(1, T) < lengths[:, None]
        if of == "unshifted":
            s = -logp.gather(-1, x[..., None])[..., 0][:, 1:]
        else:
            s = -logp[:, :-1].gather(-1, x[:, 1:, None])[..., 0]
        if of == "zeros":
            real = x[:, 1:] != 0
        total = (s * real).sum() / math.log(2)
        means = ((s * real).sum(1) / real.sum(1)).mean() / math.log(2)
        return {"all": s.mean() / math.log(2), "N": total / B, "NT": total / real.numel(), "rows": means,
                "nats": total / real.sum() * math.log(2)}.get(of, total / real.sum())  # fmt: skip

    return loss


LOSS = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="caption_loss(logits, x, lengths) -> bits",
    text="""Row b of x (B, T) is a caption of lengths[b] symbols. It begins with 0 and ends with 0, and is
filled up with 0. logits (B, T, V): logits[:, t] scores x[:, t + 1]. Return the mean surprise in bits per
symbol, over all symbols that are predicted: the words and the 0 at the end, not the 0 at the beginning, and
not the filling.""",
    worked=caption_loss,
    reference=_library_loss,
    cases=captions_case,
    axes={"logits": "B T V", "x": "B T", "lengths": "B", "return": ""},
    grads=("logits",),
    right={"row by row": lambda logits, x, lengths: torch.cat([
        F.cross_entropy(a[: n - 1], b[1:n], reduction="none") for a, b, n in zip(logits, x, lengths.tolist())
    ]).mean() / math.log(2)},
    wrong={
        "the filling counts": (
            _loss("all"),
            "The zeros that fill a row up count in your mean. A row ends after lengths[b] symbols."),
        "the end does not count": (
            _loss("zeros"),
            "You leave out the 0 that ends a caption, like all zeros. When to stop is to be learned."),
        "not shifted": (
            _loss("unshifted"), "You compare logits[:, t] with x[:, t]. It scores the symbol after it."),
        "divided by the number of captions": (
            _loss("N"),
            "You divide by B, as some courses do: then long captions weigh more. Asked is bits per symbol."),
        "divided by B (T - 1)": (
            _loss("NT"),
            "You divide by all places, the empty ones too. A batch with one long caption would look better."),
        "a mean of means": (
            _loss("rows"),
            "You average within each caption first, so the words of short captions count for more."),
        "nats": (
            _loss("nats"), "This is in nats. A bit is ln 2 nats: divide by math.log(2)."),
    },
    hints=(
        "`logits[:, :-1]` belongs to `x[:, 1:]`: both have T - 1 places.",
        "A mask of the T - 1 places: place t of x is real where t < lengths[b].",
    ),
    explain="why does a wrong end cost more than a wrong word when captions are sampled?",
    harder="information_gain",
)  # fmt: skip

EXERCISES = (PIXELS, ATTENTION, LOSS)
