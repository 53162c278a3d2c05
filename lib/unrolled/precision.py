"""Faster arithmetic where the machine has it: numbers of 16 bits in the products, and compiled models.

bfloat16 keeps the range of a 32-bit number and 8 of its 24 binary digits (Micikevicius et al., 2018, arXiv
1710.03740, and Kalamkar et al., 2019, arXiv 1905.12322, for bfloat16). Weights, sums and the loss stay in
32 bits; only the matrix products are rounded.
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from .batches import Around
from .model import SequenceModel, device_of
from .shapes import Float, Tensor

Loss = Callable[[SequenceModel, Any], Tensor]

@cache
def helps(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, so that `mixed` saves time.

    CPUs with AVX512-BF16 or AMX do, and NVIDIA GPUs from 2020 on (compute capability 8.0). Colab's CPU and
    its T4 do not: there bfloat16 is slower than 32 bits.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    asked = (getattr(torch.cpu, name, None) for name in names)
    return device.type == "cpu" and any(has() for has in asked if has)


class mixed(Around):
    """Batches whose loss is computed in mixed precision where that helps: `fit(model, mixed(batches(x)), n)`.

    Elsewhere the loss is as before, so one script serves all machines; their curves then differ, as bfloat16
    rounds. always=True takes bfloat16 on any machine. It pays for wide models: on a CPU an LSTM gains from 64
    hidden numbers on, a GRU from 256, our RNN from 512 (`benchmarks/training.py`); below, it loses.
    """

    def __init__(self, inner: Iterable, always: bool = False, loss: Loss | None = None):
        super().__init__(inner, loss)
        self.always = always

    def loss(self, model: SequenceModel, x: Any) -> Float[Tensor, ""]:
        """The inner loss, with bfloat16 in the matrix products."""
        device = device_of(model)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.always or helps(device)):
            return super().loss(model, x)


def compiled(model: SequenceModel, always: bool = False) -> bool:
    """Compile the model in place where that pays, and say whether it was done.

    It pays on GPUs, in scripts: compiling takes a minute or more, which a notebook does not win back, and on
    CPUs little is gained. always=True compiles anywhere. The model keeps its name, weights and state_dict.
    """
    gpu = next(model.parameters()).device.type == "cuda" and find_spec("triton") is not None
    pays = always or gpu and "ipykernel" not in sys.modules
    if pays:
        model.compile()
    return pays
