"""Chapter 6, the way back and its length: state_jacobian, clip_global_norm."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ...bptt import jacobians
from ...shapes import Float, Tensor
from ..exercise import Exercise

CHAPTER = "06_vanishing"


def state_jacobian(W_h: Float[Tensor, "H H"], h: Float[Tensor, "T1 H"]) -> Float[Tensor, "H H"]:
    """dh_T/dh_0 of a tanh network that has gone through the states h: the product of all its Jacobians."""
    J = torch.eye(len(W_h)).to(h)
    for h_t in h[1:]:
        J = (1 - h_t**2)[:, None] * (W_h @ J)  # the slope scales the rows: it comes after W_h
    return J


def _library_product(W_h: Tensor, h: Tensor) -> Tensor:
    P = torch.eye(len(W_h)).to(h)
    for J_t in jacobians(W_h, h[None])[0]:
        P = J_t @ P
    return P


def _from_graph(W_h: Tensor, h: Tensor) -> Tensor:
    came_in = torch.atanh(h[1:]) - h[:-1] @ W_h.T

    def run(state: Tensor) -> Tensor:
        for a in came_in:
            state = torch.tanh(W_h @ state + a)
        return state

    return torch.autograd.functional.jacobian(run, h[0])


def _states_case(g: torch.Generator, i: int) -> dict[str, Any]:
    T, H = [(2, 2), (3, 4), (4, 3), (5, 5)][i]
    draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
    W_h, h = draw(H, H), [draw(H).tanh()]
    for _ in range(T):
        h.append(torch.tanh(W_h @ h[-1] + draw(H)))
    return {"W_h": W_h, "h": torch.stack(h)}


def _product(of: str) -> Callable[..., Tensor]:
    """The product with one thing changed."""

    def product(W_h: Tensor, h: Tensor) -> Tensor:
        P = torch.eye(len(W_h)).to(h)
        slopes = 1 - (h[:-1] if of == "old slope" else h[1:]) ** 2
        for slope in slopes if of != "one step" else slopes[-1:]:
            slope = torch.ones_like(slope) if of == "no slope" else slope
            W = W_h.T if of == "turned weights" else W_h
            J = W * slope if of == "columns" else slope[:, None] * W
            P = P @ J if of == "other order" else J @ P
        return P.T if of == "transposed" else P

    return product


JACOBIAN = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="state_jacobian(W_h, h) -> J",
    text="""A network h_t = tanh(W_h h_{t-1} + (what came in)) has gone through the states h (T + 1, H), the
