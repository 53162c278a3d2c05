"""Chapter 1, cutting and padding: make_windows, pad_and_mask."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Bool, Int, Tensor
from ..exercise import Exercise
from ..properties import demand

CHAPTER = "01_sequences"


def make_windows(x: Tensor, T: int) -> tuple[Tensor, Tensor]:
    """All windows of T neighbours in x (N,), and the same windows moved on by one; both (N - T, T)."""
    rows = x.unfold(0, T + 1, 1)  # (N - T, T + 1): each window and one element more
    return rows[:, :-1], rows[:, 1:]


def _window_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, T = [(6, 3), (7, 4), (9, 2), (12, 5)][i]
    whole = torch.randint(0, 90, (N,), generator=g)
    return {"x": whole if i < 3 else torch.randn(N, generator=g, dtype=torch.float64), "T": T}


def _loop_windows(x: Tensor, T: int) -> tuple[Tensor, Tensor]:
    starts = range(len(x) - T)
    return torch.stack([x[k : k + T] for k in starts]), torch.stack([x[k + 1 : k + T + 1] for k in starts])


def _index_windows(x: Tensor, T: int) -> tuple[Tensor, Tensor]:
    places = torch.arange(len(x) - T)[:, None] + torch.arange(T)
    return x[places], x[places + 1]


def _each(change: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    return lambda x, T: tuple(change(rows) for rows in make_windows(x, T))


WINDOWS = Exercise(
    chapter=CHAPTER, tier=1, minutes=5,
    signature="make_windows(x, T) -> X, Y",
    text="""x is one long row of N elements. Return X and Y, both of shape (N - T, T): row k of X holds
the T elements of x from place k on, and row k of Y the same piece moved on by one place, so that Y[k, t]
is the element that follows X[k, t].""",
    worked=make_windows,
    cases=_window_case,
    axes={"x": "N", "return": "K T, K T"},
    properties=(
        demand("each target is the next input", lambda t: (t.got[1][:, :-1] == t.got[0][:, 1:]).all(),
               "Y[:, :-1] should hold the same elements as X[:, 1:]; here it does not"),
    ),
    right={"a loop": _loop_windows, "a table of places": _index_windows},
    wrong={
        "the targets are the inputs": (
            lambda x, T: (make_windows(x, T)[0],) * 2,
            "Compare one row of Y with the same row of X: they are equal. A model can reach loss 0 on such "
            "pairs by copying, and will. What should Y[k, 0] be, if it has to follow X[k, 0]?"),
        "the last window is missing": (
            _each(lambda rows: rows[:-1]),
            "Write down, for your smallest x, where the last target of the last row stands. One more window "
            "fits in before x ends."),
        "the windows do not overlap": (
            lambda x, T: tuple(rows[::T] for rows in make_windows(x, T)),
            "You move on by T places from row to row. Then most elements are never seen in most positions; "
            "here each place of x (but the last T) starts a window."),
        "the target is one element a window": (
            lambda x, T: (make_windows(x, T)[0], make_windows(x, T)[1][:, -1]),
            "You keep the element after the window and nothing else. A sequence model predicts at every "
            "place, so each window gives T lessons and Y is as wide as X."),
        "the last target wraps round": (
            lambda x, T: (make_windows(x, T)[0], make_windows(x, T)[0].roll(-1, 1)),
            "The last target of each row is the first input of that row: `roll` brings back what falls off. "
            "The true next element lies outside the window, but inside x."),
    },
    hints=(
        "Take x = 0, 1, 2, 3, 4, 5 and T = 3, and write X and Y down by hand. Count the rows.",
        "Each row needs T + 1 elements of x: T to read, and T to predict, of which T - 1 are shared.",
        "`x.unfold(0, size, step)` gives all windows of one size. Which size, so that X and Y both fit in?",
    ),
    explain="why is the number of rows N - T, and not N - T + 1?",
)


def pad_and_mask(rows: list[Tensor], pad: int) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
    """The rows side by side, filled up with `pad` on the right, and where their real elements are."""
    X = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(row) for row in rows])
    return X, torch.arange(X.shape[1]) < lengths[:, None]  # places before the end of each row


def _pad_case(g: torch.Generator, i: int) -> dict[str, Any]:
    lengths, pad = [((1, 3), 0), ((2, 4, 1), 5), ((3, 3), 0), ((4, 0, 2, 5), 2)][i]
    rows = [torch.randint(1, 9, (n,), generator=g) for n in lengths]
    if i % 2:
        rows[0][-1] = pad  # the number that pads is a real element, too
    return {"rows": rows, "pad": pad}


def _fill(rows: list[Tensor], pad: int) -> tuple[Tensor, Tensor]:
    X = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros(X.shape, dtype=torch.bool)
    for b, row in enumerate(rows):
        X[b, : len(row)], mask[b, : len(row)] = row, True
    return X, mask


def _pad_left(rows: list[Tensor], pad: int) -> tuple[Tensor, Tensor]:
    X, mask = pad_and_mask([row.flip(0) for row in rows], pad)
    return X.flip(1), mask.flip(1)


PAD = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="pad_and_mask(rows, pad) -> X, mask",
    text="""rows is a list of B 1-D tensors of whole numbers, of different lengths. Return X of shape (B,
longest), each row filled up with `pad` on the right, and a boolean mask of the same shape that is True
where an element is real. The number `pad` may also occur as a real element.""",
    worked=pad_and_mask,
    cases=_pad_case,
    axes={"return": "B T, B T"},
    properties=(
        demand("the mask counts the real elements",
               lambda t: t.got[1].sum(1).tolist() == [len(r) for r in t.case["rows"]],
               "mask.sum(1) should give the lengths of the rows; here it does not"),
    ),
    right={"a loop that fills": _fill},
    wrong={
        "the mask is made from the values": (
            lambda rows, pad: (pad_and_mask(rows, pad)[0], pad_and_mask(rows, pad)[0] != pad),
            "One of the rows holds the padding number as a real element, and your mask drops it. The values "
            "cannot tell the two apart; what else do you know about each row?"),
        "the mask is inverted": (
            lambda rows, pad: (pad_and_mask(rows, pad)[0], ~pad_and_mask(rows, pad)[1]),
            "Your mask is True on the padding. Both conventions exist; here True marks what is real, so that "
            "a loss can be multiplied by it."),
        "the padding is on the left": (
            _pad_left,
            "The rows end together and begin apart. A model that reads from left to right would read the "
            "padding first, and carry it in its state."),
        "the padding is 0, whatever `pad` is": (
            lambda rows, pad: pad_and_mask(rows, 0),
            "The filled places hold 0. The second argument says what they should hold."),
        "the mask is made of numbers": (
            lambda rows, pad: (pad_and_mask(rows, pad)[0], pad_and_mask(rows, pad)[1].float()),
            "A mask of 0.0 and 1.0 can be multiplied with, but not indexed with. Make it boolean: both work "
            "then."),
    },
    hints=(
        "The longest row decides the width. Collect the lengths of the rows first.",
        "Place t of row b is real if t is smaller than the length of row b. That is a comparison of a row of "
        "places with a column of lengths.",
        "`torch.arange(width)` has shape (T,), `lengths[:, None]` has shape (B, 1). What does `<` between "
        "them give?",
    ),
    explain="why can no choice of the padding number make the mask unnecessary?",
)


EXERCISES = (WINDOWS, PAD)
