"""The figure of pictures: draw a few pixels, and a trained network finishes the picture, doubt beside it."""

import base64

import torch

from .. import scenes
from ..pixelcnn import GatedPixelCNN
from ..shapes import Int, Tensor
from ..trainings.pixels import trained
from .page import Figure, element

HEIGHT = "clamp(640px, 1230px - 62vw, 1010px)"  # kept free until the script has run
NOT_YET = -1  # a pixel that nobody has drawn


def pixels(
    given: Int[Tensor, "R C"] | None = None, seed: int = 1, model: GatedPixelCNN | None = None
) -> Figure:
    """A trained gated PixelCNN in the page, which finishes what the reader draws (lecture X2, X3).

    given (12, 12): levels of the first sketch, -1 where nothing is drawn; None: the upper part of a scene.
    model: None is the book's own, made by `python -m unrolled.trainings.pixels --data scenes`. The page gets
    16-bit weights.
    """
    net, facts = trained() if model is None else (model, {})
    sketch = _sketch() if given is None else given
    levels = len(scenes.LEVELS)
    if tuple(sketch.shape) != net.size or sketch.min() < NOT_YET or sketch.max() >= levels:
        raise ValueError(f"given has shape {tuple(sketch.shape)}, levels {int(sketch.min())} to "
                         f"{int(sketch.max())}: expected {net.size}, and {NOT_YET} to {levels - 1}")
    drawn = int((sketch >= 0).sum())
    words = (
        f"A live figure: a page of {net.size[0]} by {net.size[1]} pixels, {drawn} of them drawn. A trained "
        "network draws the others, one after the other, and a map shows how unsure it is of each."
    )
    value = {
        "size": net.size, "hidden": net.head[1].in_channels, "layers": len(net.layers), "seed": seed,
        "names": scenes.LEVELS, "colours": scenes.COLOURS, "weights": packed(net),
        "given": sketch.flatten().tolist(), "note": _note(facts),
    }  # fmt: skip
    return Figure(element("u-pixels", value, f"<p>{words}</p>", ("tensor", "ui", "pixels"), HEIGHT), words)


def packed(model: GatedPixelCNN) -> str:
    """All weights as base64 of 16-bit floats, little-endian, in the order of `parameters()`."""
    parts = torch.cat([p.detach().half().flatten() for p in model.parameters()])
    return base64.b64encode(parts.numpy().astype("<f2").tobytes()).decode("ascii")


def _sketch() -> Int[Tensor, "R C"]:
    """Four rows of sky and the beginning of a bird."""
    rows, C = ["ssssssssssss"] * 4 + ["ggggrrgggggg", "gggrrr"], scenes.SIZE[1]
    marks = "".join(row.ljust(C, ".") for row in rows).ljust(scenes.SIZE[0] * C, ".")
    return torch.tensor([".sg_r".index(mark) - 1 for mark in marks]).view(scenes.SIZE)


def _note(facts: dict) -> str:
    """What the training cost and how good the network is, where that was recorded."""
    if not {"cpu_seconds", "test_nats", "parameters"} <= set(facts):
        return ""
    return (
        f"The network has {facts['parameters']:,} weights, trained for {facts['cpu_seconds']:.0f} "
        f"seconds on one core. It needs {facts['test_nats']:.1f} nats for a picture that it never saw."
    )