first of them h_0. Return the derivative of the last state for the first, dh_T/dh_0, of shape (H, H): row i
belongs to the i-th number of h_T, column j to the j-th number of h_0.""",
    worked=state_jacobian,
    reference=_library_product,
    cases=_states_case,
    axes={"W_h": "H H", "h": "T1 H", "return": "H H"},
    right={"autograd": _from_graph, "from the library's Jacobians": _library_product},
    wrong={
        "the product in the other order": (
            _product("other order"),
            "You put the Jacobian of the first step on the left. A change of h_0 goes through the first step "
            "first, so that factor stands on the right: J_T ... J_2 J_1."),
        "rows and columns are swapped": (
            _product("transposed"),
            "Row i should belong to the i-th number of h_T. Yours belongs to the i-th number of h_0."),
        "the slope scales the columns": (
            _product("columns"),
            "W_h * slope multiplies column j by the j-th slope. The tanh comes after W_h, so it scales what "
            "W_h gives: the rows."),
        "the slope is taken at the old state": (
            _product("old slope"),
            "You use 1 - h_{t-1}^2. The tanh of step t has made h_t."),
        "no slope": (
            _product("no slope"),
            "This is W_h to the power T, the network without its tanh. Each step also has the slope "
            "1 - h_t^2."),
        "W_h is transposed": (
            _product("turned weights"),
            "The i-th sum inside the tanh takes W_h[i, j] times the j-th number of the old state. You use "
            "W_h[j, i]."),
        "one step only": (
            _product("one step"),
            "This is the Jacobian of the last step. How does a change of h_0 get there?"),
    },
    hints=(
        "What is dh_1/dh_0? Write it for one number of each first.",
        "The chain rule multiplies: dh_2/dh_0 is the Jacobian of step 2 times the one of step 1. Which of "
        "the two stands left?",
        "diag(s) @ W is `s[:, None] * W`: it scales the rows.",
    ),
    explain="which of the T + 1 rows of h does the answer not depend on, and why?",
    harder="direct_cell_path",
)


def clip_global_norm(grads: list[Tensor], c: float) -> list[Tensor]:
    """All gradients shortened by one factor, where together they are longer than c."""
    norm = math.sqrt(sum(float((g**2).sum()) for g in grads))  # of all numbers together
    factor = min(1.0, c / norm) if norm > 0 else 1.0
    return [g * factor for g in grads]


def _in_one(grads: list[Tensor], c: float) -> list[Tensor]:
    norm = torch.cat([g.flatten() for g in grads]).norm()
    return [g * (c / norm).clamp(max=1.0) if norm > 0 else g.clone() for g in grads]


def _grads_case(g: torch.Generator, i: int) -> dict[str, Any]:
    shapes = [[(2,), (2, 2)], [(3, 2), (3,)], [(4,), (2, 3), (3, 1)], [(2, 2), (2,)], [(3,), (2, 4)]][i]
    scale, c = [(1, 1.0), (0.05, 2.0), (3, 0.5), (0.4, 1.0), (0, 1.0)][i]
    grads = [scale * torch.randn(*s, generator=g, dtype=torch.float64) for s in shapes]
    if i == 3:  # each alone is shorter than c, all together are longer
        grads = [0.8 * part / part.norm() for part in grads]
    return {"grads": grads, "c": c}


def _all(grads: list[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in grads])


def _each(grads: list[Tensor], c: float) -> list[Tensor]:
    return [g * min(1.0, c / max(float(g.norm()), 1e-30)) for g in grads]


def _by(size: Callable[[Tensor], Tensor]) -> Callable[..., list[Tensor]]:
    """Clipping by another length."""

    def clipped(grads: list[Tensor], c: float) -> list[Tensor]:
        norm = float(size(_all(grads)))
        return [g * (min(1.0, c / norm) if norm > 0 else 1.0) for g in grads]

    return clipped


def _sum_of_norms(grads: list[Tensor], c: float) -> list[Tensor]:
    norm = sum(float(g.norm()) for g in grads)
    return [g * (min(1.0, c / norm) if norm > 0 else 1.0) for g in grads]


CLIP = Exercise(
    chapter=CHAPTER, tier=1, minutes=10,
    signature="clip_global_norm(grads, c) -> clipped",
    text="""grads is a list of gradients, one tensor for each parameter, of any shapes. Seen as one long
vector they have one length. If it is more than c, shorten them all by the same factor, so that the length is
c; otherwise leave them as they are. Return the list, and do not change the tensors that you were given.""",
    worked=clip_global_norm,
    cases=_grads_case,
    count=5,
    right={"one long vector": _in_one},
    wrong={
        "each tensor by itself": (
            _each,
            "You shorten each tensor for itself. That changes the direction of the step: the long ones lose, "
            "the short ones keep. Take one length for all."),
        "every number by itself": (
            lambda grads, c: [g.clamp(-c, c) for g in grads],
            "You cut off each number at c. The direction changes, and the length may still be more than c."),
        "always to the length c": (
            lambda grads, c: [g * c / max(float(_all(grads).norm()), 1e-30) for g in grads],
            "A gradient shorter than c becomes longer in your version. It should stay as it is."),
        "the sum of the lengths": (
            _sum_of_norms,
            "You add up the lengths of the tensors. The length of one long vector is the root of the sum of "
            "all squares."),
        "the square of the length": (
            _by(lambda v: (v**2).sum()),
            "The root is missing: you divide by the sum of the squares."),
        "the largest number": (
            _by(lambda v: v.abs().max()),
            "You take the largest entry for the length. All of them count, squared and summed."),
        "the sum of the sizes": (
            _by(lambda v: v.abs().sum()),
            "You add up absolute values. The length is the root of the sum of the squares."),
    },
    hints=(
        "How long is the vector that holds all numbers of all tensors?",
        "One factor for all: what is it when the length is 5 and c is 1? When the length is 0.5?",
        "Build new tensors with `g * factor`; `g *= factor` changes the ones you were given.",
    ),
    explain="clipping to c = 1 and a learning rate of 0.01: how far can one step of plain descent go?",
    harder="state_jacobian",
)

EXERCISES = (JACOBIAN, CLIP)
