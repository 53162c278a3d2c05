"""One training loop for all models: `train` is the loop, `fit` is the loop with everything around it.

`fit` shows progress, validates, keeps the best weights, ends a cell normally on Ctrl-C, saves now and
then, and goes on where a killed session stopped: on one CPU with the same curve, bit for bit.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from . import parallel
from .batches import Around, Parts, batches, gathered, streams
from .console import bar, patient, say
from .model import SequenceModel, nll
from .runs import Rate, Run
from .shapes import Float, Int, Tensor

__all__ = ["History", "NonFinite", "Step", "batches", "fit", "gathered", "streams", "train", "update"]

Loss = Callable[[SequenceModel, Any], Tensor]


FULL = ("this batch does not fit into memory; nothing was changed in this step. Lower batch or length, make "
        "one step of several small batches (`gathered`), or take numbers of 16 bits (`precision.mixed`). ")


class Step(NamedTuple):
    """One update: its number from 0, the loss (bits) before it, the gradient's norm, seconds so far."""

    index: int
    loss: float
    grad_norm: float
    seconds: float


class History(NamedTuple):
    """How a training went: losses (N,) in bits, valid (M, 2) with columns step and bits, and why it stopped.

    stopped is "done", "interrupted" (Ctrl-C) or "no more batches".
    """

    losses: Float[Tensor, "N"]
    valid: Float[Tensor, "M 2"]
    stopped: str

    def __repr__(self) -> str:
        last = f", last loss {self.losses[-1]:.3f} bits" if len(self.losses) else ""
        best = f", best validation {self.valid[:, 1].min():.3f} bits" if len(self.valid) else ""
        return f"{len(self.losses)} steps ({self.stopped}){last}{best}"


class NonFinite(ArithmeticError):
    """A loss or a gradient became nan or inf. Names the step, the parameters, and the last finite loss."""

    def __init__(self, loss: float, names: list[str]):
        super().__init__(loss, names)
        self.loss, self.names, self.step, self.last = loss, names, 0, None

    def __str__(self) -> str:
        where = f"the gradient of {', '.join(self.names)} is" if self.names else "no gradient is"
        last = "" if self.last is None else f" One step before, the loss was still {self.last:.3f} bits."
        return (
            f"step {self.step}: the loss is {self.loss:.3g} bits, and {where} nan or inf.{last} "
            "Nothing was changed in this step. Try a smaller lr, and look at this batch."
        )


def update(
    model: SequenceModel, x: Any, optimiser: torch.optim.Optimizer, clip: float | int = 1.0, loss: Loss = nll
) -> tuple[float, float]:
    """One step downhill on one batch; returns the loss (before the step) and the gradient's norm.

    A gradient longer than `clip` is shortened to it. Raises NonFinite before anything is changed, and
    torch.OutOfMemoryError with what can be done about it.
    """
    optimiser.zero_grad()
    bits, full = None, ""
    try:
        bits = _back(model, x, loss)
    except torch.OutOfMemoryError as error:
        full = str(error).partition("\n")[0]
    if bits is None:  # out here, where nothing holds on to the graph any longer
        optimiser.zero_grad()
        raise torch.OutOfMemoryError(FULL + full)
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if not (bits.isfinite() and norm.isfinite()):
        raise NonFinite(bits.item(), [name for name, p in model.named_parameters() if not _finite(p.grad)])
    clip_grads_with_norm_(model.parameters(), clip, norm)
    optimiser.step()
    return bits.item(), norm.item()


def _back(model: SequenceModel, x: Any, loss: Loss) -> Tensor:
    """Leave the gradient of the batch in the parameters; return the loss. Of Parts, the means of theirs."""
    losses = []
    for part in x if isinstance(x, Parts) else (x,):
        bits = loss(model, part)
        bits.backward()
        losses.append(bits.detach())
    for p in model.parameters() if len(losses) > 1 else ():
        p.grad = None if p.grad is None else p.grad / len(losses)
    return torch.stack(losses).mean()


