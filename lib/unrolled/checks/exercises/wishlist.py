"""Chapter 3, checkers of encoders: order_matters, any_length."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from .. import zoo
from ..exercise import Exercise
from ..properties import demand
from ..trial import Property, Trial
from ..zoo import Encoder, matrix

CHAPTER = "03_wishlist"


def says(answer: bool, name: str) -> Property:
    """The checker says yes (or no) wherever that is the right answer."""
    word = {True: "True", False: "False"}

    def holds(trial: Trial) -> bool:
        return trial.expected != answer or bool(trial.got) == answer

    seen = f"of this encoder the answer is {word[answer]}, and your checker says {word[not answer]}"
    return demand(name, holds, seen)


def order_matters(enc: Callable[[Tensor], Tensor], x: Float[Tensor, "T D"]) -> bool:
    """Whether enc(x) changes with the order of the rows of x."""
    h = enc(x)
    for _ in range(20):  # an encoder may be blind to some changes of order, but hardly to twenty random ones
        if not torch.allclose(enc(x[torch.randperm(len(x))]), h):
            return True
    return False


def _mirror(x: Tensor) -> Tensor:
    return (x * x.flip(0)).sum(0)


def _weighted(x: Tensor) -> Tensor:
    return (torch.arange(1, len(x) + 1)[:, None] * x).mean(0)


_ORDER_ZOO: list[Callable[[], Encoder]] = [
    lambda: Encoder("the sum of all elements", zoo.add_up),
    lambda: Encoder("the last element", lambda x: x[-1]),
    lambda: Encoder("the mean of all elements", lambda x: zoo.add_up(x) / len(x)),
    zoo.rnn,
    lambda: Encoder("the largest value of each feature", lambda x: x.amax(0)),
    lambda: Encoder("the sum of x[t] * x[T - 1 - t], the same forwards and backwards", _mirror),
    lambda: Encoder("the mean of t * x[t]", _weighted),
    zoo.bag,
]


def _order_case(g: torch.Generator, i: int) -> dict[str, Any]:
    x = torch.randn(50, zoo.D, generator=g, dtype=torch.float64)
    return {"enc": _ORDER_ZOO[i](), "x": x * torch.tensor([1.0, 30.0, 900.0])}


def _reversal(enc: Any, x: Tensor) -> bool:
    return not torch.allclose(enc(x.flip(0)), enc(x))


def _swaps(enc: Any, x: Tensor) -> bool:
    for t in range(len(x) - 1):
        y = x.clone()
        y[t], y[t + 1] = x[t + 1], x[t]
        if not torch.allclose(enc(y), enc(x)):
            return True
    return False


def _first_two(enc: Any, x: Tensor) -> bool:
    return not torch.allclose(enc(torch.cat([x[:2].flip(0), x[2:]])), enc(x))


ORDER = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="order_matters(enc, x) -> bool",
    text="""enc reads x (T, D), T elements of D features, and returns a vector. Write a checker: return
True if the vector depends on the order of the elements, False if it does not. x is a random input to try
it on.

