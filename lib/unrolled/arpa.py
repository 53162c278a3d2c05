"""Write a Kneser-Ney model as an ARPA file, the text format that KenLM, SRILM and others read.

Each line holds an n-gram: log10 of its probability, its symbols, and log10 of the weight that is left to the
shorter context when this n-gram is itself a context (its `rest`). An n-gram that is not listed gets the rest
of its context times the probability without the first token: the sentence at the head of `ngram`, where
nothing was seen.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from .model import SequenceModel

LOWEST = -99.0  # how the format spells the logarithm of 0


def write(path: str | Path, model: SequenceModel, names: Sequence[str], boundary: int | None = None) -> None:
    """Write a fitted NGram to `path`; names[i] is how token i is spelled there.

    boundary is the token that both begins and ends a sequence: it is written as <s> in first place and as
    </s> in last place. <s>, </s> and <unk> are added with probability 0 where the model has none, since
    readers ask for them. Raises ValueError for a smoothing that is no back-off, for names with white space or
    used twice, and where the boundary occurs within a sequence.
    """
    if not getattr(model, "interpolated", False) or not model.tables:
        raise ValueError("an ARPA file holds a fitted NGram with smoothing kneser_ney or modified_kneser_ney")
    names = _checked(names, model.vocab_size, boundary)
    grams = np.arange(model.vocab_size)[:, None]  # (M, k) tokens of every k-gram
    blocks = []
    for k in range(1, model.n + 1):
        if k > 1:
            prefix, token = np.divmod(model.tables[k - 1].keys[:-1], model.vocab_size)
            grams = np.column_stack([grams[prefix], token])
        blocks.append(list(_lines(model, k, grams, names, boundary)))
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {k}={len(block)}\n" for k, block in enumerate(blocks, 1))
        for k, block in enumerate(blocks, 1):
            file.write(f"\n\\{k}-grams:\n" + "\n".join(block) + "\n")
        file.write("\n\\end\\\n")


def _checked(names: Sequence[str], vocab_size: int, boundary: int | None) -> list[str]:
    if len(names) != vocab_size:
        raise ValueError(f"got {len(names)} names for a vocabulary of {vocab_size}")
    others = [name for i, name in enumerate(names) if i != boundary]
    for name in others:
        if name.split() != [name]:
            raise ValueError(f"the name {name!r} is empty or has white space, which separates names")
    if len(set(others)) < len(others):
        raise ValueError("two tokens have the same name: give each its own")
    return list(names)


def _lines(
    model: SequenceModel, k: int, grams: np.ndarray, names: list[str], boundary: int | None
) -> Iterator[str]:
    """The lines of all k-grams; those of the special symbols first."""
    if k == 1:
        log_p = _log10(model.unigram)
    else:
        log_p = np.log10(2) * model.log2_prob(torch.from_numpy(grams))[:, -1].numpy()
    rest = _log10(model.tables[k].rest[:-1]) if k < model.n else np.zeros(len(grams))
    if k == 1:
        yield from _specials(names, boundary, rest)
    if boundary is not None and (grams[:, 1:-1] == boundary).any():
        raise ValueError(f"the boundary, token {boundary}, occurs within a sequence: fit a list of sequences")
    for gram, p, r in zip(grams.tolist(), np.maximum(log_p, LOWEST).tolist(), rest.tolist()):
        words = [names[i] for i in gram]
        if gram[0] == boundary:
            words[0] = "<s>"
        if gram[-1] == boundary:
            words[-1] = "</s>"
        yield f"{p:.7f}\t{' '.join(words)}" + (f"\t{r:.7f}" if r and gram[-1] != boundary else "")


def _specials(names: list[str], boundary: int | None, rest: np.ndarray) -> Iterator[str]:
    """<s>, </s> and <unk>, where they have no line of their own."""
    if boundary is not None:
        yield f"{LOWEST}\t<s>\t{rest[boundary]:.7f}"
    for name in ("<s>", "</s>", "<unk>") if boundary is None else ("<unk>",):
        if name not in names:
            yield f"{LOWEST}\t{name}\t0"


def _log10(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(p), LOWEST)