def train(
    model: SequenceModel,
    batches: Iterable,
    lr: Rate | None = None,
    clip: float | int = 1.0,
    loss: Loss | None = None,
    optimiser: torch.optim.Optimizer | None = None,
) -> Iterator[Step]:
    """Take one step for each batch, and tell how it went. It goes on as long as you ask for steps.

    The optimiser is Adam (Kingma and Ba, 2015, arXiv 1412.6980) with lr 3e-3 unless you say otherwise. The
    loss is `nll`, unless the batches have their own (`streams`) or you bring one: loss(model, batch) in bits.
    `lr` may be a function of the step's number, such as `schedule.cosine(...)`; the learning rates of an
    optimiser that you bring are multiplied by it, so a plain lr beside one is a ValueError. Raises NonFinite
    at the step where a loss or a gradient is nan or inf.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(f"{type(model).__name__} has no parameters that a gradient could change")
    if loss is not None and isinstance(batches, Around):
        raise ValueError(f"{type(batches).__name__} has a loss of its own: give yours to it, as loss=...")
    if optimiser is not None and lr is not None and not callable(lr):
        raise ValueError(f"lr is {lr}, and the optimiser has its own: give it there, or give a schedule here")
    lr = 3e-3 if lr is None else lr
    optimiser = optimiser or torch.optim.Adam(model.parameters(), 1.0 if callable(lr) else lr)
    loss = loss or getattr(batches, "loss", nll)
    start, last = time.perf_counter(), None
    model.train()
    for index, x in enumerate(batches):
        _set_rate(optimiser, lr, index)
        try:
            last, norm = update(model, x, optimiser, clip, loss)
        except NonFinite as error:
            error.step, error.last = index, last
            raise
        yield Step(index, last, norm, time.perf_counter() - start)


def _set_rate(optimiser: torch.optim.Optimizer, lr: Rate, step: int) -> None:
    for group in optimiser.param_groups if callable(lr) else ():
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * lr(step)


def fit(
    model: SequenceModel,
    batches: Iterable,
    steps: int,
    *,
    valid: Int[Tensor, "N"] | Int[Tensor, "B T"] | tuple | None = None,
    path: str | Path | None = None,
    lr: Rate = 3e-3,
) -> History:
    """Train for so many steps; leave the best weights in the model; show progress where a person watches.

    Twenty times on the way (and at the end) the loss on `valid` is measured, and the weights are kept if
    they are the best so far; without `valid` the last ones stay. Where batches are tuples (`pairs`), valid is
    one of their kind, measured with their loss. Ctrl-C ends the training normally after the step under way, a
    second Ctrl-C at once. NonFinite leaves the model with the weights last kept.

    With `path` (x.safetensors) all of the training is saved at these times too, and taken up again if the
    file is there: with the same batches, on one CPU and one version of torch, bit for bit as if it had
    never stopped. Raises BadCheckpoint if the file is damaged or holds another model.

    What else a training may need is told by its batches and its lr: `precision.mixed`, `gathered` and
    `parallel.share` change the batches, `schedule.cosine` and `schedule.linear` make a schedule.
    """
    return follow(Run(model, batches, valid, lr), steps, path)


def follow(run: Run, steps: int, path: str | Path | None = None) -> History:
    """What `fit` does, for a `runs.Run` of your own: with another optimiser, or one that writes a log."""
    if path is not None and Path(path).exists():
        run.load(path)
        say(f"{path}: taken up again at step {len(run.losses)} of {steps}")
    else:
        run.mark()
    stopped = _go(run, steps, path)
    if run.rows is not None:
        run.model.load_state_dict(run.best)
    return History(*run.curves().values(), stopped)


def _go(run: Run, steps: int, path: str | Path | None) -> str:
    """Take the steps that are missing, and say why it ended."""
    every, saved, stopped = max(1, steps // 20), len(run.losses), ""
    with patient() as pressed, bar(steps, saved) as tick:
        for step in _steps(run, steps - saved):
            run.note(step.loss, step.grad_norm)
            tick(step.loss)
            if len(run.losses) % every == 0:
                saved = run.keep(path)
            if parallel.anyone(bool(pressed)):
                stopped = "interrupted"
                break
        if saved < len(run.losses):
            run.keep(path)
    if stopped:
        say(f"stopped by Ctrl-C after step {len(run.losses)} of {steps}")
    return stopped or ("done" if len(run.losses) >= steps else "no more batches")


def _steps(run: Run, n: int) -> Iterator[Step]:
    """At most n steps of `train`; after a NonFinite the model has the weights last kept."""
    try:
        schedule = run.rate() if callable(run.lr) else None  # a plain rate is the optimiser's already
        steps = train(run.model, run.batches, schedule, optimiser=run.optimiser)
        yield from islice(steps, max(0, n))
    except NonFinite as error:
        run.model.load_state_dict(run.best)
        error.step, error.last = len(run.losses), run.losses[-1] if run.losses else None
        raise


def _finite(grad: Tensor | None) -> bool:
    return grad is None or bool(grad.isfinite().all())


if __name__ == "__main__":
    from .command import main

    main()
