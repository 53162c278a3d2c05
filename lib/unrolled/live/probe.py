"""The figure of the probe: two networks read the reader's brackets, and a probe or a unit colours each."""

import base64
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ..checkpoint import fill, read
from ..lstm import LSTM
from ..probe import Probe, correlations
from ..probe import probe as fitted
from ..shapes import Bool, Float, Int, Tensor
from ..tasks import Brackets
from .page import Figure, element

TRAINED = Path(__file__).parent.parent / "live_models" / "brackets_two_seeds.safetensors"
DEPTH, HIDDEN, MOST = 4, 16, 40
HEIGHT = "clamp(560px, 900px - 40vw, 760px)"  # kept free until the script has run


def probe(text: str = "([()][(", unit: int | None = None) -> Figure:
    """Two LSTMs trained alike from two seeds read brackets; a probe or one unit colours what they read.

    text: up to 40 of ( ) [ ]; unit: the unit shown first, from 0, or None for the probe. The probe was fitted
    to say whether the innermost open bracket is round (lecture O2, O4).
    """
    if set(text) - set("()[]") or not 0 < len(text) <= MOST or unit is not None and not 0 <= unit < HIDDEN:
        raise ValueError(f"text {text!r}, unit {unit}: expected up to {MOST} of ()[], 0 to {HIDDEN - 1}")
    nets = [net(name) for name in "ab"]
    (one, at_a), (two, at_b) = ((abs(r).max().item(), int(abs(r).argmax())) for _, _, r in nets)
    words = (
        "A live figure: two small LSTMs, trained alike from two seeds, read brackets. Both know which kind "
        f"is open. In the first the closest single unit is number {at_a} (correlation {one:.2f}), in the "
        f"second number {at_b} ({two:.2f})."
    )
    value = {
        "text": text, "unit": unit, "hidden": HIDDEN, "symbols": list(Brackets.symbols), "most": MOST,
        "nets": [{"weights": packed(model), "w": p.w.tolist(), "b": p.b.item(), "best": int(abs(r).argmax())}
                 for model, p, r in nets],
    }  # fmt: skip
    return Figure(element("u-probe", value, f"<p>{words}</p>", ("tensor", "ui", "probe"), HEIGHT), words)


def seeded(seed: int) -> LSTM:
    """The network before training."""
    torch.manual_seed(seed)
    return LSTM(len(Brackets.symbols), HIDDEN, fused=True)


@cache
def trained() -> tuple[dict[str, LSTM], dict[str, Any]]:
    """The two trained networks, "a" and "b", and the facts of their training."""
    tensors, facts = read(TRAINED)
    models = {}
    for name in "ab":
        models[name] = seeded(0)
        own = {k[2:]: t.float() for k, t in tensors.items() if k.startswith(f"{name}/")}
        fill(models[name], own, TRAINED, facts["architecture"])
    return models, facts


@torch.no_grad()
def states(model: LSTM, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T H"]:
    """h_t after each symbol."""
    return model.core(model.embed(x))[0]


def innermost(x: Int[Tensor, "B T"], beneath: int = 0) -> Int[Tensor, "B T"]:
    """After each symbol: 1 if the innermost open bracket is round, 0 if it is square, -1 if there is none.

    beneath: 1 asks for the bracket around that one, and so on.
    """
    answers = []
    for row in x.tolist():
        stack: list[int] = []
        for symbol in row:  # ( and [ are 1 and 3, and what closes them comes next
            stack = [*stack, symbol] if symbol % 2 else stack[:-1]
            answers.append(int(stack[-1 - beneath] == 1) if len(stack) > beneath else -1)
    return torch.tensor(answers).view(x.shape)


def asked(
    model: LSTM, seed: int, where: str = "closing", n: int = 100, beneath: int = 0
) -> tuple[Float[Tensor, "N H"], Bool[Tensor, "N"]]:
    """States of new rows where something is open, and whether that is round.

    where: after "closing" brackets, where the symbol tells nothing; after "opening" ones; or "anywhere".
    beneath: 0 asks about the innermost open bracket, 1 about the one around it.
    """
    x = Brackets(DEPTH).draw(n, torch.Generator().manual_seed(seed)).x
    y, closing = innermost(x, beneath), x % 2 == 0
    here = {"closing": closing, "opening": ~closing, "anywhere": torch.ones_like(closing)}[where] & (y >= 0)
    return states(model, x)[here], y[here] == 1


@cache
def net(name: str) -> tuple[LSTM, Probe, Float[Tensor, "H"]]:
    """A trained network, the probe fitted to it anywhere, and how closely each unit follows the answer."""
    model = trained()[0][name]
    h, y = asked(model, 1, "anywhere")
    return model, fitted(h, y), correlations(h, y)


def packed(model: LSTM) -> str:
    """All weights as base64 of 16-bit floats, little-endian: embed, W_x, W_h, b, W_y and its bias."""
    layer = model.core.layers[0]
    parts = (model.embed.weight, layer.W_x, layer.W_h, layer.b, model.W_y.weight, model.W_y.bias)
    line = torch.cat([p.detach().half().flatten() for p in parts])
    return base64.b64encode(line.numpy().astype("<f2").tobytes()).decode("ascii")
