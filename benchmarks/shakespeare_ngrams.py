"""Character n-grams on tiny Shakespeare, and the record that chapter 2 shows.

    python benchmarks/shakespeare_ngrams.py

The first 90 % of the characters are counted, the last 10 % scored with the context carried through. The
order n is read off the table, so its best row was picked on the scored part: the text has no third one.
"""

import math
import time

import torch
from unrolled import data, records
from unrolled.evaluate import evaluate
from unrolled.ngram import NGram
from unrolled.vocab import Vocab

COLUMNS = ["n", "smoothing", "nats per character", "bits per character", "perplexity"]
COLUMNS += ["n-grams stored", "seconds"]


def rows(seed: int) -> list[list]:
    """One row for each order and smoothing; nothing here is random, so the seed changes nothing."""
    text = data.text("tinyshakespeare", required=True)
    vocab, cut = Vocab.chars(text), int(0.9 * len(text))
    train, valid = vocab.encode(text[:cut]), vocab.encode(text[cut:])
    return [
        row(n, smoothing, train, valid, len(vocab))
        for smoothing in ("add_alpha", "modified_kneser_ney")
        for n in (1, 2, 3, 4, 5, 6, 7, 8, 10)
    ]


def row(n: int, smoothing: str, train: torch.Tensor, valid: torch.Tensor, V: int) -> list:
    start = time.process_time()
    model = NGram(n, V, smoothing).fit(train)
    score = evaluate(model, valid)
    seconds = round(time.process_time() - start, 1)
    nats = round(score.bits * math.log(2), 4)
    name = smoothing.replace("_", " ")
    return [n, name, nats, round(score.bits, 4), round(score.perplexity, 3), model.entries(), seconds]


if __name__ == "__main__":
    torch.set_num_threads(1)
    title = "Character n-grams on tiny Shakespeare (first 90 % read, last 10 % scored, context carried)"
    command = "python benchmarks/shakespeare_ngrams.py"
    print(records.make("shakespeare_ngrams", title, COLUMNS, rows, command))
