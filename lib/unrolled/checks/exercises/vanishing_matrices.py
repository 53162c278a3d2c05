"""Chapter 6, what a matrix does to lengths: will_it_explode, orthogonal_init."""

from collections.abc import Callable
from typing import Any

import torch

from ...shapes import Float, Tensor
from ..exercise import Exercise
from .vanishing import CHAPTER


def will_it_explode(W: Float[Tensor, "H H"]) -> tuple[bool, bool]:
    """Whether the powers of W grow without limit, and whether a tanh network with it must vanish."""
    radius = torch.linalg.eigvals(W).abs().max()  # eigenvalues may be complex: take their size
    norm = torch.linalg.matrix_norm(W, 2)  # the slopes of tanh are at most 1
    return bool(radius > 1), bool(norm < 1)


# What tells the measures of a matrix apart; beside each its radius and its norm.
MATRICES = (
    [[0.5, 0.0], [0.0, 0.3]],  # 0.5, 0.5
    [[0.9, 20.0], [0.0, 0.9]],  # 0.9, 20: large entries, and its powers die
    [[1.2, 0.0], [0.0, 0.1]],  # 1.2, 1.2: the determinant is 0.12
    [[0.3, -1.1], [1.1, 0.3]],  # 1.14, 1.14: the real parts are 0.3
    [[-1.3, 0.0], [0.0, -0.2]],  # 1.3, 1.3: the trace is negative, and so are the eigenvalues
    [[0.6, 0.6, 0.6], [0.6, 0.6, 0.6], [0.6, 0.6, 0.6]],  # 1.8, 1.8: each entry is below one
    [[0.7, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, 0.0, 0.7]],  # 0.7, 0.7: the trace is 2.1
    [[0.5, 1.4], [0.0, 0.5]],  # 0.5, 1.6: no entry of a diagonal is large
)


def _matrix_case(g: torch.Generator, i: int) -> dict[str, Any]:
    W = torch.tensor(MATRICES[i], dtype=torch.float64)
    order = torch.randperm(len(W), generator=g)  # another order of the numbers changes nothing
    return {"W": W[order][:, order]}


