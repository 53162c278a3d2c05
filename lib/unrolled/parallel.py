"""Training on several processes at once: each reads a part of every batch, all take the same step.

    with group():                                        # in a script that torchrun starts
        fit(model, share(batches(x, batch=64)), 1000)

    torchrun --nproc-per-node 2 script.py                # two processes on this machine

PyTorch's DistributedDataParallel averages the gradients (Li et al., 2020, arXiv 2006.15704), through gloo on
CPUs and NCCL on GPUs. One process alone, without torchrun, runs the same script: nothing is shared then.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map_only

from . import runtime
from .batches import Around
from .model import SequenceModel
from .shapes import Float, Int, Tensor


@contextmanager
def group() -> Iterator[None]:
    """`with group():` joins the processes that torchrun started; without torchrun it does nothing.

    On GPUs each process takes its own. Chance is left alone: with dropout, seed each process by its `rank()`.
    """
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    cuda = runtime.device().type == "cuda"
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def world() -> int:
    """How many processes train together; 1 outside of a `group`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0. Number 0 speaks for all: it shows the bar and writes the file."""
    return dist.get_rank() if world() > 1 else 0


def shard(x: Int[Tensor, "N"]) -> Int[Tensor, "M"]:
    """This process's part of a corpus (N,): one stretch, as long as that of the others."""
    size = len(x) // world()
    return x[rank() * size : (rank() + 1) * size]


class share(Around):
    """Batches that the processes of a `group` read together; `fit` and `train` take them like any others.

    All processes draw the same batch, and each reads its own rows of it: together they train as one process
    does. With `cut=False` each process reads its own batches whole, made from its `shard` of the corpus.
    The loss is the mean over all processes. ValueError where the rows cannot be divided evenly.
    """

    def __init__(
        self, inner: Iterable, cut: bool = True, loss: Callable[[SequenceModel, Any], Tensor] | None = None
    ):
        super().__init__(inner, loss)
        self.cut, self.copy = cut, None

    def __iter__(self) -> Iterator:
        return map(self._mine, self.inner) if self.cut and world() > 1 else iter(self.inner)

    def _mine(self, x: Any) -> Any:
        return tree_map_only(Tensor, _rows, x)

    def loss(self, model: SequenceModel, x: Any) -> Float[Tensor, ""]:
        """The mean of all processes' losses; its gradient is averaged too, on the way back."""
        if world() == 1:
            return super().loss(model, x)
        self.copy = self.copy or _Copy(model)
        return _Mean.apply(super().loss(self.copy, x))


def _rows(t: Tensor) -> Tensor:
    if len(t) % world():
        raise ValueError(f"a batch of {len(t)} rows cannot be divided among {world()} processes evenly")
    return t.chunk(world())[rank()]


class _Copy(DistributedDataParallel):
    """The model, as all processes hold it; what DDP lacks, the model answers."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)


class _Mean(torch.autograd.Function):
    """The mean of a number over all processes. Each one's gradient stays its own: DDP averages those."""

    @staticmethod
    def forward(ctx: Any, bits: Tensor) -> Tensor:
        mean = bits.clone()
        dist.all_reduce(mean)
        return mean / world()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def anyone(flag: bool) -> bool:
    """Whether the flag is true in any of the processes: what one decides, all must do."""
    if world() == 1:
        return flag
    votes = torch.tensor(float(flag), device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(votes)
    return bool(votes)


def wait() -> None:
    """Until all processes have come this far."""
    if world() > 1:
        dist.barrier()


def everyones(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of all processes by name, each behind the number of its process; alone, the tensors."""
    if world() == 1:
        return tensors
    parts: list[Any] = [None] * world()
    dist.all_gather_object(parts, {name: t.cpu() for name, t in tensors.items()})
    return {f"process{number}/{name}": t for number, part in enumerate(parts) for name, t in part.items()}


def mine(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """This process's tensors out of what `everyones` gave. ValueError where others were counted then."""
    numbers = {key.partition("/")[0] for key in tensors if re.match(r"process\d+/", key)}
    if tensors and max(1, len(numbers)) != world():
        raise ValueError(f"{max(1, len(numbers))} process(es) saved this training, and {world()} take it up: "
                         "start as many as before")
    own = f"process{rank()}/" if numbers else ""
    return {name.removeprefix(own): t for name, t in tensors.items() if name.startswith(own)}
