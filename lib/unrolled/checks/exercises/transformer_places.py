"""Chapter 14, places, caches and sizes: sinusoidal, kv_step, gpt2_count."""

from collections.abc import Callable
from typing import Any

import torch

from ...positions import angles, sinusoids
from ...shapes import Float, Tensor
from ...transformer import Cache, attention, extended
from ..exercise import Exercise
from ..question import Question
from .transformer import CHAPTER


def sinusoidal(T: int, D: int) -> Float[Tensor, "T D"]:
    """Sine and cosine, in turn, of D / 2 hands that turn by 10000 ** (-2 i / D) a step."""
    t = torch.arange(T, dtype=torch.float64)
    speed = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)  # hand i = 0, 1, ..., D / 2 - 1
    angle = t[:, None] * speed  # (T, D / 2)
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


def _library_code(T: int, D: int) -> Tensor:
    return sinusoids(angles(torch.arange(T, dtype=torch.float64), D))


def _code(of: str) -> Callable[..., Any]:
    """The code with one thing changed."""

    def wrong(T: int, D: int) -> Tensor:
        t = torch.arange(T, dtype=torch.float64) + (of == "from one")
        power = torch.arange(0, D, 2, dtype=torch.float64) / D * {"inverse": -1, "twice": 2}.get(of, 1)
        angle = t[:, None] * 10000.0**-power
        first, second = angle.sin(), angle.sin() if of == "sines" else angle.cos()
        if of == "cosine first":
            first, second = second, first
        halves = of == "halves"
        return torch.cat([first, second], 1) if halves else torch.stack([first, second], -1).flatten(1)

    return wrong


