"""Chapter 7, gated cells: lstm_cell, lstm_param_count, gru_cell."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from ...gru import step as gru_step
from ...lstm import step as lstm_step
from ...shapes import Float, Tensor
from ..exercise import Exercise
from ..question import Question

CHAPTER = "07_lstm_gru"


def lstm_cell(
    x: Float[Tensor, "B D"],
    h: Float[Tensor, "B H"],
    c: Float[Tensor, "B H"],
    W_x: Float[Tensor, "G D"],
    W_h: Float[Tensor, "G H"],
    b: Float[Tensor, "G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    """One step of an LSTM; the blocks of W_x, W_h and b are those of i, f, g, o."""
    i, f, g, o = (x @ W_x.T + h @ W_h.T + b).chunk(4, -1)  # four blocks of H
    c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c_new.tanh(), c_new


def _library_lstm(x: Tensor, h: Tensor, c: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    return tuple(lstm_step(h, c, F.linear(x, W_x, b), W_h))


def _case(g: torch.Generator, i: int, gates: int) -> dict[str, Tensor]:
    B, D, H = [(1, 2, 3), (2, 3, 2), (3, 2, 4), (4, 4, 4)][i]
    shapes = {"x": (B, D), "h": (B, H), "c": (B, H), "W_x": (gates * H, D), "W_h": (gates * H, H)}
    return {k: torch.randn(s, generator=g, dtype=torch.float64) for k, s in shapes.items()}


def _lstm_case(g: torch.Generator, i: int) -> dict[str, Any]:
    case = _case(g, i, 4)
    return case | {"b": torch.randn(len(case["W_x"]), generator=g, dtype=torch.float64)}


def _lstm(of: str) -> Callable[..., Any]:
    """The cell with one thing changed."""
    order = {"ifog": (0, 1, 3, 2), "fi": (1, 0, 2, 3)}.get(of, (0, 1, 2, 3))

    def cell(x: Tensor, h: Tensor, c: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        blocks = (x @ W_x.T + h @ W_h.T + b).chunk(4, -1)
        i, f, g, o = (blocks[k] for k in order)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.sigmoid() if of == "sigmoid" else g.tanh(), o.sigmoid()
        keep = {"1997": 1.0, "coupled": 1 - i}.get(of, f)
        new = keep * (h if of == "view" else c) + (g if of == "ungated" else i * g)
        shown = c if of == "old cell" else new
        view = o * (shown if of == "no tanh" else shown.tanh())
        return (new, view) if of == "swapped" else (view, new)

    return cell


LSTM = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="lstm_cell(x, h, c, W_x, W_h, b) -> h_new, c_new",
    text="""x (B, D), h and c (B, H). W_x (4H, D), W_h (4H, H) and b (4H,) hold the blocks for i, f, g, o in
this order. i, f and o are sigmoids, g is a tanh; c_new = f c + i g, h_new = o tanh(c_new).""",
    worked=lstm_cell,
    reference=_library_lstm,
    cases=_lstm_case,
    axes={"x": "B D", "h": "B H", "c": "B H", "W_x": "G D", "W_h": "G H", "b": "G", "return": "B H, B H"},
    grads=("x", "h", "c", "W_x", "W_h", "b"),
    right={
        "torch.nn.LSTMCell": lambda x, h, c, W_x, W_h, b: torch.func.functional_call(
            torch.nn.LSTMCell(x.shape[1], h.shape[1], dtype=x.dtype),
            {"weight_ih": W_x, "weight_hh": W_h, "bias_ih": b, "bias_hh": 0 * b}, (x, (h, c))),
        "gate by gate": _lstm(""),
    },
    wrong={
        "the blocks are taken as i, f, o, g": (
            _lstm("ifog"),
            "The third block is the candidate g and the fourth the output gate. You have these two the other "
            "way round."),
        "i and f are swapped": (
            _lstm("fi"),
            "The first block is the input gate. Your forget gate decides what is written, and your input "
            "gate what is kept."),
        "the candidate is a sigmoid": (
            _lstm("sigmoid"),
            "With a sigmoid for g a cell can never be lowered, because what is added is always positive. The "
            "three gates are sigmoids, and the candidate is a tanh."),
        "no forget gate": (
            _lstm("1997"),
            "You keep all of the cell: this is the LSTM of 1997. The forget gate came three years later."),
        "one gate does both": (
            _lstm("coupled"),
            "You keep 1 - i of the cell: a coupled gate, as in the GRU. Here f has a block of its own."),
        "the forget gate acts on h": (
            _lstm("view"),
            "You multiply h with f. The long-term memory is c; h is what was shown of it."),
        "the candidate is not gated": (
            _lstm("ungated"),
            "All of g is added. The input gate decides how much of it."),
        "no tanh on the way out": (
            _lstm("no tanh"),
            "A cell may grow beyond 1, and your view grows with it. The view is o tanh(c)."),
        "the view of the old cell": (
            _lstm("old cell"),
            "Your h shows the cell as it was before this step. It is made from c_new."),
        "h and c are swapped": (
            _lstm("swapped"),
            "Both are right, and they come in the wrong order: h_new first."),
    },
    hints=(
        "One product gives all four sums: x @ W_x.T + h @ W_h.T + b has the shape (B, 4H).",
        "`chunk(4, -1)` cuts it into four blocks of H columns, in the order i, f, g, o.",
        "First the cell, then the view of the new cell.",
    ),
    explain="why is the candidate a tanh and the gates sigmoids?",
    harder="direct_cell_path",
)

COUNT = Question(
    chapter=CHAPTER, tier=1, minutes=3,
    signature="lstm_param_count(number)",
    text="""How many numbers does an LSTM layer learn, with inputs of D = 2 numbers, H = 4 numbers in its