The checker is judged on nine encoders of which the answer is known.""",
    worked=order_matters,
    cases=_order_case,
    count=len(_ORDER_ZOO),
    axes={"x": "T D"},
    properties=(says(False, "says no to sums, means and maxima"), says(True, "says yes where order counts")),
    right={"all swaps of neighbours": _swaps},
    wrong={
        "exact equality of floats": (
            lambda enc, x: any(bool((enc(x[torch.randperm(len(x))]) != enc(x)).any()) for _ in range(20)),
            "A sum of floats depends on the order in the last digit: rounding, not meaning. Compare with a "
            "tolerance."),
        "all elements alike": (
            lambda enc, x: order_matters(enc, torch.ones_like(x)),
            "In a row of equal elements no change of order can be seen, so every encoder looks blind to it. "
            "Try it on elements that differ, such as those of x."),
        "reversal alone": (
            _reversal,
            "One of the encoders reads the same forwards and backwards, and notices every other change of "
            "order. One permutation is not enough evidence for a no."),
        "the first two elements alone": (
            _first_two,
            "You swap at the beginning and nowhere else. An encoder that looks at the end of the sequence "
            "does not see that. Which positions should change places?"),
        "features instead of elements": (
            lambda enc, x: not torch.allclose(enc(x.flip(1)), enc(x)),
            "You permute the features of each element. The order in question is that of the elements, along "
            "axis 0."),
        "yes for no": (
            lambda enc, x: not order_matters(enc, x),
            "Each of your answers is the opposite of the right one. Equal vectors mean that order does not "
            "matter."),
    },
    hints=(
        "Give enc the same elements in another order, and compare what comes out.",
        "`x[torch.randperm(len(x))]` is x in a random order; `torch.allclose` compares with a tolerance.",
        "One order that changes the vector proves a yes. A no takes many orders that do not.",
    ),
    explain="why is a yes of your checker certain, and a no only very likely?",
    harder="any_length",
)


def any_length(enc: Callable[[Tensor], Tensor], x: Float[Tensor, "T D"]) -> bool:
    """Whether enc takes x[:1] up to x whole, gives vectors of one size, and still feels the first element."""
    try:
        sizes = {enc(x[:T]).shape for T in range(1, len(x) + 1)}
    except ValueError:
        return False
    changed = torch.cat([x[:1] + 1, x[1:]])
    return len(sizes) == 1 and not torch.allclose(enc(changed), enc(x), rtol=0, atol=1e-12)


_LENGTH_ZOO: list[Callable[[], Encoder]] = [
    lambda: Encoder("the mean of all elements", lambda x: x.mean(0)),
    lambda: Encoder("a layer on 12 elements side by side", lambda x, W: torch.tanh(
        W @ zoo.only(x, len(x) == 12).flatten()), matrix(5, zoo.H, 12 * zoo.D)),
    lambda: Encoder("a layer on the last 3 elements, zeros where there are fewer", lambda x, W: torch.tanh(
        W @ zoo.padded(x, 3)), matrix(6, zoo.H, 3 * zoo.D)),
    zoo.rnn,
    lambda: Encoder("all elements side by side", lambda x: x.flatten()),
    lambda: Encoder("the mean of all elements, if there are 2 or more",
                    lambda x: zoo.only(x, len(x) > 1).mean(0)),
    lambda: Encoder("the mean of an even number of elements, or of one",
                    lambda x: zoo.only(x, len(x) % 2 == 0 or len(x) == 1).mean(0)),
    lambda: Encoder("the mean of all elements but the last (which it reads if it is alone)",
                    lambda x: x[: max(1, len(x) - 1)].mean(0)),
    lambda: Encoder("a running average", lambda x: zoo.average(x, 0.9)),
]


def _length_case(g: torch.Generator, i: int) -> dict[str, Any]:
    return {"enc": _LENGTH_ZOO[i](), "x": torch.randn(50, zoo.D, generator=g, dtype=torch.float64)}


def _length(
    lengths: Any, shapes: bool = True, feels: int | None = 0, shelter: bool = True
) -> Callable[..., bool]:
    """A checker that looks at these lengths, at shapes or not, at element `feels` or none."""

    def check(enc: Any, x: Tensor) -> bool:
        try:
            sizes = {enc(x[:T]).shape for T in lengths}
        except ValueError:
            if shelter:
                return False
            raise
        y = x.clone()
        y[feels or 0] += 1
        felt = feels is None or not torch.allclose(enc(y), enc(x), rtol=0, atol=1e-12)
        return (len(sizes) == 1 or not shapes) and felt

    return check


_ALL = range(1, 51)

LENGTH = Exercise(
    chapter=CHAPTER, tier=1, minutes=15,
    signature="any_length(enc, x) -> bool",
    text="""enc reads a tensor of T elements and returns a vector; where it cannot take a length, it
raises ValueError. x (50, D) is a random input. Write a checker: return True if enc takes every length
from 1 to 50, always gives a vector of the same size, and the first of 50 elements can still make a
difference (change it, and h changes by more than 1e-12). Return False otherwise.

The checker is judged on nine encoders of which the answer is known.""",
    worked=any_length,
    cases=_length_case,
    count=len(_LENGTH_ZOO),
    axes={"x": "T D"},
    properties=(
        says(True, "says yes where every length will do"),
        says(False, "says no where some will not"),
    ),
    right={"written otherwise": _length(_ALL)},
    wrong={
        "short sequences are not tried": (
            _length(range(10, 51)),
            "You start at a length that suits the encoder. A text may have one word: try every length from "
            "1."),
        "cutting off counts as reading": (
            _length(_ALL, feels=None),
            "One encoder takes any length by looking at the last 3 elements and nowhere else. It raises no "
            "error and has not read the text. How can you tell whether the first element arrived?"),
        "an error ends the checker": (
            _length(_ALL, shelter=False),
            "The encoder said no by raising ValueError, and your checker fell over it. For a checker that is "
            "an answer: catch it."),
        "the size of the vector is not compared": (
            _length(_ALL, shapes=False),
            "One encoder returns a longer vector for a longer text. What comes after it (g) has one weight "
            "for each number of h, so h needs one size."),
        "two lengths are tried": (
            _length((1, 50)),
            "One encoder takes 1 and 50 elements, and not 3. Between two lengths that work there may be some "
            "that do not."),
        "the last element instead of the first": (
            _length(_ALL, feels=-1),
            "You change the last element, and it is the oldest that gets lost: one encoder cuts off all but "
            "the end, and another leaves the end out and reads all the rest."),
    },
    hints=(
        "Three questions, each of which can end in False: does it run, is the size constant, does element 0 "
        "matter?",
        "Collect the shapes of enc(x[:T]) in a set. How many members should it have in the end?",
        "`try: ... except ValueError: return False` turns an error of the encoder into an answer.",
    ),
    explain="why is an encoder that silently cuts off worse than one that raises an error?",
    harder="is_differentiable",
)

EXERCISES = (ORDER, LENGTH)
