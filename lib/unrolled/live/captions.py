"""The figure of captions: choose a glyph or draw one, and see where the network looks as it names it."""

import base64

import torch

from ..captions import Captioner, describe
from ..glyphs import SIZE, draw, words
from ..shapes import Float, Tensor
from ..trainings.captions import trained
from .page import Figure, element

CHARS = "éeáñçøÅŽЖйΩὦA7★"
LEVELS = 9  # of ink: the page has one digit for each pixel
HEIGHT = "clamp(760px, 1140px - 50vw, 900px)"  # kept free until the script has run


def captions(chars: str = CHARS) -> Figure:
    """The trained captioner in the page (lecture C1, C2): pick one of `chars` or draw; it writes the name.

    The weights are those of `python -m unrolled.trainings.captions`, in 16 bits; with each word comes the map
    of its attention. ValueError for a character that cannot be drawn, or none.
    """
    if not chars:
        raise ValueError("chars is '': expected one character or more to choose from")
    pages = [(draw(char) * LEVELS).round() for char in chars]
    model, facts = trained()
    said = words().decode(describe(model, pages[0][None] / LEVELS)[0])
    lead = (
        f"A live figure: a network of {facts['parameters']:,} numbers looks at glyphs and names them. "
        f"Of {chars[0]} it says: {said}."
    )
    value = {
        "chars": list(chars), "pages": ["".join(str(int(v)) for v in page.flatten()) for page in pages],
        "size": list(SIZE), "levels": LEVELS, "net": packed(model),
        "symbols": [symbol.strip() for symbol in words().symbols],
    }  # fmt: skip
    page = element("u-captions", value, f"<p>{lead}</p>", ("tensor", "ui", "captioner", "captions"), HEIGHT)
    return Figure(page, lead)


def packed(model: Captioner) -> dict[str, object]:
    """The network for captioner.mjs: shapes by name, and all weights as base64 of 16-bit floats."""
    state = {name: t.detach().half() for name, t in model.state_dict().items()}
    flat = torch.cat([t.contiguous().flatten() for t in state.values()])
    weights = base64.b64encode(flat.numpy().astype("<f2").tobytes()).decode("ascii")
    return {"shapes": {name: list(t.shape) for name, t in state.items()}, "weights": weights}


def page_of(digits: str) -> Float[Tensor, "R C"]:
    """The picture that the page has, from its digits."""
    return torch.tensor([int(d) for d in digits]).view(SIZE).float() / LEVELS
