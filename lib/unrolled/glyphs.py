"""Glyphs and their Unicode names: small grey pictures with a caption that everybody agrees on (lecture C1).

Matplotlib brings the DejaVu fonts along, and Python knows the name of every character, so there is a
captioned collection on every computer that can run this book. A name is made of parts:

    LATIN SMALL LETTER E WITH ACUTE

says a script, a size, a letter and a mark. Some names are held out: they are never shown in training, though
all their parts are. Who can name these has understood the parts, and did not learn names by heart.
"""

import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.ft2font import FT2Font

from .shapes import Float, Int, Tensor
from .vocab import Vocab

SIZE = (32, 28)  # rows, columns of a picture
BASELINE, EM = 24, 20  # rows above the line on which letters stand, and pixels for an em
FONTS = tuple(
    f"DejaVu{kind}"
    for kind in (
        "Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique",
        "SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique",
        "Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic",
    )
)  # fmt: skip
NAME = re.compile(r"(LATIN|GREEK|CYRILLIC) (SMALL|CAPITAL) LETTER \w+( WITH [\w ]+)?")
HELD_OUT = 0.2  # the share of the names with marks that no training shows


class Glyphs(NamedTuple):
    """Pictures (N, R, C), 0 white to 1 black; of each the character and its font, as a place in FONTS."""

    pictures: Float[Tensor, "N R C"]
    chars: str
    fonts: list[int]

    @property
    def names(self) -> list[str]:
        """The caption of each picture."""
        return [unicodedata.name(char) for char in self.chars]


@cache
def font(name: str) -> FT2Font:
    """One of FONTS, ready to draw. Raises ValueError for another name."""
    if name not in FONTS:
        raise ValueError(f"font is {name!r}: expected one of {', '.join(FONTS)}")
    face = FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"))
    face.set_size(EM, 72)
    return face


@cache
def letters() -> dict[str, str]:
    """Name -> character, for the letters of three scripts whose words all occur in two names or more.

    So each part can be learned from others when a name is held out.
    """
    code_points = sorted(font(FONTS[0]).get_charmap())
    found = {unicodedata.name(c, ""): c for c in map(chr, code_points)}
    found = {name: c for name, c in found.items() if NAME.fullmatch(name)}
    while rare := {word for word, n in Counter(w for name in found for w in name.split()).items() if n < 2}:
        found = {name: c for name, c in found.items() if not rare & set(name.split())}
    return found


def parts(name: str) -> set[str]:
    """What a name says: its script with size and letter, and each of its marks.

    `parts("GREEK SMALL LETTER ETA WITH PSILI AND OXIA")` has "GREEK SMALL LETTER ETA", "PSILI" and "OXIA".
    """
    letter, _, marks = name.partition(" WITH ")
    return {letter, *(marks.split(" AND ") if marks else ())}


@cache
def split(seed: int = 11) -> tuple[str, str]:
    """The characters whose names are shown in training, and those held out; each in the order of Unicode.

    A name is held out only while each of its parts stays in three other names or more. The seed was chosen by
    one wish: that é is held out.
    """
    names, generator = letters(), torch.Generator().manual_seed(seed)
    marked = [name for name in names if " WITH " in name]
    left, held = Counter(part for name in names for part in parts(name)), set()
    for i in torch.randperm(len(marked), generator=generator).tolist():
        if len(held) < HELD_OUT * len(marked) and all(left[part] > 3 for part in parts(marked[i])):
            held.add(names[marked[i]])
            left -= Counter(parts(marked[i]))
    return "".join(c for c in names.values() if c not in held), "".join(sorted(held))


def draw(char: str, name: str = FONTS[0]) -> Float[Tensor, "R C"]:
    """One character as a grey picture, standing on BASELINE, in the middle from left to right.

    Raises ValueError if char is not one character that the font has.
    """
    face = font(name)
    if len(char) != 1 or not face.get_char_index(ord(char)):
        raise ValueError(f"char is {char!r}: expected one character that {name} can draw")
    face.set_text(char)
    face.draw_glyphs_to_bitmap()
    ink, page = np.asarray(face.get_image()), np.zeros(SIZE, np.uint8)
    top = BASELINE + round(face.get_descent() / 64) + 1 - ink.shape[0]  # the bitmap has a blank row below
    left = (SIZE[1] - ink.shape[1]) // 2
    ink = ink[max(0, -top) :, max(0, -left) :][: SIZE[0] - max(0, top), : SIZE[1]]
    top, left = max(0, top), max(0, left)
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return torch.from_numpy(page).float() / 255


def glyphs(chars: str, fonts: tuple[str, ...] = FONTS) -> Glyphs:
    """The pictures of these characters in these fonts, font by font; what a font lacks is left out."""
    places = [(c, FONTS.index(f)) for f in fonts for c in chars if font(f).get_char_index(ord(c))]
    pictures = [draw(c, FONTS[f]) for c, f in places]
    page = torch.stack(pictures) if pictures else torch.zeros(0, *SIZE)
    return Glyphs(page, "".join(c for c, _ in places), [f for _, f in places])


@cache
def words() -> Vocab:
    """The words of all names. A name begins and ends with a new line, whose id is 0."""
    return Vocab.words("\n" + "\n".join(letters()))


def caption(name: str) -> Int[Tensor, "T"]:
    """A name as ids, with the new line before and after it."""
    return words().encode(f"\n{name}\n")
