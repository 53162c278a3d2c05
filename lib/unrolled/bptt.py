"""Back-propagation through time by hand (lecture B1 to B4 and V1 to V3; Werbos, 1990; Pascanu et al., 2013).

    h_t = tanh(W_h h_{t-1} + W_x x_t + b_h)
    L = sum over t of L_t,  L_t = -log softmax(W_y h_t + b_y)[x_{t+1}]

L is in nats, summed over the rows too. What the formulas are made of, for t = 1 ... T:

    e_t = dL_t / d(W_y h_t) = softmax(W_y h_t + b_y) - one-hot(x_{t+1})     (B, V)
    g_t = dL_t / dh_t = e_t W_y, the loss of time t alone                   (B, H)
    J_t = dh_t / dh_{t-1} = diag(1 - h_t^2) W_h, the step's Jacobian        (B, H, H)
    u_t = what a matrix is multiplied with: h_{t-1} for W_h, one-hot x_t for W_x

Python counts from 0, so a tensor e (B, T, V) has e_t at e[:, t - 1]; only h (B, T + 1, H) begins with h_0.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_leaves

from .model import Core, SequenceModel, nll
from .shapes import Float, Int, Tensor


class Weights(NamedTuple):
    """The lecture's theta (R4) with two biases; also the gradient with respect to it."""

    W_x: Float[Tensor, "H V"]
    W_h: Float[Tensor, "H H"]
    W_y: Float[Tensor, "V H"]
    b_h: Float[Tensor, "H"]
    b_y: Float[Tensor, "V"]


class Pass(NamedTuple):
    """What the way forward leaves for the way back: x, the states and the errors."""

    x: Int[Tensor, "B T"]
    h: Float[Tensor, "B T1 H"]
    e: Float[Tensor, "B T V"]


def weights(model: nn.Module) -> Weights:
    """The numbers of a recurrent network with parameters of these names, cut from its graph.

    A bias that it does not have is zero.
    """
    b_h, b_y = (W[:, 0] * 0 if b is None else b for b, W in ((model.b_h, model.W_h), (model.b_y, model.W_y)))
    return Weights(*(value.detach() for value in (model.W_x, model.W_h, model.W_y, b_h, b_y)))


def forward(w: Weights, x: Int[Tensor, "B N"]) -> Pass:
    """Read x[:, :-1] from h_0 = 0, predict x[:, 1:], and keep what the way back needs; T = N - 1."""
    a = w.W_x.T[x[:, :-1]] + w.b_h
    h = [torch.zeros_like(a[:, 0])]
    for a_t in a.unbind(1):
        h.append(torch.tanh(h[-1] @ w.W_h.T + a_t))
    h = torch.stack(h, 1)
    p = (h[:, 1:] @ w.W_y.T + w.b_y).softmax(-1)
    return Pass(x[:, :-1], h, p - F.one_hot(x[:, 1:], len(w.W_y)))


def dW_y(e: Float[Tensor, "B T V"], h: Float[Tensor, "B T1 H"]) -> Float[Tensor, "V H"]:
    """dL/dW_y = sum over t of e_t h_t^T: the chain rule, once (B1)."""
    return torch.einsum("btv,bth->vh", e, h[:, 1:])


def jacobians(W_h: Float[Tensor, "H H"], h: Float[Tensor, "B T1 H"]) -> Float[Tensor, "B T H H"]:
    """J_t = dh_t/dh_{t-1} = diag(1 - h_t^2) W_h for all t: how a step passes a change on."""
    return (1 - h[:, 1:] ** 2)[..., None] * W_h


def explicit(h: Float[Tensor, "B H"], u: Float[Tensor, "B K"]) -> Float[Tensor, "B H H K"]:
    """d+h_t/dW: how h_t depends on W at step t itself, as if h_{t-1} were given."""
    return torch.diag_embed(1 - h**2)[..., None] * u[:, None, None]


def dW_recursion(
    g: Float[Tensor, "B T H"],
    J: Float[Tensor, "B T H H"],
    h: Float[Tensor, "B T1 H"],
    u: Float[Tensor, "B T K"],
) -> Float[Tensor, "H K"]:
    """dL/dW_h (or dL/dW_x) by the lecture's recursion (B2), from the first step to the last:

    dh_t/dW = d+h_t/dW + J_t dh_{t-1}/dW. It carries H * H * K numbers a row along, so it is for small H.
    """
    S = torch.zeros_like(explicit(h[:, 0], u[:, 0]))  # dh_0/dW
    dW = torch.zeros_like(S[0, 0])
    for t in range(g.shape[1]):
        S = explicit(h[:, t + 1], u[:, t]) + torch.einsum("bij,bjkl->bikl", J[:, t], S)
        dW = dW + torch.einsum("bi,bikl->kl", g[:, t], S)
    return dW


def dW_sum(
    g: Float[Tensor, "B T H"],
    J: Float[Tensor, "B T H H"],
    h: Float[Tensor, "B T1 H"],
    u: Float[Tensor, "B T K"],
) -> Float[Tensor, "H K"]:
    """dL/dW_h (or dL/dW_x) by the summarised formula (B3), term by term:

    sum over t, sum over k <= t of dL_t/dh_t (prod over k < j <= t of J_j) d+h_k/dW.
    """
    dW = torch.zeros_like(explicit(h[:, 0], u[:, 0])[0, 0])
    for t in range(g.shape[1]):
        P = torch.eye(J.shape[-1]).to(J).expand_as(J[:, t])  # the product of no Jacobians
        for k in range(t, -1, -1):
            dW = dW + torch.einsum("bi,bij,bjkl->kl", g[:, t], P, explicit(h[:, k + 1], u[:, k]))
            P = P @ J[:, k]
    return dW


