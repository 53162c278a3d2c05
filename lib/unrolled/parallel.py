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
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_leaves, tree_map_only

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
    The loss is the mean over all processes, in which each counts by its rows; or by the symbols that its
    mean is taken over, where the batches tell them (`counted`, as `pairs` and `captioned` do). What a loss
    works out from all rows at once, as `plays` makes its gains standard, it works out from each part.
    """

    def __init__(
        self, inner: Iterable, cut: bool = True, loss: Callable[[SequenceModel, Any], Tensor] | None = None
    ):
        super().__init__(inner, loss)
        self.cut, self.copy = cut, None

    def loss(self, model: SequenceModel, x: Any) -> Float[Tensor, ""]:
        """The mean of all processes' losses; its gradient is averaged too, on the way back."""
        if world() == 1:
            return super().loss(model, x)
        if self.copy is None or self.copy.module.model is not model:
            self.copy = DistributedDataParallel(_Loss(model, self.inner_loss))
        mine = tree_map_only(Tensor, _rows, x) if self.cut else x
        counted = getattr(self.inner, "counted", _length)
        return _Mean.apply(self.copy(mine), 0 if self.cut and rank() >= _length(x) else counted(mine))


def _rows(t: Tensor) -> Tensor:
    """This process's rows; where there are fewer than processes, those left over read the last one too."""
    return t.tensor_split(world())[min(rank(), len(t) - 1)]


def _length(x: Any) -> int:
    return len(tree_leaves(x)[0])


class _Loss(nn.Module):
    """The whole loss as one module: DDP averages the gradient of what it calls, whatever the loss asks."""

    def __init__(self, model: SequenceModel, loss: Callable[[SequenceModel, Any], Tensor]):
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, x: Any) -> Tensor:
        return self.loss(self.model, x)


class _Mean(torch.autograd.Function):
    """The mean of a number over all processes, each counting so many times, and of its gradient with DDP.

    DDP takes the plain mean of the gradients, so each is made larger by its process's share of the count.
    """

    @staticmethod
    def forward(ctx: Any, bits: Tensor, count: int) -> Tensor:
        total = torch.stack([bits * count, bits.new_tensor(count)])
        dist.all_reduce(total)
        ctx.weight = count * world() / total[1]
        return total[0] / total[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.weight, None


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