PLACES = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="sinusoidal(T, D) -> code",
    text="""Return the code of the places 0 ... T - 1 as a tensor (T, D), D even. D / 2 clock hands turn, hand
i by 10000 ** (-2 i / D) a step, all from 0. Columns 2 i and 2 i + 1 hold sine and cosine of hand i.""",
    worked=sinusoidal,
    reference=_library_code,
    cases=lambda g, i: dict(zip("TD", [(3, 2), (5, 4), (6, 6), (4, 8)][i])),
    axes={"return": "T D"},
    right={"by a loop": lambda T, D: torch.tensor(
        [[f(t / 10000 ** (2 * i / D)) for i in range(D // 2) for f in (_sin, _cos)] for t in range(T)],
        dtype=torch.float64)},
    wrong={
        "the hands speed up": (
            _code("inverse"),
            "Your hands get faster with i. The first turns by 1 a step, and each later one is slower."),
        "the power counts twice": (
            _code("twice"),
            "Your hands slow down too fast: with 2 i taken from a range in steps of 2, do not double again."),
        "two halves": (
            _code("halves"),
            "You put all sines first and all cosines after them. Some libraries do so; here they stand in "
            "turn, as in the paper."),
        "sines only": (
            _code("sines"),
            "Both columns are sines. From a sine alone nobody can tell whether a hand goes up or down."),
        "cosine first": (
            _code("cosine first"),
            "Sine and cosine are swapped: column 0 is the sine, and it begins with 0."),
        "the first place is 1": (
            _code("from one"),
            "You count places from 1. At place 0 all sines are 0 and all cosines 1."),
    },
    hints=(
        "`torch.arange(0, D, 2)` gives 0, 2, 4, ...: these are the 2 i.",
        "An angle for each place and each hand: a column of places times a row of speeds.",
        "`torch.stack([...], -1)` puts sine and cosine side by side; `flatten(1)` makes one row of them.",
    ),
    explain="why do the slow hands matter, when the fast one tells neighbours apart?",
    harder="kv_step",
)  # fmt: skip


def _sin(x: float) -> float:
    return torch.tensor(x, dtype=torch.float64).sin().item()


def _cos(x: float) -> float:
    return torch.tensor(x, dtype=torch.float64).cos().item()


def kv_step(
    x: Float[Tensor, "B D"], K: Float[Tensor, "B S D"], V: Float[Tensor, "B S D"], W: Float[Tensor, "A D D"]
) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B L D"], Float[Tensor, "B L D"]]:
    """One head reads one more element, with the keys and values of those before in a cache; A = 3."""
    q, k, v = (x @ W_a.T for W_a in W)  # each (B, D)
    K, V = torch.cat([K, k[:, None]], 1), torch.cat([V, v[:, None]], 1)  # new ones: the old stay as they are
    w = (K @ q[:, :, None] / q.shape[-1] ** 0.5).softmax(1)  # (B, S + 1, 1)
    return (w * V).sum(1), K, V


def _library_step(x: Tensor, K: Tensor, V: Tensor, W: Tensor) -> tuple[Tensor, ...]:
    q, k, v = (x[:, None, None] @ W_a.T for W_a in W)
    cache = extended(Cache(K[:, None], V[:, None]), Cache(k, v))
    return attention(q, *cache)[:, 0, 0], cache.k[:, 0], cache.v[:, 0]


def _step_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, S, D = [(1, 2, 3), (2, 3, 4), (3, 4, 2), (4, 5, 5)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {"x": draw(B, D), "K": draw(B, S, D), "V": draw(B, S, D), "W": draw(3, D, D)}


def _step(of: str) -> Callable[..., Any]:
    """The step with one thing changed."""

    def wrong(x: Tensor, K: Tensor, V: Tensor, W: Tensor) -> tuple[Tensor, ...]:
        q, k, v = (x @ (W_a if of == "no T" else W_a.T) for W_a in W)
        if of == "swapped":
            k, v = v, k
        order = -1 if of == "front" else 1
        new = [torch.cat([past, a[:, None]][::order], 1) for past, a in ((K, k), (V, v))]
        keys, values = (K, V) if of == "past only" else new
        w = (keys @ q[:, :, None] / (1 if of == "no root" else q.shape[-1] ** 0.5)).softmax(1)
        out = new[1][:, -1] if of == "itself" else (w * values).sum(1)
        return (out, K, V) if of == "kept" else (out, *new)

    return wrong


STEP = Exercise(
    chapter=CHAPTER, tier=3, minutes=25,
    signature="kv_step(x, K, V, W) -> out, K_new, V_new",
    text="""One head reads one more element. x (B, D) is its vector; K and V (B, S, D) are the keys and values
of the S elements before it; W (3, D, D) are W_q, W_k and W_v, with q = W_q x and so on. Return what it takes
along, (B, D), from the past and from itself, and the longer caches (B, S + 1, D). K and V stay as they
are.""",
    worked=kv_step,
    reference=_library_step,
    cases=_step_case,
    axes={"x": "B D", "K": "B S D", "V": "B S D", "W": "A D D", "return": "B D, B L D, B L D"},
    grads=("x", "K", "V", "W"),
    right={"piece by piece": _step("")},
    wrong={
        "it does not see itself": (
            _step("past only"),
            "The new element looks at the past alone. Its own key and value belong to what it looks at."),
        "it sees itself only": (
            _step("itself"),
            "You return the new value as it is. It has to be mixed with those of the past."),
        "put in front": (
            _step("front"),
            "You put the new key before the old ones. The output is even right, since a mean does not mind "
            "the order; the next code that asks for a place will."),
        "keys and values are swapped": (
            _step("swapped"),
            "You append the new value to the keys and the new key to the values."),
        "the cache does not grow": (
            _step("kept"),
            "The output is right, and the caches come back as they were: the next step will not know of this "
            "element."),
        "the root is missing": (
            _step("no root"),
            "The scores are not divided by the root of D."),
        "the maps are not transposed": (
            _step("no T"),
            "q = W_q x means x @ W_q.T, as the rows of x are the examples."),
    },
    hints=(
        "`for W_a in W` goes through the three maps: three products give q, k and v.",
        "`torch.cat` makes new tensors; k needs an axis of length 1 for the time: `k[:, None]`.",
        "One question, S + 1 keys: the weights run along the time axis and sum to 1.",
    ),
    explain="which part of the work would be done again and again without a cache?",
    harder="parallel_scan",
)  # fmt: skip

COUNT = Question(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="block_param_count(number)",
    text="""How many numbers does one block of a transformer of width D = 4 learn? It has four maps (D, D), a
map to 4 D and one back, two norms, and a bias wherever there can be one. A norm learns a gain and a bias for
each of its D numbers.""",
    answer=lambda: 12 * 4 * 4 + 13 * 4,
    way="D = 4\n4 * (D * D + D) + (4 * D * D + 4 * D) + (4 * D * D + D) + 2 * (2 * D)  # 12 D^2 + 13 D",
    wrong={
        "no biases, no norms": (192, "These are the matrices, 12 D^2. Add the biases and the norms."),
        "no norms": (228, "The maps are right. Two norms learn 2 D numbers each."),
        "one norm": (236, "One of the two norms is missing: one stands before each half of the block."),
        "attention alone": (80, "This is attention. The other two maps hold twice as much."),
        "one head each": (488, "You count twice. Heads share the four maps: they cut them, they add none."),
    },
    hints=("Write down the shape of each map and of its bias.",
           "The two maps in the middle are (4 D, D) and (D, 4 D); their biases have 4 D and D numbers."),
    explain="which share of it is attention?",
    rtol=1e-9,
)  # fmt: skip

EXERCISES = (PLACES, STEP, COUNT)
