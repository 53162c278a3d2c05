"""Train the two networks of `live.probe`: `python -m unrolled.live.train_probe` (under a minute on one core).

The same small LSTM twice, on nested brackets, from two seeds. The weights go to `live_models/`, rounded to 16
bits as the page has them, with the facts of the training beside them.
"""

import argparse
import platform
import time
from itertools import islice

from .. import init
from ..checkpoint import write
from ..lstm import LSTM
from ..schedule import linear
from ..shapes import Tensor
from ..tasks import Brackets
from ..train import train
from .probe import DEPTH, HIDDEN, TRAINED, seeded


def network(seed: int, steps: int) -> tuple[LSTM, float]:
    """One trained LSTM with 16-bit weights, and its accuracy on new rows."""
    model, task = seeded(seed), Brackets(DEPTH, seed=seed)
    init.forget_bias(model, 2.0)
    for _ in islice(train(model, task, lr=linear(1e-2, steps)), steps):
        pass
    model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    return model, task.accuracy(model)


def main(arguments: list[str] | None = None) -> None:
    """The command: train two, say how good they are, save. `arguments` are those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3000, help="updates of each")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the second has the next one")
    parser.add_argument("--out", default=str(TRAINED), help="where the checkpoint goes")
    options = parser.parse_args(arguments)
    start, tensors, found = time.process_time(), dict[str, Tensor](), []
    for name, seed in (("a", options.seed), ("b", options.seed + 1)):
        model, accuracy = network(seed, options.steps)
        tensors |= {f"{name}/{part}": t.half() for part, t in model.state_dict().items()}
        found.append(round(accuracy, 4))
    print(found)
    facts = {
        "architecture": "LSTM", "hidden": HIDDEN, "depth": DEPTH, "accuracy": found, "seed": options.seed,
        "steps": options.steps, "seconds": round(time.process_time() - start, 1),
        "date": time.strftime("%Y-%m-%d"), "device": f"cpu, one thread, {platform.machine()}",
        "command": "python -m unrolled.live.train_probe",
    }  # fmt: skip
    write(options.out, tensors, facts)


if __name__ == "__main__":
    main()