def _judged(grows: Callable[[Tensor], Tensor], dies: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """Two measures of W, each compared with 1."""
    return lambda W: (bool(grows(W) > 1), bool(dies(W) < 1))


def _radius(W: Tensor) -> Tensor:
    return torch.linalg.eigvals(W).abs().max()


def _norm(W: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(W, 2)


def _by_powers(W: Tensor) -> tuple[bool, bool]:
    power = torch.linalg.matrix_power(W, 2000)
    return bool(power.norm() > 1), bool((W.T @ W).trace() < 1e9 and torch.linalg.svdvals(W)[0] < 1)


EXPLODE = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="will_it_explode(W) -> grows, must_vanish",
    text="""W (H, H) is a recurrent matrix. grows: True if the powers of W grow without limit, so that the
network without tanh explodes. must_vanish: True if the gradient of the network with tanh must vanish with the
number of steps, whatever it reads, because the norm of W alone already says so. No eigenvalue of W has the
size 1 exactly: there the radius alone would not decide.""",
    worked=will_it_explode,
    cases=_matrix_case,
    count=len(MATRICES),
    axes={"W": "H H"},
    right={"by trying a high power": _by_powers},
    wrong={
        "the largest entry": (
            _judged(lambda W: W.abs().max(), _norm),
            "A large entry need not come back to itself, and small ones can work together: 3 x 3 entries of "
            "0.6 make everything grow. Ask the eigenvalues."),
        "the determinant": (
            _judged(lambda W: torch.linalg.det(W).abs(), _norm),
            "The determinant multiplies all eigenvalues. One that explodes can hide behind a small one."),
        "the trace": (
            _judged(lambda W: W.trace().abs(), _norm),
            "The trace adds all eigenvalues up: three of 0.7 make more than 2, and nothing grows."),
        "the largest eigenvalue, with its sign": (
            _judged(lambda W: torch.linalg.eigvals(W).real.max(), _norm),
            "An eigenvalue of -1.3 grows as fast as one of 1.3, and a complex one grows with its absolute "
            "value. You take the largest real part."),
        "the size of the real part": (
            _judged(lambda W: torch.linalg.eigvals(W).real.abs().max(), _norm),
            "A rotation that also stretches has complex eigenvalues: 0.3 + 1.1i grows, though its real part "
            "is small. Take the absolute value of the whole number."),
        "the norm for both": (
            _judged(_norm, _norm),
            "A norm above 1 says that W can stretch something once. [[0.9, 20], [0, 0.9]] does, and its "
            "powers die all the same."),
        "the radius for both": (
            _judged(_radius, _radius),
            "With tanh the Jacobians differ from step to step, so the eigenvalues of W alone prove nothing. "
            "What can each single factor do at most?"),
        "the two are swapped": (
            _judged(_norm, _radius),
            "The norm is about one application, the radius about very many of the same. Which of the two "
            "questions is about the same matrix again and again?"),
        "a norm over all entries": (
            _judged(_radius, lambda W: W.norm()),
            "The root of the sum of all squares is never less than what the matrix can do to a vector, and "
            "often more. `torch.linalg.matrix_norm(W, 2)` is the exact one."),
    },
    hints=(
        "Powers of one matrix, for ever: which of the two numbers of this chapter is about that?",
        "`torch.linalg.eigvals` gives complex numbers; `.abs()` gives their sizes.",
        "With tanh each factor is diag(slopes) W, with slopes of at most 1. What is the most that it can do "
        "to the length of a vector?",
    ),
    explain="for which matrices are the two numbers the same?",
    harder="direct_cell_path",
)


def orthogonal_init(A: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The Q of A = Q R with a positive diagonal of R: drawn evenly, if A holds normal numbers."""
    Q, R = torch.linalg.qr(A)
    return Q * R.diagonal().sign()  # turns column j of Q, and with it row j of R


def _gram_schmidt(A: Tensor) -> Tensor:
    columns: list[Tensor] = []
    for a in A.unbind(1):
        for q in columns:
            a = a - (q @ a) * q
        columns.append(a / a.norm())
    return torch.stack(columns, 1)


def _rotation_case(g: torch.Generator, i: int) -> dict[str, Any]:
    n = (2, 3, 5, 8)[i]
    return {"A": torch.randn(n, n, generator=g, dtype=torch.float64)}


def _polar(A: Tensor) -> Tensor:
    U, _, V = torch.linalg.svd(A)
    return U @ V


ROTATION = Exercise(
    chapter=CHAPTER, tier=2, minutes=15,
    signature="orthogonal_init(A) -> Q",
    text="""A (n, n) holds independent normal numbers. Make an orthogonal matrix of it: Q of the decomposition
A = Q R, where R is upper triangular. Of the many such decompositions take the one in which the diagonal of R
is positive; then all rotations and reflections are equally likely.""",
    worked=orthogonal_init,
    cases=_rotation_case,
    axes={"A": "n n", "return": "n n"},
    right={"Gram and Schmidt": _gram_schmidt},
    wrong={
        "the signs are left to chance": (
            lambda A: torch.linalg.qr(A)[0],
            "Your Q is orthogonal, with the signs that the algorithm happened to choose. Make the diagonal "
            "of R positive."),
        "the signs turn the rows": (
            lambda A: torch.linalg.qr(A)[1].diagonal().sign()[:, None] * torch.linalg.qr(A)[0],
            "A = Q R stays true if column j of Q and row j of R change their sign together. You have changed "
            "the rows of Q."),
        "R instead of Q": (
            lambda A: torch.linalg.qr(A)[1],
            "This is R, the triangle. The rotation is the other one."),
        "unit columns only": (
            lambda A: A / A.norm(dim=0),
            "Each column has length 1, and they are not at right angles: Q.T @ Q is not the identity."),
        "unit rows only": (
            lambda A: A / A.norm(dim=1, keepdim=True),
            "Each row has length 1, and they are not at right angles: Q @ Q.T is not the identity."),
        "divided by the root of n": (
            lambda A: A / len(A) ** 0.5,
            "This keeps lengths on average. Its norm is about 2, and its powers do not keep anything."),
        "divided once more": (
            lambda A: orthogonal_init(A) / len(A) ** 0.5,
            "An orthogonal matrix has the right size as it is. With the root of n below it, every step "
            "shrinks the state."),
        "the nearest orthogonal matrix": (
            _polar,
            "U V of the singular values is orthogonal too, and drawn evenly: a good idea. Here the Q of "
            "A = Q R is asked for."),
        "transposed": (
            lambda A: orthogonal_init(A).T,
            "This is the way back: Q.T @ A is R, so A is Q R with the other one."),
    },
    hints=(
        "`torch.linalg.qr(A)` returns Q and R. Look at the signs of `R.diagonal()`.",
        "If you change the sign of row j of R, what must happen to Q so that Q R stays the same?",
    ),
    explain="what is the norm of Q, and of Q to the power 500?",
    harder="direct_cell_path",
)

EXERCISES = (EXPLODE, ROTATION)
