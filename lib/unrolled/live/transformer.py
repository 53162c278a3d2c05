"""The figure of attention: a trained transformer reads and writes, and shows where each head looks."""

import base64
from pathlib import Path

import torch

from ..model import parameter_count
from ..transformer import Transformer
from .page import Figure, element, snapshot
from .train_transformer import trained

PROMPT = "Tim was planning to visit France. The train waited for a nun. He took the train from London to "
LINEAR = ("attention.W_q", "attention.W_k", "attention.W_v", "attention.W_o", "mlp.0", "mlp.2")
HEIGHT = "clamp(985px, 1305px - 40vw, 1145px)"  # kept free until the script has run


def transformer(
    path: str | Path | None = None, prompt: str = PROMPT, temperature: float | int = 0.7, seed: int = 1
) -> Figure:
    """A trained character transformer in the page (lecture T1 to T3): who looks where, and what comes next.

    Readers type or let it write, choose a layer and a head, and the character that looks. The model reads the
    last line only, as it was trained on one story at a time. `path` is a checkpoint of
    `python -m unrolled.live.train_transformer`; None is the book's own. The page gets 16-bit weights.
    """
    from . import chances  # the package imports this module first

    model, vocab, known = trained(*([] if path is None else [path]))
    core = model.core
    lead = (
        f"A live figure: a transformer of characters with {len(core.blocks)} layers of {core.heads} heads, "
        f"and where they look."
    )
    fallback, words = snapshot(lead, prompt, chances(model, vocab, prompt))
    value = {
        "symbols": vocab.symbols, "width": core.hidden, "layers": len(core.blocks), "heads": core.heads,
        "weights": packed(model), "prompt": prompt, "temperature": temperature, "seed": seed,
        "note": note(model, known),
    }  # fmt: skip
    modules = ("tensor", "ui", "writer", "transformer")
    return Figure(element("u-transformer", value, fallback, modules, HEIGHT), words)


def note(model: Transformer, known: dict) -> str:
    """What the model is, and how good."""
    return (
        f"The model has {parameter_count(model):,} weights. Trained for {known['seconds'] / 60:.0f} minutes "
        f"on one core, it needs {known['bits']:.2f} bits a symbol on new stories; the best possible is "
        f"{known['floor']:.2f}."
    )


def names(layers: int) -> list[str]:
    """The tensors in the order in which transformer.mjs takes them."""
    parts = [("norm_1", *LINEAR[:4]), ("norm_2", *LINEAR[4:])]
    blocks = [f"core.blocks.{i}.{part}" for i in range(layers) for group in parts for part in group]
    pairs = [f"{part}.{kind}" for part in (*blocks, "core.norm", "W_y") for kind in ("weight", "bias")]
    return ["embed.weight", *pairs]


def packed(model: Transformer) -> str:
    """All weights as base64 of 16-bit floats, little-endian, in the order of `names`."""
    tensors = model.state_dict()
    parts = [tensors[name].half().flatten() for name in names(len(model.core.blocks))]
    return base64.b64encode(torch.cat(parts).numpy().astype("<f2").tobytes()).decode("ascii")