def backward(w: Weights, run: Pass) -> Weights:
    """All gradients in one sweep from the last step to the first, as libraries do it.

    delta_t = dL/dh_t = g_t + delta_{t+1} J_{t+1} gathers what all later losses want of h_t.
    """
    x, h, e = run
    g, slope = e @ w.W_y, 1 - h[:, 1:] ** 2
    delta, da = torch.zeros_like(g[:, 0]), []  # da_t: what L wants of the step's input W_h h + W_x x + b
    for t in reversed(range(g.shape[1])):
        delta = g[:, t] + delta
        da.append(delta * slope[:, t])
        delta = da[-1] @ w.W_h
    da = torch.stack(da[::-1], 1)
    dW_h = torch.einsum("bti,btj->ij", da, h[:, :-1])
    dW_x = torch.zeros_like(w.W_x).index_add(1, x.flatten(), da.flatten(0, 1).T)  # x_t one-hot: a column each
    return Weights(dW_x, dW_h, dW_y(e, h), da.sum((0, 1)), e.sum((0, 1)))


def truncated(w: Weights, x: Int[Tensor, "B N"], k1: int, k2: int) -> Weights:
    """The gradient by truncated back-propagation: after every k1 steps, go back k2 steps and no further.

    Each loss counts once. k1 = k2 cuts the text into pieces, k1 = 1 gives each loss its own k2 steps, and
    k2 = T is the whole gradient (Williams and Peng, 1990). The states are those of the whole text.
    Raises ValueError unless 1 <= k1 <= k2.
    """
    if not 1 <= k1 <= k2:
        raise ValueError(f"k1 is {k1} and k2 is {k2}: expected 1 <= k1 <= k2")
    run, total = forward(w, x), Weights(*map(torch.zeros_like, w))
    for first in range(0, run.x.shape[1], k1):
        end = first + k1
        start = max(0, end - k2)
        e = run.e[:, start:end].clone()
        e[:, : first - start] = 0  # these losses had their turn
        part = backward(w, Pass(run.x[:, start:end], run.h[:, start : end + 1], e))
        total = Weights(*(a + b for a, b in zip(total, part)))
    return total


def bias(w: Weights, x: Int[Tensor, "B N"], k1: int, k2: int) -> tuple[float, float]:
    """How wrong the truncated dL/dW_h is: ||truncated - whole|| / ||whole||, and the cosine of the two."""
    whole, short = backward(w, forward(w, x)).W_h, truncated(w, x, k1, k2).W_h
    cosine = F.cosine_similarity(whole.flatten(), short.flatten(), dim=0)
    return ((short - whole).norm() / whole.norm()).item(), cosine.item()


def graph_bytes(model: SequenceModel, x: Int[Tensor, "B N"]) -> int:
    """How many bytes the unrolled graph of `nll(model, x)` keeps for the way back (B4), weights left out.

    Counted by storage, since many saved tensors are views of one.
    """
    kept: dict[int, Tensor] = {}

    def keep(saved: Tensor) -> Tensor:
        kept[saved.untyped_storage().data_ptr()] = saved
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        nll(model, x)
    own = {t.untyped_storage().data_ptr() for t in (x, *model.parameters(), *model.buffers())}
    return sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in own)


def gradient_by_lag(
    reader: SequenceModel | Core,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    part: str | None = None,
) -> Float[Tensor, "K"]:
    """How strongly the last loss pulls at the state k steps earlier: ||dL_T / dstate_{T-k}|| at [k - 1].

    x is what the reader reads, (B, T) tokens or (B, T, D) vectors; `loss` makes one number of its last
    output (B, V) or (B, H), as a sum over rows. k = 1 ... T - 1, the mean of the rows. For a state with parts
    `part` names one, such as "c"; None takes all together.
    """
    if x.shape[1] < 2:
        raise ValueError(f"x is {x.shape[1]} long: a lag takes two elements or more")
    kept, state = [], None
    for x_t in x.split(1, 1):
        out, state = reader(x_t, state)
        kept.append(tree_leaves(state if part is None else getattr(state, part)))
    grads = iter(torch.autograd.grad(loss(out[:, -1]), [leaf for leaves in kept[:-1] for leaf in leaves]))
    rows = [torch.cat([next(grads).flatten(1) for _ in leaves], 1) for leaves in kept[:-1]]
    return torch.stack([row.norm(dim=1).mean() for row in reversed(rows)])


class Growth(NamedTuple):
    """Of each product of k Jacobians, at [k - 1]: its norm and its spectral radius."""

    norm: Float[Tensor, "K"]
    radius: Float[Tensor, "K"]


def growth(J: Float[Tensor, "T H H"]) -> Growth:
    """The product of the last k Jacobians, J_T J_{T-1} ... J_{T-k+1}, for k = 1 ... T (V1 to V3).

    The norm is the most by which the product can stretch a change of the state; the spectral radius is the
    size of its largest eigenvalue. In float64 both are right down to 1e-300.
    """
    P, products = torch.eye(J.shape[-1]).to(J), []
    for J_t in reversed(J.unbind()):
        P = P @ J_t
        products.append(P)
    stacked = torch.stack(products)
    radius = torch.linalg.eigvals(stacked).abs().amax(-1)
    return Growth(torch.linalg.matrix_norm(stacked, 2), radius)
