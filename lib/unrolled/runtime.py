"""The first line of every chapter, `runtime.start()`: threads, seed, plot style. Also device and budget."""

import os
import random
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .shapes import Float, Tensor


def seed(n: int) -> None:
    """Seed every source of chance: torch on all devices, numpy, Python's random."""
    torch.manual_seed(n)
    np.random.seed(n % 2**32)
    random.seed(n)


def repeatable(n: int, threads: int | None = None) -> None:
    """Seed every source of chance, and take so many threads; None: as OMP_NUM_THREADS says, else one."""
    if threads is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(threads or 1)
    seed(n)


def start(seed: int = 0) -> None:
    """Make this session repeatable: set the threads, the seeds and the plot style.

    One thread, unless OMP_NUM_THREADS asks for another number. The models of this book are small: a second
    thread saves a fifth of the time at best, and on a busy machine it waits far longer than it works.
    """
    repeatable(seed)
    if find_spec("unrolled.plot"):  # here and not above: training alone need not load a plot library
        import_module("unrolled.plot").use()


def device() -> torch.device:
    """Where to train: cuda, else mps after a self-test, else cpu. UNROLLED_DEVICE overrides.

    Some releases of torch compute recurrent networks wrongly on mps (Apple's GPUs), without an error. So
    mps has to agree with the CPU first, on a loss and its gradients; it takes less than a second.
    """
    if name := os.environ.get("UNROLLED_DEVICE"):
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available() and _mps_agrees():
        return torch.device("mps")
    return torch.device("cpu")


@cache
def _mps_agrees() -> bool:
    """Whether mps computes what the CPU computes; a warning says why it does not."""
    try:
        torch.testing.assert_close(_probe("mps"), _probe("cpu"), rtol=1e-3, atol=1e-4)
    except (AssertionError, RuntimeError) as reason:
        why = str(reason).strip().splitlines()[0]
        warnings.warn(f"the CPU is used: mps fails our self-test ({why})", stacklevel=3)
        return False
    return True


def _probe(device: str) -> Float[Tensor, "N"]:
    """A small LSTM's loss and all its gradients on this device, as one vector on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        core, x = nn.LSTM(8, 16, num_layers=2, batch_first=True).to(device), torch.randn(3, 20, 8)
    h, _ = core(x.to(device))
    loss = F.cross_entropy(h.flatten(0, 1), torch.arange(60, device=device) % 16)
    grads = torch.autograd.grad(loss, list(core.parameters()))
    return torch.cat([g.flatten() for g in (loss, *grads)]).detach().cpu()


def budget() -> str:
    """How much a chapter may spend: "full" where there is a CUDA device, else "quick".

    UNROLLED_BUDGET overrides; ValueError where it says anything else than the two.
    """
    asked = os.environ.get("UNROLLED_BUDGET") or ("full" if device().type == "cuda" else "quick")
    if asked not in ("quick", "full"):
        raise ValueError(f"UNROLLED_BUDGET is {asked!r}: expected quick or full")
    return asked


def full() -> bool:
    """Whether the budget is "full": `steps = 5000 if runtime.full() else 500`."""
    return budget() == "full"
