"""Drawings of sequence to sequence: one network reads, another one writes (lecture Q2, Q3)."""

from collections.abc import Sequence
from numbers import Real

from .picture import Picture
from .strokes import arrow, brace, circle, colour, square, text, width

HIGH = 96  # the middle of the states


def encoder_decoder(
    source: Sequence[str] = ("a", "green", "horse"),
    target: Sequence[str] = ("un", "cheval", "vert"),
    alt: str = "",
) -> Picture:
    """An encoder reads the source into its last state, which is the decoder's first (Q2).

    Each word that is written is the next one that is read.
    """
    gap = max(66, *(width(w, 15) + 18 for w in (*source, *target)))
    xs = [44 + gap * k for k in range(len(source) + len(target) + 1)]
    first = len(source)
    drawn = [_read(x, word) for x, word in zip(xs, source)]
    drawn += [_read(x, word, "s") for x, word in zip(xs[first:], ("⏎", *target))]
    drawn += [_write(x, word) for x, word in zip(xs[first:], (*target, "⏎"))]
    drawn += [_state(left, right, k + 1 == first) for k, (left, right) in enumerate(zip(xs, xs[1:]))]
    drawn += [brace(xs[0] - 22, xs[first - 1] + 22, 196, "the encoder reads")]
    drawn += [brace(xs[first] - 22, xs[-1] + 22, 196, "the decoder writes")]
    alt = alt or (
        f"A chain of {len(xs)} states: the first {first} read the English words and write nothing, the "
        f"others write the French words, and read each word that was written."
    )
    desc = "The one arrow that leads from the encoder to the decoder is all that is known of the source."
    return Picture("".join(drawn), (xs[-1] + 46, 244), alt, desc)


def _read(x: Real, word: str, state: str = "h") -> str:
    """A state that reads a word from below."""
    looks = {} if state == "h" else {"fill": colour("c")}
    return text(x, 172, word, 15) + arrow((x, 157), (x, HIGH + 22)) + circle(x, HIGH, 20, state, **looks)


def _write(x: Real, word: str) -> str:
    """A word that is written above its state."""
    return arrow((x, HIGH - 22), (x, HIGH - 56)) + text(x, HIGH - 70, word, 15)


def _state(left: Real, right: Real, handed: bool) -> str:
    """A state on its way to the next one; where it is handed from the encoder to the decoder, it is thick."""
    ink = colour("accent") if handed else colour("h")
    return arrow((left + 21, HIGH), (right - 22, HIGH), ink=ink, width=6 if handed else 3)


SHAPES = (("one to one", 1, 1), ("one to many", 1, 3), ("many to one", 3, 1), ("many to many", 2, 3))


def four_shapes(alt: str = "") -> Picture:
    """One to one, one to many, many to one, many to many: what is read, and what is written (Q3)."""
    drawn, left = [], 42
    for name, reads, writes in SHAPES:
        xs = [left + 36 * k for k in range(reads + writes)]
        drawn += [_box(x, 142, "x", (x, 126), (x, HIGH + 12)) for x in xs[:reads]]
        drawn += [_box(x, 50, "y", (x, HIGH - 12), (x, 66)) for x in xs[reads:]]
        drawn += [circle(x, HIGH, 11, fill=colour("h" if x in xs[:reads] else "c")) for x in xs]
        drawn += [arrow((x + 12, HIGH), (x + 24, HIGH), ink=colour("h"), width=2.5) for x in xs[:-1]]
        drawn.append(text((xs[0] + xs[-1]) / 2, 14, name, 15))
        left = xs[-1] + 60
    alt = alt or (
        "Four chains of states: one input, one output; one input, three outputs; three inputs, one output; "
        "two inputs, then three outputs."
    )
    return Picture("".join(drawn), (left - 24, 166), alt)


def _box(x: Real, y: Real, name: str, start: tuple[Real, Real], end: tuple[Real, Real]) -> str:
    """An input or an output with its arrow."""
    role = {"x": colour("x"), "y": colour("y")}[name]
    return square(x, y, 24, name, fill=role) + arrow(start, end)
