"""The figure of the maze: a policy with memory and one without, and a corridor for the reader."""

import base64

import torch

from ..policy import Policy
from ..shapes import Float, Tensor
from ..trainings.maze import trained
from ..worlds import TMaze
from .page import Figure, element

LONGEST = 30  # cells of a corridor that can be told apart on a page
WEIGHTS = ("encoder.weight", *(f"core.layers.0.{name}" for name in ("W_x", "W_h", "b", "b_n")),
           "heads.0.weight", "heads.0.bias")  # fmt: skip
HEIGHT = "clamp(835px, 1010px - 12vw, 967px)"  # kept free until the script has run


def maze(cue: int = 0, length: int = 12) -> Figure:
    """Two trained policies walk a T-maze, one with a GRU, one without memory; readers may walk too (A1).

    cue: what the sign says, 0 for left and 1 for right; length: steps to the fork, 1 to 30. Readers change
    both. The policies are those of `python -m unrolled.trainings.maze --table`, and do what is likeliest.
    """
    if cue not in (0, 1) or not 1 <= length <= LONGEST:
        raise ValueError(f"cue is {cue}, length {length}: expected 0 or 1, and 1 to {LONGEST} steps")
    walkers, facts = trained()
    paid = {name: walk(policy, cue, length) for name, policy in walkers.items()}
    words = (
        f"A live figure: a T-maze whose fork is {length} steps away, and whose sign says "
        f"{('left', 'right')[cue]}. The policy with memory is paid {paid['gru']:g}, the one without "
        f"{paid['none']:g}."
    )
    value = {
        "cue": cue, "length": length, "longest": LONGEST, "hidden": facts["hidden"],
        "weights": packed(walkers["gru"]), "order": by_sign(walkers["gru"]),
        "table": walkers["none"](torch.arange(4)[:, None])[0][:, 0].tolist(),
    }  # fmt: skip
    modules = ("tensor", "ui", "writer", "maze")
    return Figure(element("u-maze", value, f"<p>{words}</p>", modules, HEIGHT), words)


@torch.no_grad()
def walk(policy: Policy, cue: int, length: int) -> float:
    """What a policy is paid in one corridor when it does what is likeliest."""
    world, state, paid = TMaze(length), None, 0.0
    x, _ = world.reset(options={"cue": torch.tensor([cue])})
    while not world.over.all():
        logits, state = policy(x[:, None], state)
        x, reward, *_ = world.step(logits[:, -1].argmax(-1))
        paid += reward.item()
    return paid


@torch.no_grad()
def by_sign(policy: Policy, length: int = 12) -> list[int]:
    """The numbers of the state by how far apart the two signs keep them, the furthest first."""
    seen = torch.tensor([[cue] + [2] * (length - 1) for cue in (0, 1)])
    h: Float[Tensor, "2 T H"] = policy.read(seen)[0]
    return (h[0] - h[1]).abs().mean(0).argsort(descending=True).tolist()


def packed(policy: Policy) -> str:
    """All weights that act as base64 of 16-bit floats, little-endian, in the order of WEIGHTS."""
    tensors = policy.state_dict()
    numbers = torch.cat([tensors[name].half().flatten() for name in WEIGHTS])
    return base64.b64encode(numbers.numpy().astype("<f2").tobytes()).decode("ascii")
