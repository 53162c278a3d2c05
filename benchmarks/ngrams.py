"""n-grams beside their peers: `python benchmarks/ngrams.py`, about a minute.

Perplexity, fitting and scoring of ours, of nltk.lm and of KenLM's Python module, on tiny Shakespeare (fetched
on first use, or give any text by --text FILE). Peers come from `pip install -r requirements-benchmarks.txt`;
a peer that is not installed is left out, and said to be.

Rules: CPU seconds of this process, one thread, the minimum of five repetitions in which the contenders take
turns. Split 90/10 by characters. A sentence is a line that is not empty; the token "\\n" begins and ends it.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch and numpy are loaded, so before them

import numpy as np  # noqa: E402
import torch  # noqa: E402
from unrolled import arpa  # noqa: E402
from unrolled.ngram import NGram  # noqa: E402

TINY_SHAKESPEARE = 1_115_394  # characters
NLTK_GRAMS = 20  # nltk scores about that many in a second
# Recorded by hand on the same split: the perplexity of lmplz's model with every token, and without <unk>.
LMPLZ = {
    ("words", 3): (575.413, 286.168),
    ("characters", 3): (7.812826, 7.812826),
    ("characters", 5): (4.857804, 4.857804),
}
LMPLZ_SECONDS = 0.25  # words at order 5


class Corpus:
    """Lines cut into symbols, and their ids: 0 is the boundary, 1 an unknown symbol."""

    def __init__(self, text: str, unit: str):
        cut = int(len(text) * 0.9)
        split = str.split if unit == "words" else lambda line: list(line.replace(" ", "_"))
        self.train, self.test = (
            [split(line) for line in part.split("\n") if line.strip()] for part in (text[:cut], text[cut:])
        )
        self.names = ["\n", "<unk>", *sorted({w for line in self.train for w in line})]
        self.ids = {w: i for i, w in enumerate(self.names)}

    def sentences(self) -> list[torch.Tensor]:
        """The training part: one tensor for each line, with the boundary on both sides."""
        return [torch.tensor([0, *(self.ids[w] for w in line), 0]) for line in self.train]

    def joined(self, lines: list[list[str]]) -> torch.Tensor:
        """All lines in one tensor (1, T): no n-gram was seen across a boundary, so scores are the same."""
        return self.encode(["\n", *chain.from_iterable([*line, "\n"] for line in lines)])

    def encode(self, symbols: list[str]) -> torch.Tensor:
        """Ids of the symbols, (1, T)."""
        return torch.from_numpy(np.array([list(map(self.ids.get, symbols, repeat(1)))]))


def race(rounds: int = 5, **contenders: Callable[[], object]) -> dict[str, float]:
    """CPU seconds of each contender: the least of several rounds in which they take turns."""
    best = dict.fromkeys(contenders, math.inf)
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def modified(corpus: Corpus, n: int, x: list[torch.Tensor] | None = None) -> NGram:
    """Modified Kneser-Ney of order n, fitted to the training part."""
    return NGram(n, len(corpus.names), "modified_kneser_ney").fit(x or corpus.sentences())


def against_lmplz(words: Corpus, characters: Corpus) -> None:
    """The perplexities of KenLM's estimator, as recorded, and the time of fitting."""
    rows = []
    for (unit, n), reference in LMPLZ.items():
        corpus = words if unit == "words" else characters
        x = corpus.joined(corpus.test)
        bits = -modified(corpus, n).log2_prob(x)
        ours = 2 ** bits.mean().item(), 2 ** bits[x[:, 1:] != 1].mean().item()
        gap = max(abs(a / b - 1) for a, b in zip(ours, reference))
        cells = [f"{a:.6f} ({b:.8g})" for a, b in zip(ours, reference)]
        rows.append([f"{unit}, order {n}", *cells, f"{gap:.0e}"])
    table("Modified Kneser-Ney: perplexity, ours (lmplz, recorded)",
          ["", "every token", "without unknown words", "relative gap"], rows)
    x = words.sentences()
    seconds = race(ours=lambda: modified(words, 5, x))["ours"]
    print(f"\nFitting words at order 5: {seconds:.2f} CPU-s. lmplz took {LMPLZ_SECONDS} on another day, "
          "so that is no ratio.")


