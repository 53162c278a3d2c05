"""First weights that matter for memory: what a recurrent network can learn depends on where it starts.

Each function takes whatever holds the weights (a core, or a model around one) and changes them in place.
"""

import torch
from torch import nn

from .layers import Layer
from .shapes import Float, Tensor


def rotation(n: int) -> Float[Tensor, "n n"]:
    """A random orthogonal matrix, all equally likely: it turns vectors and never changes their length.

    The Q of a matrix of normal numbers; the signs of R's diagonal make the choice even (Mezzadri, 2007).
    """
    Q, R = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))
    return Q * R.diagonal().sign()


@torch.no_grad()
def orthogonal(model: nn.Module, gain: float | int = 1.0) -> None:
    """Make each recurrent matrix W_h a rotation times `gain`, gate by gate (Saxe et al., 2014).

    So at the start no direction of the state is stretched or shrunk by W_h, however many steps it takes.
    Raises ValueError where there is no W_h.
    """
    found = [W for name, W in model.named_parameters() if name.split(".")[-1] == "W_h"]
    if not found:
        raise ValueError(f"{type(model).__name__} has no parameter W_h")
    for W_h in found:
        for block in W_h.split(W_h.shape[1]):
            block.copy_(gain * rotation(len(block)))


@torch.no_grad()
def forget_bias(model: nn.Module, value: float | int = 1.0) -> None:
    """Set the bias of the gate that keeps, f of an LSTM or z of a GRU: a share sigmoid(value) stays.

    Gers et al. (2000) and Jozefowicz et al. (2015) advise 1 for the LSTM.
    """
    for layer in _layers(model):
        layer.block(layer.b, layer.keeps).fill_(value)


@torch.no_grad()
def chrono(model: nn.Module, longest: int) -> None:
    """Give each cell a memory of its own, 2 to `longest` steps (Tallec and Ollivier, 2018, arXiv 1804.11188).

    A gate that stays at f forgets with the time scale 1 / (1 - f). A bias of log(u) makes that 1 + u, and u
    is drawn evenly from 1 to longest - 1. Where there is an input gate it begins as 1 - f.
    """
    if longest < 3:
        raise ValueError(f"longest is {longest}: expected 3 steps or more")
    for layer in _layers(model):
        keep = layer.block(layer.b, layer.keeps)
        keep.uniform_(1, longest - 1).log_()
        if "i" in layer.gates:
            layer.block(layer.b, "i").copy_(-keep)


def _layers(model: nn.Module) -> list[Layer]:
    found = [module for module in model.modules() if isinstance(module, Layer)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no gated layers")
    return found