view, and a bias of H numbers for each of the three gates and for the candidate?""",
    answer=lambda: 4 * (2 * 4 + 4 * 4 + 4),
    way="D, H = 2, 4\n4 * (D * H + H * H + H)  # four blocks where the RNN has one",
    accepted={128: "This is what torch.nn.LSTM has: two biases for each gate, which are only ever added."},
    wrong={
        "one block": (28, "This is a plain recurrent layer. How many gates and candidates are computed?"),
        "three blocks": (84, "This is a GRU, or you forgot that the candidate has weights as well."),
        "the cell is counted": (116, "The cell is computed, not learned. Count weights and biases only."),
        "one number for the bias of each gate": (100,
            "You give each gate a bias of one number. It is added to a vector of H numbers: H of them."),
        "no biases": (96, "The weights are counted. Each gate has a bias too, of H numbers."),
    },
    hints=("Write down the shapes of the weights of one gate.", "How many such blocks are there?"),
    explain="which H would a GRU need for the same number?",
    rtol=1e-9,
)


def gru_cell(
    x: Float[Tensor, "B D"],
    h: Float[Tensor, "B H"],
    W_x: Float[Tensor, "G D"],
    W_h: Float[Tensor, "G H"],
    b: Float[Tensor, "G"],
    b_n: Float[Tensor, "H"],
) -> Float[Tensor, "B H"]:
    """One step of a GRU as in PyTorch; the blocks of W_x, W_h and b are those of r, z, n."""
    a_r, a_z, a_n = (x @ W_x.T + b).chunk(3, -1)
    u_r, u_z, u_n = (h @ W_h.T).chunk(3, -1)
    r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
    n = (a_n + r * (u_n + b_n)).tanh()  # the reset acts on the product with h
    return z * h + (1 - z) * n


def _library_gru(x: Tensor, h: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor, b_n: Tensor) -> Tensor:
    return gru_step(h, F.linear(x, W_x, b), W_h, b_n)


def _gru_case(g: torch.Generator, i: int) -> dict[str, Any]:
    case = _case(g, i, 3)
    draw = lambda n: torch.randn(n, generator=g, dtype=torch.float64)  # noqa: E731
    rows = len(case["W_x"])
    return {k: case[k] for k in ("x", "h", "W_x", "W_h")} | {"b": draw(rows), "b_n": draw(rows // 3)}


def _gru(of: str) -> Callable[..., Any]:
    """The cell with one thing changed."""

    def cell(x: Tensor, h: Tensor, W_x: Tensor, W_h: Tensor, b: Tensor, b_n: Tensor) -> Tensor:
        a_r, a_z, a_n = (x @ W_x.T + b).chunk(3, -1)
        u_r, u_z, u_n = (h @ W_h.T).chunk(3, -1)
        r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
        if of == "packed z r":
            r, z = z, r
        first = (r * h) @ W_h.chunk(3)[2].T + b_n
        reset = {"first": first, "none": u_n + b_n, "bias outside": r * u_n + b_n}.get(of, r * (u_n + b_n))
        n = (r * a_n + u_n + b_n) if of == "on x" else a_n + reset
        n = n.sigmoid() if of == "sigmoid" else n.tanh()
        return (1 - z) * h + z * n if of == "flipped" else z * h + (1 - z) * n

    return cell


GRU = Exercise(
    chapter=CHAPTER, tier=2, minutes=20,
    signature="gru_cell(x, h, W_x, W_h, b, b_n) -> h_new",
    text="""x (B, D), h (B, H). W_x (3H, D), W_h (3H, H) and b (3H,) hold the blocks for r, z, n in this
order; b_n (H,) is the bias inside the reset. As in PyTorch: r and z are sigmoids, n = tanh(W_n x + b of n +
r (U_n h + b_n)), h_new = z h + (1 - z) n. W_n and U_n are the blocks of W_x and W_h for n.""",
    worked=gru_cell,
    reference=_library_gru,
    cases=_gru_case,
    axes={"x": "B D", "h": "B H", "W_x": "G D", "W_h": "G H", "b": "G", "b_n": "H", "return": "B H"},
    grads=("x", "h", "W_x", "W_h", "b", "b_n"),
    right={"gate by gate": _gru("")},
    wrong={
        "z and 1 - z are exchanged": (
            _gru("flipped"),
            "Your z says how much is replaced. Some papers have it so; here and in PyTorch z is what stays."),
        "the reset comes before the product": (
            _gru("first"),
            "You reset h and multiply then, as the paper of 2014 has it. PyTorch resets the product, "
            "so that one product with h is enough for all three blocks."),
        "no reset": (
            _gru("none"),
            "r has no part in your candidate. Without it the candidate always sees the whole old state."),
        "the reset acts on the input": (
            _gru("on x"),
            "You close the gate on W_n x. What is reset is the old state, not what is read."),
        "the candidate is a sigmoid": (
            _gru("sigmoid"),
            "Your candidate is never negative, so neither can the state become. The gates are sigmoids, the "
            "candidate is a tanh."),
        "r and z are swapped": (
            _gru("packed z r"),
            "The first block is r and the second z. You have them the other way round."),
        "the bias stands outside the reset": (
            _gru("bias outside"),
            "b_n is inside the bracket with U_n h, so the reset gate closes it as well."),
    },
    hints=(
        "Two products, each with three blocks: one for x, one for h. Keep them apart for the candidate.",
        "`chunk(3, -1)` cuts each into the blocks for r, z and n.",
    ),
    explain="with z = 1 for a hundred steps, what does the state do, and what does its gradient?",
    harder="direct_cell_path",
)

EXERCISES = (LSTM, COUNT, GRU)
