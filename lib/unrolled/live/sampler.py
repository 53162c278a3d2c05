"""The figure of the sampler: a trained network's next symbol, cut by temperature, top-k and top-p."""

import base64
from pathlib import Path
from typing import NamedTuple

import torch

from ..checkpoint import load
from ..generate import greedy, keep_top_k, keep_top_p
from ..gru import GRU
from ..lstm import LSTM
from ..model import CoreModel, parameter_count
from ..shapes import Float, Tensor
from ..vocab import Vocab
from .page import Figure, element, snapshot

HERE = Path(__file__).parent.parent / "live_models"
KINDS = {"lstm": LSTM, "gru": GRU}
TRAINED = {kind: HERE / f"{kind}_stories.safetensors" for kind in KINDS}
EMBED = 32  # numbers that stand for a symbol
LAYER = "core.layers.0."
PARTS = ("embed.weight", LAYER + "W_x", LAYER + "W_h", LAYER + "b", "W_y.weight", "W_y.bias")
HEIGHT = "clamp(620px, 1120px - 45vw, 930px)"  # kept free until the script has run: wide and narrow


class Writer(NamedTuple):
    """A trained network, its symbols, and what is recorded of its training."""

    model: CoreModel
    vocab: Vocab
    facts: dict


def trained(kind: str = "lstm", path: str | Path | None = None) -> Writer:
    """The book's own LSTM or GRU of characters, made by `python -m unrolled.live.train_writers`.

    Its weights have 16 bits, as the page has them. `path` is another checkpoint of that command. ValueError
    for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: expected one of {', '.join(KINDS)}")
    tensors, facts = load(path or TRAINED[kind])
    vocab = facts.pop("vocab")
    model = KINDS[kind](len(vocab), tensors["W_y.weight"].shape[1], embed=EMBED, fused=True)
    model.load_state_dict({name: t.float() for name, t in tensors.items()})
    return Writer(model.eval(), vocab, facts)


def cut(
    logits: Float[Tensor, "V"],
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int = 1.0,
) -> Float[Tensor, "V"]:
    """The distribution from which `generate.sample` draws with these settings, in double precision."""
    if temperature == 0:
        return torch.nn.functional.one_hot(greedy(logits[None]), len(logits))[0].double()
    scores = (logits.double() - logits.max().double())[None] / temperature
    scores = keep_top_k(scores, top_k or len(logits))
    return keep_top_p(scores, top_p)[0].softmax(-1)


def sampler(
    path: str | Path | None = None,
    prompt: str = "Tim was planning to visit ",
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int = 1.0,
    seed: int = 1,
) -> Figure:
    """A trained LSTM writes in the page (lecture G1, G2); readers turn the temperature, top-k and top-p.

    The bars show what the network says and what the settings leave of it; above the text stands what each of
    its symbols cost the network, in bits. `path` is a checkpoint of `unrolled.live.train_writers`.
    """
    model, vocab, facts = trained("lstm", path)
    if not 0 <= temperature <= 2 or not 0 < top_p <= 1 or not (top_k is None or 1 <= top_k <= len(vocab)):
        raise ValueError(
            f"temperature = {temperature}, top_k = {top_k}, top_p = {top_p}: expected 0 to 2, None or "
            f"1 to {len(vocab)}, and a share above 0, at most 1"
        )
    with torch.no_grad():
        p = cut(model(vocab.encode("\n" + prompt)[None])[0][0, -1], temperature, top_k, top_p)
    best = p.argsort(descending=True, stable=True)[:8].tolist()
    hidden = model.core.hidden
    lead = f"A live figure: a sampler around an LSTM of characters with {hidden} numbers in its state."
    fallback, words = snapshot(lead, prompt, [(vocab.symbols[i], float(p[i])) for i in best if p[i] > 0])
    value = {
        "symbols": vocab.symbols, "hidden": hidden, "embed": EMBED, "weights": packed(model),
        "prompt": prompt, "temperature": temperature, "top_k": top_k or len(vocab), "top_p": top_p,
        "seed": seed, "floor": facts["floor"], "note": note(model, facts),
    }  # fmt: skip
    modules = ("tensor", "lstmcell", "ui", "writer", "sampler")
    return Figure(element("u-sampler", value, fallback, modules, HEIGHT), words)


def note(model: CoreModel, facts: dict) -> str:
    """What the network is and how good."""
    return (
        f"An LSTM with {parameter_count(model):,} weights, trained for {facts['seconds'] / 60:.0f} minutes "
        f"on one core. New stories cost it {facts['bits']:.2f} bits a symbol; the best possible is "
        f"{facts['floor']:.2f}."
    )


def packed(model: CoreModel) -> str:
    """All weights as base64 of 16-bit floats, little-endian, in the order of PARTS."""
    state = model.state_dict()
    flat = torch.cat([state[name].half().flatten() for name in PARTS])
    return base64.b64encode(flat.numpy().astype("<f2").tobytes()).decode("ascii")
