"""Chapter 12, sound and horizon: receptive_field, mu_law, causal_dilated_conv."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...audio import mu_encode
from ...shapes import Float, Int, Tensor
from ...wavenet import receptive_field as library_field
from ...wavenet import taps
from ..exercise import Exercise
from ..properties import demand

CHAPTER = "12_wavenet"


def receptive_field(kernel: int, dilations: Sequence[int]) -> int:
    """How many inputs one output of a stack of dilated convolutions sees, itself included."""
    back = 0  # how far back the farthest tap reaches so far
    for d in dilations:
        back += (kernel - 1) * d  # K taps have K - 1 gaps between them
    return 1 + back


def _field_case(g: torch.Generator, i: int) -> dict[str, Any]:
    doubling = [2**n for n in range(10)]
    return [
        {"kernel": 2, "dilations": [1, 2, 4]},
        {"kernel": 3, "dilations": [1, 2, 4, 8]},
        {"kernel": 2, "dilations": doubling * 3},
        {"kernel": 4, "dilations": [1, 5, 3]},
    ][i]


FIELD = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="receptive_field(kernel, dilations) -> n",
    text="""A stack of causal convolutions has one layer for each number in the list dilations; every layer
has `kernel` taps, and in a layer with dilation d they stand d apart. How many inputs does one output see, the
present one included? Return a whole number.""",
    worked=receptive_field,
    reference=library_field,
    cases=_field_case,
    right={"in one line": lambda kernel, dilations: (kernel - 1) * sum(dilations) + 1},
    wrong={
        "the present one is left out": (
            lambda kernel, dilations: (kernel - 1) * sum(dilations),
            "This is how far back the output looks. It also sees the input of its own time: one more."),
        "one gap too many in each layer": (
            lambda kernel, dilations: 1 + kernel * sum(dilations),
            "Between K taps there are K - 1 gaps, and each is d wide."),
        "reaches are multiplied": (
            lambda kernel, dilations: math.prod(1 + (kernel - 1) * d for d in dilations),
            "You multiply the reaches of the layers. A layer looks a fixed way further back than the one "
            "below it, so they add."),
        "two to the number of layers": (
            lambda kernel, dilations: 2 ** len(dilations),
            "That is true for one stack 1, 2, 4 ... of layers with two taps, and for nothing else."),
        "the dilations are left out": (
            lambda kernel, dilations: 1 + (kernel - 1) * len(dilations),
            "This is the horizon of a stack without dilation: it grows by K - 1 with each layer."),
    },
    hints=(
        "One layer: its oldest tap stands (K - 1) d before its newest. How many inputs lie from one to the "
        "other, both included?",
        "Put a second layer on top. Its oldest tap reads an output of the first, and that one looks back "
        "by itself.",
    ),
    explain="how many stacks of the paper, 1 to 512, does it take to see one second of sound?",
    harder="causal_dilated_conv",
)


def mu_law(x: Float[Tensor, "T"], levels: int) -> Int[Tensor, "T"]:
    """Samples from -1 to 1 as whole numbers 0 ... levels - 1, in finer steps where it is quiet."""
    mu = levels - 1
    bent = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)  # still from -1 to 1
    return torch.floor(mu * (1 + bent) / 2 + 0.5).long()  # to the nearest


def _mu_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T, levels = [(5, 16), (9, 256), (12, 64), (9, 256)][i]
    loud = torch.rand(T - 2, generator=g, dtype=torch.float64) * 2 - 1
    return {"x": torch.cat([loud**3, torch.tensor([0.0, -1.0])]), "levels": levels}


def _mu(of: str) -> Callable[..., Any]:
    """The law with one thing changed."""

    def law(x: Tensor, levels: int) -> Tensor:
        mu = levels if of == "levels" else levels - 1
        size = torch.log1p(mu * x.abs()) / math.log1p(mu)
        if of == "log":
            size = torch.log((mu * x.abs()).clamp(min=1e-9)) / math.log(mu)
        if of == "upper half":
            return torch.floor(mu * x.sign() * size + 0.5).long()
        bent = size if of == "no sign" else x if of == "linear" else x.sign() * size
        return torch.floor(mu * (1 + bent) / 2 + (0 if of == "floor" else 0.5)).long()

    return law


MU = Exercise(
    chapter=CHAPTER, tier=1, minutes=15,
    signature="mu_law(x, levels) -> ids",
    text="""x (T,) is a wave between -1 and 1. With mu = levels - 1, bend it by
