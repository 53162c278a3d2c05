"""Binarised MNIST in nats per image: counted tables, an n-gram of the line, and what papers print.

    python benchmarks/binarised_mnist.py

Writes the record that chapter 9 shows. The tables are counted on the 50,000 training pictures and measured on
the 10,000 test pictures. The network is the one that the library carries, made by
`python -m unrolled.trainings.pixels` as its file says. Published figures stand beside, with their source.
"""

import torch
from unrolled import images, records
from unrolled.model import SequenceModel
from unrolled.neighbours import Neighbours
from unrolled.ngram import NGram
from unrolled.trainings import pixels

COLUMNS = ["model", "what it knows", "numbers kept", "nats per image, test"]
SIZE = (28, 28)
PAPER = "van den Oord et al. 2016, arXiv 1601.06759"
PUBLISHED = [
    ["PixelCNN", PAPER, "", 81.30],
    ["Row LSTM", PAPER, "", 80.54],
    ["Diagonal BiLSTM, 1 layer", PAPER, "", 80.75],
    ["Diagonal BiLSTM, 7 layers", PAPER, "", 79.20],
]


def rows(seed: int) -> list[list]:
    """One row for each model; nothing here is random."""
    read, test = images.tokens(images.binarised_mnist("train"), 2), images.binarised_mnist("test")
    places = Neighbours(2, SIZE, 0, by_place=True).fit(read)
    found = [["independent pixels", "its place", len(places.keys), nats(places, test)]]
    line = NGram(9, 3).fit(list(read))
    found.append(["9-gram of the line", "8 pixels before", line.entries(), nats(line, test)])
    for k in (4, 10, 16):
        table = Neighbours(2, SIZE, k).fit(read)
        found.append([f"{k} neighbours", f"{k} pixels around", len(table.keys), nats(table, test)])
    network, facts = pixels.trained("mnist")
    minutes, count = facts["cpu_seconds"] / 60, sum(p.numel() for p in network.parameters())
    knows = f"all before it; trained for {minutes:.0f} minutes of one core"
    return [*found, ["gated PixelCNN, ours", knows, count, nats(network, test)], *PUBLISHED]


def nats(model: SequenceModel, test: torch.Tensor) -> float:
    return round(images.nats(model, test).mean().item(), 2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    title = "Binarised MNIST: nats per image on the test set"
    command = "python benchmarks/binarised_mnist.py"
    print(records.make("binarised_mnist", title, COLUMNS, rows, command))
