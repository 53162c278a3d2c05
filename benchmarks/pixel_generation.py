"""Drawing pixel by pixel: what was computed is kept, beside computing the whole picture anew for each pixel.

    python benchmarks/pixel_generation.py

Pictures of 28 x 28 pixels, black and white, models as one would train them on binarised MNIST. The naive
loop is the one most often written: the page, still blank below, goes through the whole network for each
pixel, and the logits of one place are used. Ours reads one pixel and goes on from the state. Both compute the
same logits (the largest difference is printed). Naive time is measured on four of the 784 pixels, which all
cost the same; ours on all of them, as the last pixel of a row costs more.

Rules: CPU seconds of this process, one thread, the least of five repetitions in which the two take turns.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled.model import SequenceModel, parameter_count  # noqa: E402
from unrolled.pixelcnn import GatedPixelCNN, PixelCNN  # noqa: E402
from unrolled.pixelrnn import PixelDiagonalBiLSTM, PixelRowLSTM  # noqa: E402

SIZE, N = (28, 28), 784
MODELS = {
    "PixelCNN, h = 64, 15 blocks": lambda: PixelCNN(2, SIZE, 64, 15),
    "gated PixelCNN, 32 channels, 7 layers": lambda: GatedPixelCNN(2, SIZE, 32, 7),
    "Row LSTM, h = 16, 7 layers": lambda: PixelRowLSTM(2, SIZE, 16, 7),
    "Diagonal BiLSTM, h = 16, 7 layers": lambda: PixelDiagonalBiLSTM(2, SIZE, 16, 7),
}


def seconds(work: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """The least CPU seconds of each piece of work; they take turns."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(repetitions):
        for name, run in work.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def ours(model: SequenceModel, x: torch.Tensor) -> torch.Tensor:
    """The logits of all pixels of a picture that is drawn pixel by pixel: x is what came out."""
    found, state = [], None
    for t in range(N):
        logits, state = model(x[:, t : t + 1], state)
        found.append(logits)
    return torch.cat(found, 1)


def naive(model: SequenceModel, x: torch.Tensor, places: range) -> torch.Tensor:
    """The logits at some places, each from the whole page with zeros for what is not drawn yet."""
    found = []
    for t in places:
        page = torch.cat([x[:, : t + 1], torch.zeros_like(x[:, t + 1 :])], 1)
        found.append(model(page)[0][:, t : t + 1])
    return torch.cat(found, 1)


@torch.no_grad()
def row(name: str, pictures: int, repetitions: int) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    x = torch.cat([torch.full((pictures, 1), 2), torch.randint(2, (pictures, N - 1))], 1)
    places = range(100, N, 171)
    apart = (ours(model, x)[:, places, :2] - naive(model, x, places)[..., :2]).abs().max().item()
    assert apart < 1e-5, f"{name}: the two disagree by {apart}"
    work = {"ours": lambda: ours(model, x), "naive": lambda: naive(model, x, places)}
    took = seconds(work, repetitions)
    whole = took["naive"] * N / len(places)
    cells = f"{parameter_count(model):,} | {pictures} | {whole:.1f} | {took['ours']:.2f}"
    return f"| {name} | {cells} | {whole / took['ours']:.0f} | {apart:.0e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args().repetitions
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, CPU, one thread; CPU seconds for drawing all pictures at once\n")
    print("| model | parameters | pictures | naive, s | ours, s | ratio | logits apart |")
    print("|---|---|---|---|---|---|---|")
    for name in MODELS:
        for pictures in (1, 16):
            print(row(name, pictures, repetitions), flush=True)


if __name__ == "__main__":
    main()
