"""The figure of the cell: write into it, erase it, or leave it alone, and see what stays."""

import math

from .page import Figure, element

EVENTS = "·we"  # leave alone, write a 1, erase
ROW = "·w··········e··w"
HEIGHT = "clamp(520px, 860px - 40vw, 700px)"  # kept free until the script has run


def lstm(f: float = 0.95, row: str = ROW, o: float = 1.0) -> Figure:
    """A cell of one number whose gates the reader opens and shuts (lecture M2 to M5).

    row: what happens at each step, "w" (write a 1), "e" (erase) or "·" (leave alone). f is how far open the
    forget gate is where the cell is left alone or written, o how far the output gate. Exact mathematics: the
    page computes what `run` computes.
    """
    if set(row) - set(EVENTS) or not row or not (0 <= f <= 1 and 0 <= o <= 1):
        raise ValueError(f"row is {row!r}, f {f}, o {o}: expected {', '.join(EVENTS)}, and gates in 0 to 1")
    c, h, pull = run(f, row, o)
    words = (
        f"A live figure: a cell over {len(row)} steps with a forget gate of {f:g}. At the end it holds "
        f"{c[-1]:.2f} and shows {h[-1]:.2f}; a mistake there pulls at the first cell with {pull[0]:.2g}."
    )
    value = {"f": f, "row": row, "o": o}
    return Figure(element("u-lstm", value, f"<p>{words}</p>", ("ui", "lstm"), HEIGHT), words)


def run(f: float, row: str, o: float = 1.0) -> tuple[list[float], list[float], list[float]]:
    """The cell c_1 ... c_T, the view h_t = o tanh(c_t), and dc_T/dc_t: the gates that follow, multiplied."""
    c, cells, kept = 0.0, [], []
    for event in row:
        kept.append(0.0 if event == "e" else f)
        c = kept[-1] * c + (1.0 if event == "w" else 0.0)
        cells.append(c)
    pull = [1.0]
    for gate in reversed(kept[1:]):
        pull.append(pull[-1] * gate)
    return cells, [o * math.tanh(c) for c in cells], pull[::-1]
