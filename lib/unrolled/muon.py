"""Muon: steps that turn a whole matrix, instead of nudging its numbers one by one (Jordan et al., 2024).

The gradient of a matrix mostly stretches a few directions. Muon makes all of its directions equally long
before it steps (it takes the nearest orthogonal matrix), so that rare directions learn as fast as common
ones. That makes sense for matrices that map vectors to vectors. Vectors, and tables with a row for each
symbol, are left to Adam (Kingma and Ba, 2015, arXiv 1412.6980).

    optimiser = Muon(*maps_and_rest(model))
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import nn

from .model import SequenceModel
from .shapes import Float, Tensor

# One round maps each singular value s to 3.4445 s - 4.7750 s^3 + 2.0315 s^5: five rounds bring all of
# them, however small, near 1 (within 0.7 to 1.2: near enough for a step, and it needs products only).
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonal(G: Float[Tensor, "*N m n"], rounds: int = 5) -> Float[Tensor, "*N m n"]:
    """About the nearest matrix to each G (m, n) whose singular values are all 1, by Newton-Schulz rounds."""
    if G.shape[-2] > G.shape[-1]:  # the products below are cheaper with the short side first
        return orthogonal(G.mT, rounds).mT
    X = G / (G.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # now no singular value is above 1
    a, b, c = QUINTIC
    for _ in range(rounds):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X


def maps_and_rest(model: SequenceModel) -> tuple[list[Tensor], list[Tensor]]:
    """The model's parameters in two lists: matrices that map vectors to vectors, and all others.

    Maps are the weights of `nn.Linear` and the W_x and W_h of recurrent layers. The last layer, W_y, is a
    table with a row for each symbol, as an embedding is, and the W_x of a model that reads symbols itself.
    """
    learned = [p for p in model.parameters() if p.requires_grad]
    known = set(map(id, _maps(model)))
    return [p for p in learned if id(p) in known], [p for p in learned if id(p) not in known]


def _maps(model: nn.Module) -> Iterator[Tensor]:
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear) and name.rpartition(".")[2] != "W_y":
            yield part.weight
        names = ("W_h",) if isinstance(part, SequenceModel) else ("W_x", "W_h")
        yield from (p for key, p in part.named_parameters(recurse=False) if key in names)


class Muon(torch.optim.Optimizer):
    """Muon for matrices (maps), Adam for the rest; each has its own learning rate.

    A step of Muon changes a matrix by `lr` in every direction, however large its gradient is. With
    `dtype=torch.bfloat16` the rounds of `orthogonal` are computed in that precision: it is enough for
    them, and faster on hardware that has it. ValueError where a map is no matrix.
    """

    def __init__(
        self,
        maps: Iterable[Tensor],
        rest: Iterable[Tensor] = (),
        lr: float = 0.02,
        adam_lr: float = 3e-3,
        momentum: float = 0.95,
        dtype: torch.dtype | None = None,
    ):
        maps, rest = list(maps), list(rest)
        if bad := [tuple(p.shape) for p in maps if p.ndim != 2]:
            raise ValueError(f"maps holds tensors of shape {bad}: expected matrices; the others go to rest")
        if min(lr, adam_lr) < 0 or not 0 <= momentum < 1:
            raise ValueError(f"lr is {lr}, adam_lr {adam_lr}, momentum {momentum}: at least 0, momentum < 1")
        groups = [{"params": maps, "lr": lr, "kind": "muon"}, {"params": rest, "lr": adam_lr, "kind": "adam"}]
        super().__init__([group for group in groups if group["params"]], {"momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change all parameters that have a gradient; a closure computes the loss anew and is answered."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            (self._turn if group["kind"] == "muon" else self._nudge)(params, group)
        return loss

    def _nudge(self, params: list[Tensor], group: dict) -> None:
        for p in params:
            adam(p, self.state[p], group["lr"])

    def _turn(self, params: list[Tensor], group: dict) -> None:
        """The steps of all maps; those of one shape are orthogonalised together."""
        momentum, same_shape = group["momentum"], defaultdict(list)
        for p in params:
            m = self.state[p].setdefault("m", torch.zeros_like(p))
            m.lerp_(p.grad, 1 - momentum)
            same_shape[p.shape].append((p, p.grad.lerp(m, momentum)))  # Nesterov: a look ahead
        for (rows, columns), pairs in same_shape.items():
            steps = orthogonal(torch.stack([g for _, g in pairs]).to(self.dtype))
            scale = max(1, rows / columns) ** 0.5  # a tall matrix spreads its output over more numbers
            for (p, _), step in zip(pairs, steps):
                p.add_(step, alpha=-group["lr"] * scale)


def adam(p: Tensor, state: dict, lr: float, betas: tuple[float, float] = (0.9, 0.95)) -> None:
    """One step of Adam on p: the mean gradient, divided by the root of the mean square, number by number."""
    m = state.setdefault("m", torch.zeros_like(p)).lerp_(p.grad, 1 - betas[0])
    v = state.setdefault("v", torch.zeros_like(p)).lerp_(p.grad.square(), 1 - betas[1])
    t = state["t"] = state.get("t", 0) + 1
    m, v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)  # both began at zero: make up for it
    p.addcdiv_(m, v.sqrt().add_(1e-8), value=-lr)