sign(x) log(1 + mu |x|) / log(1 + mu), which again lies between -1 and 1. Then return the nearest of `levels`
whole numbers, evenly spaced: 0 for -1, mu for 1.""",
    worked=mu_law,
    reference=mu_encode,
    cases=_mu_case,
    axes={"x": "T", "return": "T"},
    right={
        "by base 2": lambda x, levels: torch.floor(
            (levels - 1) * (1 + x.sign() * torch.log2(1 + (levels - 1) * x.abs()) / math.log2(levels)) / 2
            + 0.5).long(),
    },
    wrong={
        "the one in the logarithm is missing": (
            _mu("log"),
            "The logarithm of mu |x| is minus infinity in silence. It is log(1 + mu |x|): `torch.log1p`."),
        "the sign is lost": (
            _mu("no sign"),
            "Your numbers all lie in the upper half. A wave swings both ways: give the bent size its sign."),
        "cut off in place of rounded": (
            _mu("floor"),
            "You take the next lower number. Rounding to the nearest halves the error."),
        "even steps": (
            _mu("linear"),
            "You round the wave as it is. Bend it first, so that quiet samples get more of the levels."),
        "mu is the number of levels": (
            _mu("levels"),
            "With `levels` numbers the largest is levels - 1: that is mu."),
        "silence is 0": (
            _mu("upper half"),
            "Your numbers run from -mu to mu. They should run from 0 to mu, with silence in the middle."),
    },
    hints=(
        "In three steps: the size bent by the logarithm, its sign put back, and then from -1 ... 1 to "
        "0 ... mu.",
        "From -1 ... 1 to 0 ... mu: add 1, halve, and multiply by mu. Then round.",
    ),
    explain="which of the 256 numbers is silence, and why is there none exactly in the middle?",
    harder="noise_floor",
)


def causal_dilated_conv(
    x: Float[Tensor, "B T D"], W: Float[Tensor, "E K D"], d: int
) -> Float[Tensor, "B T E"]:
    """y_t = sum over k of W[:, k] x_{t - (K - 1 - k) d}; before the beginning there are zeros."""
    K, T = W.shape[1], x.shape[1]
    line = F.pad(x, (0, 0, (K - 1) * d, 0))  # zeros on the left of time, and only there
    seen = [line[:, k * d : k * d + T] for k in range(K)]  # the oldest tap first
    return sum(tap @ W[:, k].T for k, tap in enumerate(seen))


def _by_taps(x: Tensor, W: Tensor, d: int) -> Tensor:
    past = x.new_zeros(len(x), (W.shape[1] - 1) * d, x.shape[2])
    return taps(x, past, d)[0] @ W.flatten(1).T


def _conv_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, D, E, K, d = [(1, 6, 1, 2, 2, 2), (2, 9, 3, 4, 3, 2), (3, 8, 2, 5, 2, 3), (3, 7, 3, 3, 3, 1)][i]
    draw = lambda *shape: torch.randn(shape, generator=g, dtype=torch.float64)  # noqa: E731
    return {"x": draw(B, T, D), "W": draw(E, K, D), "d": d}


def _conv(of: str) -> Callable[..., Any]:
    """The convolution with one thing changed."""

    def conv(x: Tensor, W: Tensor, d: int) -> Tensor:
        K = W.shape[1]
        reach = (K - 1) * d
        left = {"same": reach // 2, "short": K - 1, "future": 0, "late": reach + 1}.get(of, reach)
        right = {"same": reach - reach // 2, "future": reach}.get(of, 0)
        if of == "dense":
            left, d = K - 1, 1
        W = W.flip(1) if of == "flipped" else W
        y = F.conv1d(F.pad(x.mT, (left, right)), W.mT, dilation=d).mT
        return y[:, : x.shape[1]] if of == "late" else y

    return conv


def _blind(trial: Any) -> bool:
    """Whether an answer is deaf to what comes after: the second half is changed, the first half looked at."""
    x = trial.case["x"].clone()
    half = x.shape[1] // 2
    x[:, half:] += 1
    now, before = trial.call(x=x), trial.got
    if any(not isinstance(y, Tensor) or y.ndim < 2 for y in (now, before)):
        return True  # what it is at all, other demands say
    return torch.equal(now[:, :half], before[:, :half])


CONV = Exercise(
    chapter=CHAPTER, tier=2, minutes=25,
    signature="causal_dilated_conv(x, W, d) -> y",
    text="""x (B, T, D) holds B rows of T vectors, W (E, K, D) a matrix for each of K taps that stand d apart.
Return y (B, T, E) with y_t = sum over k = 0 ... K - 1 of W[:, k] x_{t - (K - 1 - k) d}: the last tap reads
the present, the first one the farthest past. What lies before the beginning is zero.""",
    worked=causal_dilated_conv,
    reference=_by_taps,
    cases=_conv_case,
    early=(demand("is deaf to the future", _blind, "when the second half of x changes, so does the first "
                  "half of y"),),
    axes={"x": "B T D", "W": "E K D", "return": "B T E"},
    grads=("x", "W"),
    right={"torch's convolution": _conv("")},
    wrong={
        "padded on both sides": (
            _conv("same"),
            "This is what `padding=\"same\"` does: half of the zeros stand at the end, so each output looks "
            "into the future. All of them belong before the beginning."),
        "padded at the end": (
            _conv("future"),
            "All your zeros stand after the end, so an output sees the present and what comes next."),
        "the padding ignores the dilation": (
            _conv("short"),
            "You pad with K - 1 zeros. The farthest tap reaches (K - 1) d back, so that many are needed."),
        "one step too late": (
            _conv("late"),
            "Your y_t is what y_{t-1} should be. The last tap reads x_t itself."),
        "no dilation": (
            _conv("dense"),
            "Your taps stand side by side. In a dilated convolution they stand d apart."),
        "the taps are turned round": (
            _conv("flipped"),
            "Your first tap reads the present. Here, as in PyTorch, it reads the farthest past."),
    },
    hints=(
        "Put (K - 1) d zeros before the beginning of time. Then every tap is a slice of length T of that "
        "longer line.",
        "Tap k starts k d places into the longer line. Multiply each slice with its own matrix W[:, k] and "
        "add them up.",
        "`F.pad(x, (0, 0, n, 0))` puts n zeros before the second to last axis.",
    ),
    explain="how would you find out, with gradients alone, that a convolution looks into the future?",
    harder="queued_conv",
)

EXERCISES = (FIELD, MU, CONV)
