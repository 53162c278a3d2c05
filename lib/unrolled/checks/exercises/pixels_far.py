"""Chapter 9, what a network of pictures sees and says: what_a_stack_sees, blind_spot, logistic_levels."""

from typing import Any

import torch
import torch.nn.functional as F

from ...shapes import Bool, Float, Tensor
from ..exercise import Exercise
from ..properties import finite_when
from ..question import Question
from .pixels import CHAPTER


def what_a_stack_sees(R: int, C: int, r: int, c: int, layers: int) -> Bool[Tensor, "R C"]:
    """The pixels that reach the guess at (r, c) through 3 x 3 masked convolutions: one of A, others of B."""
    seen = torch.zeros(R, C, dtype=torch.bool)
    seen[r, c] = True
    for layer in range(layers):  # from the guess down: kind A comes last
        wide = F.pad(seen, (1, 1, 0, 1))  # (R + 1, C + 2): nothing outside the picture
        below = wide[1:, :-2] | wide[1:, 1:-1] | wide[1:, 2:]  # seen by the row under it
        left = wide[:-1, 2:]  # seen by its right neighbour
        seen = below | left if layer == layers - 1 else below | left | seen
    return seen


def _by_steps(R: int, C: int, r: int, c: int, layers: int) -> Tensor:
    """The same by walking: the set of places, step by step."""
    places, look = {(r, c)}, [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
    for layer in range(layers):
        steps = look if layer == layers - 1 else [*look, (0, 0)]
        places = {(y + dy, x + dx) for y, x in places for dy, dx in steps if y + dy >= 0 <= x + dx < C}
    found = torch.zeros(R, C, dtype=torch.bool)
    for place in places:
        found[place] = True
    return found


def _sees(of: str) -> Any:
    """The set with one thing changed."""

    def sees(R: int, C: int, r: int, c: int, layers: int) -> Tensor:
        if of == "all":
            return (torch.arange(R * C) < r * C + c).view(R, C)
        found = _by_steps(R, C, r, c, layers + {"more": 1, "fewer": -1}.get(of, 0))
        if of == "itself":
            found[r, c] = True
        if of == "upright":
            found = found & (torch.arange(C) <= c)
        return found if of != "only A" else _only_a(R, C, r, c, layers)

    return sees


def _only_a(R: int, C: int, r: int, c: int, layers: int) -> Tensor:
    seen = torch.zeros(R, C, dtype=torch.bool)
    seen[r, c] = True
    for _ in range(layers):
        wide = F.pad(seen, (1, 1, 0, 1))
        seen = wide[1:, :-2] | wide[1:, 1:-1] | wide[1:, 2:] | wide[:-1, 2:]
    return seen


def _stack_case(g: torch.Generator, i: int) -> dict[str, Any]:
    return dict(zip(("R", "C", "r", "c", "layers"),
                    [(4, 5, 2, 2, 2), (6, 9, 4, 3, 3), (7, 8, 5, 3, 2), (7, 7, 5, 2, 3)][i]))


STACK = Exercise(
    chapter=CHAPTER, tier=3, minutes=30,
    signature="what_a_stack_sees(R, C, r, c, layers) -> seen",
    text="""A stack of masked 3 x 3 convolutions guesses the pixel at row r, column c of an R x C picture. The
first layer, which reads the pixels, has a mask of kind A; the others, `layers` - 1 of them, have kind B.
Return a tensor of bools (R, C): which pixels can reach the guess? layers is 2 or more.""",
    worked=what_a_stack_sees,
    cases=_stack_case,
    axes={"return": "R C"},
    right={"step by step": _by_steps},
    wrong={
        "all that was read": (
            _sees("all"),
            "You mark all pixels before the guess. That is what may be seen. 3 x 3 kernels go one place "
            "right only by going one row up, and a stack goes only as far as it has layers."),
        "it sees itself": (
            _sees("itself"),
            "Your guess sees the pixel that it guesses. Kind A in the first layer forbids that."),
        "A in every layer": (
            _sees("only A"),
            "With kind A in every layer a place must move at each step. Kind B may also stay where it is."),
        "one layer too many": (_sees("more"), "Your stack has one layer more than it should."),
        "one layer too few": (
            _sees("fewer"),
            "Your stack ends a layer too early. Is the first layer, of kind A, counted?"),
        "nothing to the right": (
            _sees("upright"),
            "You see no column to the right. In the row above, a 3 x 3 kernel sees one place right."),
    },
    hints=(
        "Walk from the guess down to the pixels. Through one layer of kind B, a place sees itself, its left "
        "neighbour, and three places in the row above.",
        "The last step of this walk is the first layer. What is missing in kind A?",
    ),
    explain="which pixels does no number of layers ever reach?",
    harder="logistic_levels",
)

BLIND = Question(
    chapter=CHAPTER, tier=2, minutes=10,
    signature="blind_spot(number)",
    text="""A picture has 9 x 9 pixels, and the one in its very middle is guessed by masked 3 x 3
convolutions, as many layers of them as you like. How many of the 40 pixels before it are never seen?""",
    answer=lambda: 3 + 2 + 1,
    way="rows_up = range(1, 5)\nsum(max(0, 4 - k) for k in rows_up)  # k rows up it sees k places right",
    wrong={
        "none": (0, "However deep: to go one place right, it must go one row up. What lies flatter?"),
        "the diagonal counts as blind": (10, "Exactly on the diagonal, one up and one right, it does see."),
        "the whole upper right": (16, "Above the diagonal it does see. Only a wedge is blind."),
        "one row only": (3, "That is the row above. There is a blind part in the rows over it as well."),
        "the future is counted": (46, "Pixels to come are not among the 40. Count only those before it."),
    },
    hints=("How far right can it have come when it has gone k rows up?",
           "Four columns lie right of the middle. Count those that it has not reached, row by row."),
    explain="how would a 5 x 5 kernel change the wedge?",
    rtol=1e-9,
)


def logistic_levels(
    pi: Float[Tensor, "N M"], mean: Float[Tensor, "N M"], scale: Float[Tensor, "N M"], L: int
) -> Float[Tensor, "N L"]:
    """log p of each of L levels under a mixture of M logistic distributions on -1 ... 1; pi are logits."""
    half = 1 / (L - 1)  # levels lie 2 / (L - 1) apart
    level = torch.linspace(-1, 1, L, dtype=mean.dtype)[:, None]  # (L, 1)
    low = (level - half - mean[:, None]) / scale[:, None]  # (N, L, M)
    high = (level + half - mean[:, None]) / scale[:, None]
    # s(high) - s(low) = s(high) s(-low) (1 - exp(low - high)): no tiny difference
    inner = torch.log(-torch.expm1(low - high))
    up, down = F.logsigmoid(high), F.logsigmoid(-low)
    # the end bins are open
    log_p = torch.cat([up[:, :1], (up + down + inner)[:, 1:-1], down[:, -1:]], 1)
    return torch.logsumexp(log_p + F.log_softmax(pi, -1)[:, None], -1)


def _bins(of: str) -> Any:
    """The mixture by differences, with one thing changed."""

    def levels(pi: Tensor, mean: Tensor, scale: Tensor, L: int) -> Tensor:
        half = 2 / (L - 1) if of == "wide" else 1 / (L - 1)
        level = torch.linspace(-1, 1, L, dtype=mean.dtype)[:, None]
        if of == "bytes":
            level = torch.arange(L, dtype=mean.dtype)[:, None]
        low, high = ((level + side - mean[:, None]) / scale[:, None] for side in (-half, half))
        flip = (low + high > 0) if of == "" else torch.zeros_like(low, dtype=torch.bool)
        low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
        p = high.sigmoid() - low.sigmoid()
        if of != "closed":
            first = ((-1 + half - mean) / scale).sigmoid() if of != "bytes" else high[:, 0].sigmoid()
            p = torch.cat([first[:, None], p[:, 1:-1], (-((1 - half - mean) / scale)).sigmoid()[:, None]], 1)
        share = pi.abs() / pi.abs().sum(-1, keepdim=True) if of == "shares" else pi.softmax(-1)
        if of == "logs":
            return (p.log() * share[:, None]).sum(-1)
        return (p * share[:, None]).sum(-1).log()

    return levels


def _mixture_case(g: torch.Generator, i: int) -> dict[str, Any]:
    N, M, L = [(1, 2, 3), (2, 3, 5), (3, 2, 4), (3, 3, 3)][i]
    draw = lambda: torch.randn(N, M, generator=g, dtype=torch.float64)  # noqa: E731
    return {"pi": draw(), "mean": 0.5 * draw(), "scale": 0.2 + draw().abs(), "L": L}


MIXTURE = Exercise(
    chapter=CHAPTER, tier=4, minutes=45,
    signature="logistic_levels(pi, mean, scale, L) -> log_p",
    text="""A softmax over 256 grey levels does not know that 127 lies beside 128. PixelCNN++ draws a smooth
curve over the levels instead. Levels 0 ... L - 1 lie evenly on -1 ... 1. A logistic distribution has the
distribution function sigmoid((x - mean) / scale), and a level gets what lies within half a step around it;
the first level also gets all that lies below, the last all that lies above. pi, mean, scale (N, M) hold M
such curves, mixed by softmax(pi). Return the logarithms of the probabilities, (N, L): finite however far a
level lies from the curve.""",
    worked=logistic_levels,
    cases=_mixture_case,
    axes={"pi": "N M", "mean": "N M", "scale": "N M", "return": "N L"},
    properties=(
        finite_when("a level far from a sharp curve has a finite logarithm",
                    lambda case: {"mean": torch.full_like(case["mean"], -0.9),
                                  "scale": torch.full_like(case["scale"], 0.01)}),
    ),
    grads=("pi", "mean", "scale"),
    right={"on the side where both are small": _bins("")},
    wrong={
        "the logarithm of a difference": (
            _bins("plain"),
            "Far from the curve both sigmoids round to 1, their difference to 0, and its logarithm to "
            "minus infinity. Write sigmoid(b) - sigmoid(a) as a product."),
        "the end bins are closed": (
            _bins("closed"),
            "What lies beyond -1 and 1 is lost, so your probabilities do not sum to 1. The first and the "
            "last level take it."),
        "bins twice as wide": (
            _bins("wide"),
            "Levels lie 2 / (L - 1) apart. A bin goes half of that to each side, or the bins overlap."),
        "the logarithms are mixed": (
            _bins("logs"),
            "You average logarithms. Probabilities are mixed, and then the logarithm is taken: logsumexp."),
        "pi without a softmax": (
            _bins("shares"),
            "pi are logits, of any sign. The shares of the curves are softmax(pi)."),
    },
    hints=(
        "Call the ends of a bin a < b, already moved by the mean and divided by the scale.",
        "sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)). Each has a safe logarithm.",
        "`logsigmoid`, `expm1` and `logsumexp` are made for this.",
    ),
    explain="what does this save over a softmax of 256 logits, and what can it not say?",
)

EXERCISES = (STACK, BLIND, MIXTURE)
