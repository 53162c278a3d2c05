"""Chapter 10, reading and writing: teacher_forcing, last_state."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Int, Tensor
from ..exercise import Exercise

CHAPTER = "10_seq2seq"


def teacher_forcing(y: Int[Tensor, "B N"], lengths: Int[Tensor, "B"]) -> tuple[Tensor, Tensor]:
    """What the decoder reads and what it has to guess: 0 begins, ends, and fills up."""
    read = torch.nn.functional.pad(y, (1, 0))  # the sign that begins, then the words
    guess = torch.nn.functional.pad(y, (0, 1))  # the words, then room for the sign that ends
    places = torch.arange(guess.shape[1])
    return read * (places <= lengths[:, None]), guess * (places < lengths[:, None])


def _by_rows(y: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    read, guess = (torch.zeros(len(y), y.shape[1] + 1, dtype=y.dtype) for _ in range(2))
    for b, n in enumerate(lengths.tolist()):
        read[b, 1 : n + 1] = y[b, :n]
        guess[b, :n] = y[b, :n]
    return read, guess


def _forced(of: str) -> Callable[..., Any]:
    """The two rows with one thing changed."""

    def forced(y: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        read, guess = _by_rows(y, lengths)
        if of == "no shift":
            return guess, guess
        if of == "swapped":
            return guess, read
        if of == "short":
            return read[:, :-1], guess[:, :-1]
        if of == "rubbish":
            return torch.nn.functional.pad(y, (1, 0)), torch.nn.functional.pad(y, (0, 1))
        if of == "last dropped":
            return read * (torch.arange(read.shape[1]) < lengths[:, None]), guess
        return read.roll(-1, 1), guess.roll(-1, 1)

    return forced


def _forced_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, N = [(1, 2), (2, 4), (3, 5), (4, 4)][i]
    lengths = torch.randint(1, N + 1, (B,), generator=g)
    lengths[0] = N - 1  # at least one row is filled up
    return {"y": torch.randint(1, 9, (B, N), generator=g), "lengths": lengths}


FORCING = Exercise(
    chapter=CHAPTER, tier=1, minutes=15,
    signature="teacher_forcing(y, lengths) -> read, guess",
    text="""y (B, N) holds targets, row b its words in the first lengths[b] places; what stands beyond them
means nothing. The sign 0 begins a target and ends it. Return what the decoder reads and what it has to guess
at each place, both (B, N + 1): it reads 0 and then the words, and it guesses the words and then 0. All places
beyond the end are 0.""",
    worked=teacher_forcing,
    cases=_forced_case,
    axes={"y": "B N", "lengths": "B", "return": "B N, B N"},
    right={"row by row": _by_rows},
    wrong={
        "nothing is shifted": (
            _forced("no shift"),
            "The decoder reads the very word that it has to guess. It may read only what comes before."),
        "read and guess are swapped": (
            _forced("swapped"),
            "The decoder begins by reading 0, and ends by guessing 0. You have the two the other way round."),
        "the end is never guessed": (
            _forced("short"),
            "Without a 0 to guess after the last word, the decoder never learns to stop. Both have N + 1 "
            "places."),
        "what fills up is kept": (
            _forced("rubbish"),
            "What stands beyond a row's length is read and guessed. It means nothing: put 0 there, so that "
            "the end comes right after the last word."),
        "the last word is not read": (
            _forced("last dropped"),
            "To guess the 0 that ends, the decoder must have read the last word: row b reads 0 and then all "
            "its words."),
        "shifted the wrong way": (
            _forced("back"),
            "Your rows begin one place too late. `read` begins with the 0 that begins the target."),
    },
    hints=(
        "A word that is guessed at place t is read at place t + 1.",
        "There is a function in torch that pads a row with zeros, in front or behind.",
    ),
    explain="why can all places of a target be learned at once, although it is written word by word?",
    harder="additive_attention",
)


def last_state(h: Float[Tensor, "B T H"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B H"]:
    """The state at each row's own end."""
    return h[torch.arange(len(h)), lengths - 1]  # state 0 has read one word


def _last_case(g: torch.Generator, i: int) -> dict[str, Any]:
    B, T, H = [(2, 3, 1), (3, 4, 2), (4, 5, 3), (4, 4, 4)][i]
    lengths = torch.randint(1, T + 1, (B,), generator=g)
    lengths[:2] = torch.tensor([T - 1, 1])
    return {"h": torch.randn(B, T, H, generator=g, dtype=torch.float64), "lengths": lengths}


def _mask(h: Tensor, lengths: Tensor) -> Tensor:
    return (torch.arange(h.shape[1]) < lengths[:, None])[..., None]


LAST = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="last_state(h, lengths) -> s",
    text="""An encoder has read B sentences that were filled up to T places, and h (B, T, H) holds its states;
h[b, t] is the state after t + 1 words. Sentence b has lengths[b] words. Return the state (B, H) at the end of
each sentence, which is where the decoder begins.""",
    worked=last_state,
    cases=_last_case,
    axes={"h": "B T H", "lengths": "B", "return": "B H"},
    grads=("h",),
    right={
        "by gather": lambda h, lengths: h.gather(
            1, (lengths - 1)[:, None, None].expand(-1, 1, h.shape[2]))[:, 0],
    },
    wrong={
        "the last place of all": (
            lambda h, lengths: h[:, -1],
            "For a short sentence this is the state after all that filled it up. Take each row at its own "
            "end."),
        "one too far": (
            lambda h, lengths: h[torch.arange(len(h)), lengths.clamp(max=h.shape[1] - 1)],
            "You are one place beyond the end: after the first word the state is h[b, 0]."),
        "the first state": (
            lambda h, lengths: h[:, 0],
            "This state has read one word. The summary stands at the end."),
        "the mean of the states": (
            lambda h, lengths: (h * _mask(h, lengths)).sum(1) / lengths[:, None],
            "You take the mean over the sentence. That is another summary; asked is the state at the end."),
        "the largest of the states": (
            lambda h, lengths: h.masked_fill(~_mask(h, lengths), -torch.inf).amax(1),
            "You take the largest value over time. That is another summary; asked is the state at the end."),
        "the mean of all": (
            lambda h, lengths: h.mean(1),
            "What fills a sentence up is in your mean. Asked is one state of each row: the one at its end."),
    },
    hints=(
        "Row b is needed at one place only, and the place is another one in each row.",
        "Indexing with two lists picks pairs: the rows 0, 1, 2, ... and a place for each of them.",
    ),
    explain="what would the decoder learn if it began with the state at the last place of all?",
    harder="teacher_forcing",
)

EXERCISES = (FORCING, LAST)