def against_kenlm(corpus: Corpus, n: int = 3) -> None:
    """The same model in KenLM's Python module, through our ARPA file: each token's probability, and speed."""
    import kenlm

    model = modified(corpus, n)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.arpa"
        arpa.write(path, model, corpus.names, boundary=0)
        peer = kenlm.Model(str(path))
    lines, x = [" ".join(line) for line in corpus.test], corpus.joined(corpus.test)
    theirs = torch.tensor([p for line in lines for p, _, _ in peer.full_scores(line)])
    gap = (model.log2_prob(x)[0] * math.log10(2) - theirs).abs().max().item()
    seconds = race(
        kenlm=lambda: [peer.score(line) for line in lines],
        strings=lambda: model.log2_prob(corpus.encode(["\n", *" \n ".join([*lines, ""]).split(" ")[:-1]])),
        ids=lambda: model.log2_prob(x),
    )
    names = {"kenlm": "kenlm", "strings": "ours, from the same strings", "ids": "ours, from ids"}
    rows = [[names[name], f"{theirs.numel() / s:,.0f}", f"{seconds['kenlm'] / s:.2f}"]
            for name, s in seconds.items()]
    table(f"Scoring words at order {n} against kenlm {version('kenlm')}", ["", "tokens/s", "x kenlm"], rows)
    print(f"\nLargest difference of a token's log10 probability, through the ARPA file: {gap:.0e}.")


def nltk_grams(text: list[str], corpus: Corpus, n: int) -> list[tuple[str, ...]]:
    """A few n-grams, evenly from the test part, of words that nltk knows: it gives no chance to others."""
    known, test = set(text), [w for line in corpus.test for w in [*line, "\n"]]
    grams = [gram for gram in zip(*(test[i:] for i in range(n))) if known.issuperset(gram)]
    return grams[:: len(grams) // NLTK_GRAMS][:NLTK_GRAMS]


def against_nltk(corpus: Corpus, n: int = 3) -> None:
    """Interpolated Kneser-Ney with nltk's own D = 0.1, and D = 0 for single words, as nltk has it."""
    from nltk.lm import KneserNeyInterpolated
    from nltk.util import everygrams

    text = ["<s>", *(w for line in corpus.train for w in [*line, "\n"])]  # one text, so that both count alike
    grams = nltk_grams(text, corpus, n)
    peer = KneserNeyInterpolated(order=n, discount=0.1)
    ids = {w: i for i, w in enumerate(dict.fromkeys(text))}
    model = NGram(n, len(ids), discount=[0.0] + [0.1] * (n - 1))
    x = torch.tensor([[ids[w] for w in gram] for gram in grams])

    fit = race(
        nltk=lambda: KneserNeyInterpolated(order=n, discount=0.1).fit([everygrams(text, max_len=n)], text),
        ours=lambda: model.fit(torch.tensor([ids[w] for w in text])),
    )
    peer.fit([everygrams(text, max_len=n)], text)
    many = x.repeat(1000, 1)
    score = race(
        nltk=lambda: [peer.logscore(gram[-1], gram[:-1]) for gram in grams],
        ours=lambda: model.log2_prob(many),
    )
    speed = {"nltk": len(grams) / score["nltk"], "ours": len(many) / score["ours"]}
    bits = {"nltk": -sum(peer.logscore(g[-1], g[:-1]) for g in grams) / len(grams),
            "ours": -model.log2_prob(x)[:, -1].mean().item()}
    table(
        f"Interpolated Kneser-Ney at order {n} against nltk {version('nltk')}",
        ["", f"perplexity ({len(grams)} n-grams)", "fit, CPU-s", "fit, x nltk", "n-grams/s", "score, x nltk"],
        [[name, f"{2 ** bits[name]:.6f}", f"{fit[name]:.2f}", f"{fit['nltk'] / fit[name]:.0f}",
          f"{speed[name]:,.0f}", f"{speed[name] / speed['nltk']:,.0f}"] for name in ("nltk", "ours")],
    )


def main() -> None:
    """Run all three comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, help="a text file; tiny Shakespeare when left out")
    path = parser.parse_args().text
    if path:
        text = path.read_text(encoding="utf-8")
    else:
        from unrolled import data

        text = data.text("tinyshakespeare")
    torch.set_num_threads(1)
    words = Corpus(text, "words")
    print(f"{sum(map(len, words.train)):,} words to fit, {sum(map(len, words.test)):,} to score; "
          f"torch {torch.__version__}, one thread")
    if len(text) == TINY_SHAKESPEARE:
        against_lmplz(words, Corpus(text, "characters"))
    for name, compare in (("kenlm", against_kenlm), ("nltk", against_nltk)):
        if find_spec(name):
            compare(words)
        else:
            print(f"\n{name}: not installed, so not run. pip install -r requirements-benchmarks.txt")


if __name__ == "__main__":
    main()
