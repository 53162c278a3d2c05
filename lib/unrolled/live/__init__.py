"""Live figures: small models that run in the page itself, without a kernel and without a network.

    live.order()    what a text repeats, and how many bits its order is worth: shuffle it, put it back
    live.ngram()    type a text, choose n and the smoothing, see what comes next, let it write
    live.wishes()   change one word of a story, and see which of three models notices
    live.rnn()      a trained recurrent network: watch its state while it reads and writes
    live.bptt()     one weight over ten steps: which of them hear of the mistake at the end
    live.vanishing()    one number over a hundred steps: its state, and its gradient
    live.lstm()     a cell of one number: write, erase, leave alone, and see what stays
    live.transformer()  a trained transformer reads and writes: where each head looks
    live.sampler()  a trained LSTM writes: turn temperature, top-k and top-p, and see what is left to draw
    live.pixels()   draw a few pixels, and a trained network finishes the picture, doubt beside it
    live.wavenet()  what a dilated stack sees, and a trained WaveNet that sings in the page
    live.probe()    two networks read your brackets: what a probe, or a single unit, makes of them
    live.maze()     a policy with memory and one without walk a maze; walk it yourself
    live.captions() choose a glyph or draw one: a trained network names it, and shows where it looks
    live.translator()   compose a sentence: a trained translator's French, and where it looks

Each call returns one output that works in the built book (from a server or from a file), in JupyterLab and
in Colab, and that says the same in words where no script runs. `page` explains how.
"""

import base64
from pathlib import Path

import torch

from .. import stories
from ..checkpoint import load
from ..model import SequenceModel, parameter_count
from ..ngram import NGram
from ..rnn import RNN
from ..shapes import Float, Tensor
from ..vocab import Vocab
from .bptt import bptt as bptt
from .captions import captions as captions
from .lstm import lstm as lstm
from .maze import maze as maze
from .order import order as order
from .page import Figure, element, snapshot
from .pixels import pixels as pixels
from .probe import probe as probe
from .sampler import sampler as sampler
from .transformer import transformer as transformer
from .translator import translator as translator
from .vanishing import vanishing as vanishing
from .wavenet import wavenet as wavenet
from .wishes import wishes as wishes

TRAINED = Path(__file__).parent.parent / "live_models" / "rnn_stories.safetensors"
SMOOTHINGS = {"none": ("none", 1.0), "add_one": ("add_alpha", 1.0), "kneser_ney": ("kneser_ney", 1.0)}
WEIGHTS = ("W_x", "W_h", "b_h", "W_y", "b_y")  # the order in which rnn.mjs takes them
SHOWN = 8  # rows of a distribution
HEIGHT = {  # kept free until the script has run: the heights on a wide and on a narrow page, and between them
    "ngram": "clamp(580px, 955px - 37vw, 820px)",
    "rnn": "clamp(905px, 1270px - 36vw, 1140px)",
}


def ngram(
    text: str | None = None,
    n: int = 4,
    smoothing: str = "kneser_ney",
    prompt: str = "Tim was planning to visit ",
    seed: int = 1,
) -> Figure:
    """A character n-gram in the page, counted there from `text` (up to about 100 KB; None: stories).

    n is 1 to 6; smoothing is "none", "add_one" or "kneser_ney"; readers can change both, and the prompt.
    The same numbers as `unrolled.ngram.NGram` (lecture P5).
    """
    if smoothing not in SMOOTHINGS or not 1 <= n <= 6:
        kinds = ", ".join(SMOOTHINGS)
        raise ValueError(f"n = {n}, smoothing = {smoothing!r}: expected 1 to 6, and one of {kinds}")
    text = "\n" + (default_text() if text is None else text).lstrip("\n")
    vocab = Vocab.chars(text)
    kind, alpha = SMOOTHINGS[smoothing]
    model = NGram(n, len(vocab), kind, alpha).fit(vocab.encode(text))
    lead = f"A live figure: an n-gram (n = {n}, smoothing: {smoothing}), counted on {len(text):,} characters."
    fallback, words = snapshot(lead, prompt, chances(model, vocab, prompt))
    value = {"text": text, "n": n, "smoothing": smoothing, "prompt": prompt, "seed": seed}
    modules = ("tensor", "counts", "ui", "writer", "ngram")
    return Figure(element("u-ngram", value, fallback, modules, HEIGHT["ngram"]), words)


def rnn(
    path: str | Path | None = None,
    prompt: str = "Tim was planning to visit ",
    temperature: float = 0.8,
    seed: int = 1,
) -> Figure:
    """A trained character RNN in the page (lecture R1 to R4): its state and its guesses, step by step.

    `path` is a checkpoint of an `unrolled.rnn.RNN` with biases and its vocabulary of characters; None is
    the book's own, made by `python -m unrolled.live.train_rnn`. The page gets 16-bit weights.
    """
    model, vocab, facts = trained(path or TRAINED)
    lead = f"A live figure: a recurrent network of characters with {model.hidden} numbers in its state."
    fallback, words = snapshot(lead, prompt, chances(model, vocab, prompt))
    value = {
        "symbols": vocab.symbols, "hidden": model.hidden, "weights": packed(model),
        "prompt": prompt, "temperature": temperature, "seed": seed, "note": note(model, facts),
    }  # fmt: skip
    return Figure(element("u-rnn", value, fallback, ("tensor", "ui", "writer", "rnn"), HEIGHT["rnn"]), words)


def default_text() -> str:
    """The stories that `ngram` counts when it is given no text: about 70 KB, whole stories only."""
    return stories.text(250, seed=0)


def trained(path: str | Path) -> tuple[RNN, Vocab, dict]:
    """A checkpoint's network, its weights rounded to 16 bits as the page has them, its symbols, its facts."""
    tensors, facts = load(path)
    hidden, vocab_size = tensors["W_x"].shape
    model = RNN(vocab_size, hidden)
    model.load_state_dict({name: t.half().float() for name, t in tensors.items()})
    return model, facts["vocab"], facts


def note(model: RNN, facts: dict) -> str:
    """What the network is and how good, in two sentences; the second only where the training was recorded."""
    words = f"The network has {parameter_count(model):,} weights."
    if not {"bits", "floor", "seconds"} <= set(facts):
        return words
    return (
        f"{words} Trained for {facts['seconds'] / 60:.0f} minutes on one core, it needs {facts['bits']:.2f} "
        f"bits a symbol on stories that it never saw; the best possible is {facts['floor']:.2f}."
    )


def packed(model: RNN) -> str:
    """All weights as base64 of 16-bit floats, little-endian, in the order of WEIGHTS."""
    parts = [getattr(model, name).detach().half().flatten() for name in WEIGHTS]
    return base64.b64encode(torch.cat(parts).numpy().astype("<f2").tobytes()).decode("ascii")


@torch.no_grad()
def chances(model: SequenceModel, vocab: Vocab, prompt: str) -> list[tuple[str, float]]:
    """The likeliest next symbols after a new line and the prompt, with their probabilities."""
    logits, _ = model(vocab.encode("\n" + prompt)[None])
    p: Float[Tensor, V] = logits[0, -1].softmax(-1)
    order = p.argsort(descending=True, stable=True)[:SHOWN].tolist()
    return [(vocab.symbols[i], float(p[i])) for i in order]
