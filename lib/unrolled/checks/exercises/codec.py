"""Chapter 1, from text to numbers and back: char_codec."""

import string
from collections.abc import Callable
from typing import Any

import torch

from ..exercise import Exercise
from ..properties import demand
from ..sandbox import NotThat
from ..trial import Trial

CHAPTER = "01_sequences"


def char_codec(text: str) -> tuple[list[str], Callable[[str], list[int]], Callable[[list[int]], str]]:
    """The symbols of a text, a function from text to ids, and one back; id 0 is kept for padding."""
    symbols = ["<pad>", *sorted(set(text))]  # sorted: the same ids in every run of Python
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    return symbols, lambda s: [ids[c] for c in s], lambda numbers: "".join(symbols[i] for i in numbers)


def _codec_case(g: torch.Generator, i: int) -> dict[str, Any]:
    letters = string.ascii_lowercase
    marks = [" \n", " \n", " \n" + letters[:6].upper(), " \n.,AZ0359\u00e9\u00df"][i]
    chosen = torch.randperm(len(letters), generator=g)[: 10 + 4 * i].tolist()  # never the whole alphabet
    several = [*(letters[k] for k in chosen), *marks]
    order = torch.randperm(len(several), generator=g).tolist() * (1 + i)
    return {"text": "".join(several[k] for k in order)}


def _codes(answer: Any, text: str) -> tuple[list[str], list[int], str]:
    """The symbols, the ids of the text read backwards, and those ids decoded again."""
    if not isinstance(answer, list | tuple) or len(answer) != 3 or not all(map(callable, answer[1:])):
        raise NotThat("expected three things, (symbols, encode, decode), the last two of them functions")
    symbols, encode, decode = answer
    ids = torch.as_tensor(encode(text[::-1])).tolist()
    return list(symbols), ids, decode(ids)


def _codec(symbols: Callable[[str], list[str]], first: int = 1, glue: str = "") -> Callable[..., Any]:
    """A codec with other characters, another first id, or other glue between what it decodes."""

    def codec(text: str) -> Any:
        known = symbols(text)
        ids = {c: i + first for i, c in enumerate(known)}
        back = {i: c for c, i in ids.items()}
        decode = lambda numbers: glue.join(back[i] for i in numbers)  # noqa: E731
        return ["<pad>", *known], lambda s: [ids[c] for c in s if c in ids], decode

    return codec


def _lowered(text: str) -> Any:
    symbols, encode, decode = char_codec(text.lower())
    return symbols, lambda s: encode(s.lower()), decode


def _round_trip(trial: Trial) -> bool:
    return trial.got[2] == trial.case["text"][::-1]


CODEC = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="char_codec(text) -> symbols, encode, decode",
    text="""Build the vocabulary of a text and the two ways between text and numbers. `symbols` is a list:
place i holds the symbol whose id is i. Place 0 holds "<pad>", which stands for no character; the
characters follow in sorted order. `encode(s)` gives a list of ids, `decode(ids)` the text again.""",
    worked=char_codec,
    cases=_codec_case,
    observe=_codes,
    both_shown=False,  # the order of a set changes from run to run, and a verdict must not
    properties=(
        demand("the symbols are sorted", lambda t: t.got[0][1:] == sorted(t.got[0][1:]),
               "symbols[1:] is not in sorted order, so the ids depend on the text's order or on the run"),
        demand("no character has id 0", lambda t: 0 not in t.got[1],
               "a character was encoded as 0, the id of <pad>"),
        demand("decode(encode(s)) gives s back", _round_trip,
               "the text that came back is not the text that went in"),
    ),
    right={
        "a tensor of ids": lambda text: (
            char_codec(text)[0], lambda s: torch.tensor(char_codec(text)[1](s)), char_codec(text)[2])},
    wrong={
        "the order of a bare set": (
            _codec(lambda text: list(set(text))),
            "A set of strings has another order each time Python starts. A model saved today would read "
            "other letters tomorrow, without any error. Give the symbols an order that depends on nothing "
            "but themselves."),
        "the order of first appearance": (
            _codec(lambda text: list(dict.fromkeys(text))),
            "This is the same in every run, but not for every text: two texts with the same letters get "
            "other ids, and a model of one cannot read the other."),
        "spaces and line breaks are lost": (
            _codec(lambda text: sorted(set("".join(text.split())))),
            "A blank is a symbol like any other: where words end is most of what a model of text first "
            "learns. Look for `split` or `strip`."),
        "an alphabet of its own": (
            _codec(lambda text: sorted(string.ascii_lowercase + " \n")),
            "Your symbols do not depend on the text. Another text has capitals, digits or an accent, and "
            "none of these would have an id: take the symbols from the text that you are given."),
        "capitals become small": (
            _lowered,
            "You make all letters small, and what comes back is not what went in. A capital is a symbol of "
            "its own."),
        "id 0 means two things": (
            _codec(lambda text: sorted(set(text)), first=0),
            "The first character and <pad> share the id 0, so padding decodes into a letter. Start the "
            "characters at the id that is their place in `symbols`."),
        "blanks between the characters": (
            _codec(lambda text: sorted(set(text)), glue=" "),
            "What comes back has a blank after each character: look at the string before `.join`."),
    },
    hints=(
        "What are the different characters of a text, and in which order should they stand? Print both.",
        "One dictionary leads from symbol to id; the list of symbols itself leads back.",
        "Build the dictionary with `enumerate(symbols)`, once \"<pad>\" stands in front.",
    ),
    explain="what goes wrong if a model is trained with one order of the symbols and used with another?",
)

EXERCISES = (CODEC,)
