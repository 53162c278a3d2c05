"""Pictures of a bird in the grass, in nats per image: counted tables, networks, the orders, and the floor.

    python benchmarks/scene_models.py models
    python benchmarks/scene_models.py orders

Writes the records `scene_models` and `scene_orders` that chapter 9 shows. All networks take the same number
of updates on the same pictures; all are measured on the same 1,000 new ones. The floor is the oracle, which
knows how the pictures are made. Rules: CPU seconds of this process, one thread.
"""

import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled import images, orders, records, scenes  # noqa: E402
from unrolled.lstm import LSTMCore  # noqa: E402
from unrolled.model import SequenceModel, parameter_count  # noqa: E402
from unrolled.neighbours import Neighbours  # noqa: E402
from unrolled.orders import Order  # noqa: E402
from unrolled.pixelcnn import GatedPixelCNN, PixelCNN  # noqa: E402
from unrolled.pixelrnn import PixelDiagonalBiLSTM, PixelRowLSTM, PixelWalk  # noqa: E402
from unrolled.schedule import cosine  # noqa: E402
from unrolled.train import fit  # noqa: E402

SIZE, LEVELS, STEPS = scenes.SIZE, len(scenes.LEVELS), 600
READ, NEW = scenes.sample(20_000, seed=0), scenes.sample(1000, seed=2)


def walk(order: Order) -> PixelWalk:
    return PixelWalk(LEVELS, order, LSTMCore(64, 96, fused=True))


MODELS = {
    "LSTM along the line": ("all before it, as one line", lambda: walk(orders.raster(*SIZE))),
    "Row LSTM": ("a triangle above", lambda: PixelRowLSTM(LEVELS, SIZE, 16, 2)),
    "Diagonal BiLSTM": ("all before it", lambda: PixelDiagonalBiLSTM(LEVELS, SIZE, 16, 2)),
    "PixelCNN": ("all but a blind spot", lambda: PixelCNN(LEVELS, SIZE, 24, 4)),
    "gated PixelCNN": ("both sides above", lambda: GatedPixelCNN(LEVELS, SIZE, 24, 5)),
}


def nats(model: SequenceModel, order: Order | None = None) -> float:
    return round(images.nats(model, NEW, order).mean().item(), 2)


def trained(model: SequenceModel, seed: int, order: Order | None = None) -> tuple[SequenceModel, float]:
    """The model after its updates, and what they cost in CPU seconds."""
    start, lr = time.process_time(), cosine(5e-3, STEPS, warmup=50)
    fit(model, images.shuffles(READ, LEVELS, 32, order, seed), STEPS, lr=lr)
    return model, round(time.process_time() - start, 1)


def models(seed: int) -> list[list]:
    """One row for each model: what it sees, its numbers, nats on new pictures, CPU seconds."""
    found = []
    for k in (0, 2, 4, 6):
        table = Neighbours(LEVELS, SIZE, k).fit(images.tokens(READ, LEVELS))
        found.append([f"{k} neighbours, counted", f"{k} pixels", len(table.keys), nats(table), 0.0])
    for name, (sees, make) in MODELS.items():
        torch.manual_seed(seed)
        model, seconds = trained(make(), seed)
        found.append([name, sees, parameter_count(model), nats(model), seconds])
        print(*found[-1], flush=True)
    return [*found, ["oracle: the floor", "how they are made", 0, nats(scenes.Oracle()), 0.0]]


def walks(seed: int) -> list[list]:
    """One row for each order, all read by the same LSTM with the same number of updates."""
    found = []
    for order in (orders.raster(*SIZE), orders.reverse(*SIZE), orders.by_columns(*SIZE), orders.spiral(*SIZE),
                  orders.clusters(*SIZE), orders.coarse_to_fine(*SIZE), orders.shuffled(*SIZE, seed=1)):
        torch.manual_seed(seed)
        model, seconds = trained(walk(order), seed, order)
        found.append([order.name, nats(model, order), seconds])
        print(*found[-1], flush=True)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    command = f"python benchmarks/scene_models.py {sys.argv[1]}"
    if sys.argv[1] == "models":
        title = f"Pictures of a bird in the grass: nats per image; networks after {STEPS} updates"
        columns = ["model", "what it sees", "numbers kept", "nats per image", "CPU s of training"]
        print(records.make("scene_models", title, columns, models, command))
    else:
        title = f"The same LSTM along seven orders: nats per image after {STEPS} updates"
        columns = ["order", "nats per image", "CPU s of training"]
        print(records.make("scene_orders", title, columns, walks, command))
