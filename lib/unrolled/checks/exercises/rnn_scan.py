"""Chapter 4, the research-like one: parallel_scan."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..properties import finite_when, operations
from ..trial import Property, Trial

CHAPTER = "04_rnn"
_ROUND = 30  # operations that a round may take


def parallel_scan(a: Float[Tensor, "T H"], x: Float[Tensor, "T H"]) -> Float[Tensor, "T H"]:
    """All h_t = a_t h_{t-1} + x_t with h_0 = 0, in about log2(T) steps (Hillis and Steele, 1986)."""
    shift = 1
    while shift < len(x):
        # row t sums up the last `shift` steps; join it with the row that sums up the `shift` steps before
        x = torch.cat([x[:shift], a[shift:] * x[:-shift] + x[shift:]])
        a = torch.cat([a[:shift], a[shift:] * a[:-shift]])
        shift = 2 * shift
    return x


def _scan_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T = (1, 2, 3, 7, 64)[i]
    a, x = torch.randn(2, T, 3, generator=g, dtype=torch.float64)
    return {"a": a, "x": x}


def _loop(a: Tensor, x: Tensor) -> Tensor:
    h, states = torch.zeros_like(x[0]), []
    for a_t, x_t in zip(a, x):
        h = a_t * h + x_t
        states.append(h)
    return torch.stack(states)


def _halves(a: Tensor, x: Tensor) -> Tensor:
    """Blelloch's way: join neighbours, scan half as many, fill in the rest."""
    T = len(x)
    if T == 1:
        return x
    even, odd = slice(0, T - T % 2, 2), slice(1, None, 2)
    h_odd = _halves(a[odd] * a[even], a[odd] * x[even] + x[odd])
    h = torch.empty_like(x)
    h[odd], h[0] = h_odd, x[0]
    h[2::2] = a[2::2] * h_odd[: (T - 1) // 2] + x[2::2]
    return h


def _step(join: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    """The scan with another way of joining (a, x) of the earlier with (a, x) of the later rows."""

    def scan(a: Tensor, x: Tensor) -> Tensor:
        shift = 1
        while shift < len(x):
            new_a, new_x = join(a[:-shift], x[:-shift], a[shift:], x[shift:])
            a, x = torch.cat([a[:shift], new_a]), torch.cat([x[:shift], new_x])
            shift = 2 * shift
        return x

    return scan


def _cumulative(a: Tensor, x: Tensor) -> Tensor:
    A = a.cumprod(0)
    return (x / A).cumsum(0) * A


def _odd_dropped(a: Tensor, x: Tensor) -> Tensor:
    T = len(x) - len(x) % 2 if len(x) > 1 else 1
    h = parallel_scan(a[:T], x[:T])
    return torch.cat([h, x[T:]])


def _blocks(a: Tensor, x: Tensor) -> Tensor:
    """Blocks of about the root of T, all at once, and then from block to block."""
    n = int(len(x) ** 0.5)
    pad = -len(x) % n
    a, x = (torch.cat([v, v.new_zeros(pad, v.shape[1])]).unflatten(0, (-1, n)) for v in (a, x))
    inside, through = [x[:, 0]], [a[:, 0]]
    for k in range(1, n):
        inside.append(a[:, k] * inside[-1] + x[:, k])
        through.append(a[:, k] * through[-1])
    X, A, h, states = torch.stack(inside, 1), torch.stack(through, 1), torch.zeros_like(x[0, 0]), []
    for block, carry in zip(X, A):
        states.append(block + carry * h)
        h = states[-1][-1]
    return torch.cat(states)[: a.shape[0] * n - pad]


def _long_case(case: dict[str, Any]) -> dict[str, Any]:
    g = torch.Generator().manual_seed(5)
    return {"a": torch.rand(1000, 2, generator=g, dtype=torch.float64) * 0.2,
            "x": torch.randn(1000, 2, generator=g, dtype=torch.float64)}


def _counted(trial: Trial, most: int, more: str) -> str | None:
    """Whether at most so many operations are added between T = 256 and T = 4096, once for all cases."""
    if trial.index:
        return None
    a, x = torch.ones(2, 4096, 1, dtype=torch.float64)
    short, long = (operations(lambda n=T: trial.call(a=a[:n], x=x[:n])) for T in (256, 4096))
    if long <= short + most:
        return None
    return f"it takes {short} operations for T = 256 and {long} for T = 4096: {more}"


def _no_loop(trial: Trial) -> str | None:
    return _counted(trial, (4096 - 256) // 2, "more for every step of time")


def _few_rounds(trial: Trial) -> str | None:
    return _counted(trial, 4 * _ROUND, "more than the logarithm of T allows")  # log2 T has grown by 4


SCAN = Exercise(
    chapter=CHAPTER, tier=4, minutes=45,
    signature="parallel_scan(a, x) -> h",
    text="""A recurrent network has to wait: h_t needs h_{t-1}. Without the tanh it need not. Compute all
states of h_t = a_t * h_{t-1} + x_t, elementwise, with h = 0 before the first, for a and x of shape (T,
H), in a number of torch operations that grows with the logarithm of T and not with T.

Two steps in a row are again one step: find its a and its x. Divisions by products of many a are not safe:
such products become too small for a float.""",
    worked=parallel_scan,
    cases=_scan_case,
    count=5,
    axes={"a": "T H", "x": "T H", "return": "T H"},
    grads=("a", "x"),
    properties=(
        Property("there is no loop over all steps", _no_loop),
        Property("the number of operations grows with log T", _few_rounds),
        finite_when("1000 steps with a below 0.2 are no trouble", _long_case),
    ),
    right={"by halves (Blelloch)": _halves},
    wrong={
        "a loop over time": (
            _loop,
            "The states are right, and each waits for the one before: T steps. Two neighbouring steps can be "
            "joined into one without knowing the state before them. How many rounds of joining are needed "
            "for all T?"),
        "blocks as long as the root of T": (
            _blocks,
            "The blocks run side by side, and there are still about two roots of T steps that wait for each "
            "other. Inside a block and between the blocks you loop: what if a block had two elements, and so "
            "had each block of blocks?"),
        "the two steps are joined in the wrong order": (
            _step(lambda a1, x1, a2, x2: (a1 * a2, a1 * x2 + x1)),
            "You let the earlier step act on the later one. First h becomes a1 h + x1, and then that goes "
            "through the second step: which a is x1 multiplied by?"),
        "division by the product of all a": (
            _cumulative,
            "Right on paper. After a few hundred steps the product of the a is 0 in any float, and you "
            "divide by it. Join steps instead: only products are needed."),
        "the odd element is left over": (
            _odd_dropped,
            "For odd T the last state has not heard of those before it. Look at what your halving does with "
            "3 elements."),
        "a is not joined": (
            _step(lambda a1, x1, a2, x2: (a2, a2 * x1 + x2)),
            "After the first round a row stands for two steps, and its a should be that of both. You join "
            "the x and keep the old a."),
        "the states are summed without a": (
            _step(lambda a1, x1, a2, x2: (a1 * a2, x1 + x2)),
            "This is a sum of all x: every a is taken as 1. What does the second step do to x1 on its way?"),
    },
    hints=(
        "Write out h_2 as a function of h_0: it has the form A h_0 + X. What are A and X?",
        "If row t sums up steps t - 1 and t, joining it with row t - 2 sums up four steps. How often can you "
        "double?",
        "`x[:-shift]` and `x[shift:]` line up each row with the one `shift` places before it; the first "
        "`shift` rows are finished already.",
    ),
    explain="which recurrent networks can be run this way, and why not the one with tanh?",
)

EXERCISES = (SCAN,)
