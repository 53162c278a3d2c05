"""The figure of sound: build a stack of dilated convolutions, and let a trained one sing in the page."""

import base64

import torch

from ..dilations import reached
from ..trainings import vowels
from ..voices import RATE
from ..wavenet import WaveNet, receptive_field
from .page import Figure, element

GAPS = {"doubling": 2, "tripling": 3, "all 1": 1}  # by what each gap is multiplied to get the next one
MOST = 9  # layers
HEIGHT = "clamp(1022px, 1110px - 9vw, 1078px)"  # kept free until the script has run


def wavenet(layers: int = 4, vowel: str = "hod", f0: float | int = 120, temperature: float = 0.7) -> Figure:
    """What one output of a dilated stack sees; and the trained WaveNet of vowels, singing (lecture W2, W3).

    layers is 1 to 9; vowel and f0 are what is asked for first, as `vowels.condition` takes them. The page
    draws each sample anew, with the numbers of `python -m unrolled.trainings.vowels`, in 16 bits.
    """
    if not 1 <= layers <= MOST or not 0 < temperature <= 1.5:
        raise ValueError(f"layers is {layers}, temperature {temperature}: expected 1 to {MOST}, 0 to 1.5")
    vowels.condition(vowel, f0)  # raises where that cannot be asked for
    model, facts = vowels.trained()
    dilations = gaps("doubling", layers)
    n = receptive_field(2, dilations)
    words = (
        f"A live figure: {layers} layers with gaps {', '.join(map(str, dilations))} see {n} samples, "
        f"{1000 * n / RATE:g} milliseconds. A trained WaveNet of {facts['parameters']:,} numbers, which sees "
        f"{model.receptive_field}, sings {', '.join(vowels.VOWELS)} in the page."
    )
    value = {
        "layers": layers, "vowel": vowel, "f0": f0, "temperature": temperature, "seed": 1, "most": MOST,
        "rate": RATE, "gaps": GAPS, "net": packed(model),
        "voice": {"names": vowels.VOWELS, "low": vowels.LOW, "high": vowels.HIGH, "marks": vowels.MARKS},
    }  # fmt: skip
    page = element("u-wavenet", value, f"<p>{words}</p>", ("tensor", "ui", "singer", "wavenet"), HEIGHT)
    return Figure(page, words)


def gaps(kind: str, layers: int) -> list[int]:
    """The dilations of so many layers, from 1 on, as the page has them."""
    return [GAPS[kind] ** layer for layer in range(layers)]


def sees(kind: str, layers: int, times: int, t: int) -> list[list[int]]:
    """Which places among `times` the output at t sees, of the inputs first, then of each layer."""
    return [sorted(row) for row in reached(gaps(kind, layers), t + 1) if t < times]


def packed(model: WaveNet) -> dict[str, object]:
    """The network for singer.mjs: sizes, and all weights as base64 of 16-bit floats, little-endian."""
    weights = torch.cat([t.detach().half().flatten() for t in model.state_dict().values()])
    return {
        "levels": model.vocab_size, "residual": model.core.inputs, "skip": model.core.hidden,
        "dilations": list(model.core.dilations), "condition": model.core.condition,
        "weights": base64.b64encode(weights.numpy().astype("<f2").tobytes()).decode("ascii"),
    }  # fmt: skip
