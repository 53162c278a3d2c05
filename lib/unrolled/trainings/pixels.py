"""Train a model of pictures and measure it as papers do: `python -m unrolled.trainings.pixels --help`.

    python -m unrolled.trainings.pixels --model gated --save gated.safetensors --out gated.json

The data are the fixed binarised MNIST (train to learn, valid to choose the weights, test for the number that
papers print), or the embedded digits or scenes. A run that was stopped goes on where it was, if it has the
same --save. It runs where `runtime.device` says, so on a GPU where there is one. `trained()` are models that
such runs made on a CPU, in the minutes that their files name; chapter 9 and its live figure load them.

Published, in nats per image on the test set of binarised MNIST (van den Oord et al. 2016, arXiv 1601.06759):
PixelCNN 81.30, Row LSTM 80.54, Diagonal BiLSTM with one layer 80.75, with seven 79.20.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from .. import checkpoint, images, records, runtime, scenes
from ..model import SequenceModel, parameter_count
from ..pixelcnn import GatedPixelCNN, PixelCNN
from ..pixelrnn import PixelDiagonalBiLSTM, PixelRowLSTM
from ..precision import mixed
from ..raster import PixelModel
from ..schedule import cosine
from ..shapes import Int, Tensor
from ..train import fit

MODELS = {
    "pixelcnn": PixelCNN,
    "gated": GatedPixelCNN,
    "row": PixelRowLSTM,
    "diagonal": PixelDiagonalBiLSTM,
}
KEPT = Path(__file__).parent.parent / "live_models"
TRAINED = {"scenes": KEPT / "pixelcnn_scenes.safetensors", "mnist": KEPT / "pixelcnn_mnist.safetensors"}
SHAPES = {"mnist": (2, (28, 28)), "digits": (2, (8, 8)), "scenes": (len(scenes.LEVELS), scenes.SIZE)}
PUBLISHED = {"pixelcnn": 81.30, "row": 80.54, "diagonal": 79.20}  # nats, binarised MNIST, test


def pictures(name: str) -> tuple[int, list[Int[Tensor, "N R C"]]]:
    """How many levels the pixels have, and the parts to train, to validate and to test on."""
    if name == "mnist":
        return 2, [images.binarised_mnist(part) for part in ("train", "valid", "test")]
    if name == "digits":
        return 2, list(images.digits().split([1400, 147, 250]))
    return len(scenes.LEVELS), [scenes.sample(n, seed) for seed, n in enumerate((20_000, 500, 1000))]


def nats(model: SequenceModel, x: Int[Tensor, "N R C"]) -> tuple[float, float]:
    """Nats per image, and how far off the mean may be: its standard error."""
    found = images.nats(model, x)
    return found.mean().item(), found.std().item() / math.sqrt(len(found))


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m unrolled.trainings.pixels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="gated")
    parser.add_argument("--data", choices=("mnist", "digits", "scenes"), default="mnist")
    numbers = {"hidden": 32, "layers": 7, "steps": 20_000, "batch": 64, "seed": 0}
    for name, default in (numbers | {"valid": 500, "test": 10_000}).items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak of the learning rate; default: 2e-3")
    parser.add_argument("--mixed", action="store_true", help="bfloat16 products where the machine has them")
    parser.add_argument("--save", help="x.safetensors: where the training is kept, and taken up again")
    parser.add_argument("--weights", help="x.safetensors: where the weights alone are written, in 16 bits")
    parser.add_argument("--out", help="x.json: where the result is written")
    return parser.parse_args(given)


def train(a: argparse.Namespace) -> tuple[PixelModel, dict]:
    """One training: the model, and what it was and what came out."""
    runtime.start(a.seed)
    device = runtime.device()
    levels, (read, valid, test) = pictures(a.data)
    model = MODELS[a.model](levels, tuple(read.shape[1:]), a.hidden, a.layers).to(device)
    batches = images.shuffles(read.to(device), levels, a.batch, seed=a.seed)
    rows = images.tokens(valid[: a.valid], levels).to(device)
    start, wall = time.process_time(), time.perf_counter()
    history = fit(model, mixed(batches) if a.mixed else batches, a.steps, valid=rows, path=a.save,
                  lr=cosine(a.lr, a.steps, warmup=min(200, a.steps // 10)))
    cost = {"cpu_seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - wall}
    if a.weights:  # what is measured is what will be kept
        model.load_state_dict({name: t.half().float() for name, t in model.state_dict().items()})
    found = dict(zip(("test_nats", "standard_error"), nats(model, test[: a.test].to(device))))
    return model, {
        "command": "python -m unrolled.trainings.pixels", **vars(a), "parameters": parameter_count(model),
        "steps_done": len(history.losses), "device": records.device(), "date": time.strftime("%Y-%m-%d"),
        "torch": torch.__version__, **{name: round(seconds, 1) for name, seconds in cost.items()},
        "best_valid_nats": history.valid[:, 1].min().item() * math.log(2) * (rows.shape[1] - 1), **found,
        "published_test_nats": PUBLISHED.get(a.model) if a.data == "mnist" else None,
    }


def trained(data: str = "scenes") -> tuple[PixelModel, dict]:
    """The model of the scenes, or of binarised MNIST, that the library carries, and how it was trained."""
    tensors, facts = checkpoint.load(TRAINED[data])
    model = MODELS[facts["network"]](*SHAPES[data], facts["hidden"], facts["layers"])
    checkpoint.fill(model, tensors, TRAINED[data], facts["architecture"])
    return model.eval(), facts


def main(given: Sequence[str] | None = None) -> dict:
    """Train as the command line says, print the result, and write it where --out says."""
    a = arguments(given)
    model, result = train(a)
    text = json.dumps(result, indent=1)
    if a.weights:
        kept = result.keys() - {"model", "save", "weights", "out"}
        facts = {name: result[name] for name in sorted(kept)}
        checkpoint.save(a.weights, model.half(), network=a.model, **facts)
    if a.out:
        Path(a.out).write_text(text + "\n", encoding="utf-8")
    print(text)
    return result


if __name__ == "__main__":
    main()
