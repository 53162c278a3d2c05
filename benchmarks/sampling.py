"""Writing with a transformer: `python benchmarks/sampling.py`, about a minute.

One text of 255 symbols after a first one, by GPT-2's architecture with 6 layers of 384 and 256 positions. The
same random weights are in all contenders: `transformers`' generate, our model with its state, our fast
writer, and our model without a state, which reads everything again for each symbol.

Rules: CPU seconds of this process, one thread, the least of five repetitions in which the contenders take
turns. Before, all contenders are checked to give the same logits.
"""

import math
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch and numpy are loaded, so before them

import torch  # noqa: E402
from unrolled.generate import generate, greedy, sample  # noqa: E402
from unrolled.pretrained import from_gpt2  # noqa: E402
from unrolled.transformer import Transformer  # noqa: E402
from unrolled.transformer_fast import fast_generate  # noqa: E402

V, WIDTH, LAYERS, HEADS, CONTEXT = 65, 384, 6, 6, 256
START = torch.zeros(1, 1, dtype=torch.long)


def race(contenders: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """CPU seconds of each contender: the least of several rounds in which they take turns."""
    best = dict.fromkeys(contenders, math.inf)
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def peer() -> torch.nn.Module | None:
    """GPT-2 of `transformers` with random weights; None where it is not installed."""
    if find_spec("transformers") is None:
        return None
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    config = GPT2Config(
        vocab_size=V, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@torch.no_grad()
def without_state(model: Transformer, steps: int) -> torch.Tensor:
    """As `generate`, but all that was written is read again for each symbol."""
    x = START
    for _ in range(steps):
        x = torch.cat([x, sample(model(x)[0][:, -1])[:, None]], 1)
    return x


@torch.no_grad()
def agree(model: Transformer, theirs: torch.nn.Module | None) -> None:
    """Stop unless all contenders say the same."""
    text = generate(model, START, 60, greedy)
    assert fast_generate(model, START, 60, 0).equal(text)
    if theirs is not None:
        torch.testing.assert_close(model(text)[0], theirs(text).logits, rtol=0, atol=1e-4)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs, steps = peer(), CONTEXT - 1
    model = from_gpt2(theirs.state_dict(), HEADS) if theirs else Transformer(V, WIDTH, LAYERS, HEADS, CONTEXT)
    agree(model.eval(), theirs)
    settings = dict(max_new_tokens=steps, min_new_tokens=steps, do_sample=True, top_k=0, pad_token_id=0)
    contenders = {
        "ours, with its state": lambda: generate(model, START, steps),
        "ours, fast writer": lambda: fast_generate(model, START, steps),
        "ours, without a state": lambda: without_state(model, steps),
    }
    name = f"transformers {version('transformers')}, with its cache" if theirs else "transformers (missing)"
    if theirs:
        contenders = {name: lambda: theirs.generate(START, **settings)} | contenders
    seconds = race(contenders)
    print(f"| {steps} symbols, {LAYERS} x {WIDTH} | symbols/s | x transformers | x ours without a state |")
    print("|---|---|---|---|")
    for contender, took in seconds.items():
        beside = f"{seconds[name] / took:.2f}" if theirs else "not run"
        without = seconds["ours, without a state"] / took
        print(f"| {contender} | {steps / took:,.0f} | {beside} | {without:.2f} |")


if __name__ == "__main__":
    main()
