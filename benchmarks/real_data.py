"""Real sentences and real voices in an hour of one processor core: `python benchmarks/real_data.py`

    python benchmarks/real_data.py tatoeba     two translators, English to French, on Tatoeba's sentences
    python benchmarks/real_data.py spoken      a WaveNet on the Free Spoken Digit Dataset

Both are the named trainings `unrolled.trainings.translate` and `.speech`, which were made for a GPU, with
sizes and numbers of updates that a processor can bear. What comes out goes into the records that chapters 10
and 12 show.
Needs the data (`unrolled.data`), and sacrebleu for the translations.
"""

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, so before it

import torch  # noqa: E402
from unrolled import audio, records  # noqa: E402
from unrolled.trainings import speech, translate  # noqa: E402

COMMAND = "python benchmarks/real_data.py"
TRANSLATORS = {  # what --model asks for, and its size
    "LSTMs with attention": "--model attention --hidden 192 --layers 1 --dropout 0.1 --lr 3e-3",
    "transformer": "--model transformer --hidden 192 --layers 3 --lr 1e-3",
}
SENTENCES = "--merges 4000 --batch 64 --test 500 --beam 5 --mixed"
VOICE = "--residual 32 --skip 96 --layers 10 --stacks 1 --length 2048 --batch 8 --mixed --lr 4e-3"


def translators(seed: int, steps: int) -> list[list]:
    """A row for each translator: cost, BLEU and chrF by beam search, and the share right to the last word."""
    rows = []
    for name, size in TRANSLATORS.items():
        asked = f"{size} {SENTENCES} --steps {steps} --seed {seed}"
        found = translate.train(translate.arguments(asked.split()))
        greedy, beam = found["test_greedy"], found["test_beam"]
        rows.append([name, steps, found["cpu_seconds"], found["parameters"], round(greedy["bleu"], 1),
                     round(beam["bleu"], 1), round(beam["chrf"], 1), round(beam["right"], 3)])  # fmt: skip
        print(*rows[-1], flush=True)
        for english, french in found["test_samples"]:
            print(f"    {english} | {french}", flush=True)
    return rows


def voices(seed: int, steps: int) -> list[list]:
    """A row for the network, and one for what knows only how often each level occurs."""
    start = time.process_time()
    model, found = speech.train(speech.arguments(f"{VOICE} --steps {steps} --seed {seed}".split()))
    cost, sees = round(time.process_time() - start, 1), 1000 * found["receptive_field"] / audio.RATE
    row = ["WaveNet", steps, cost, found["parameters"], round(sees), round(found["test_bits"], 3)]
    row.append(round(found["test_bits_told_another_digit"], 3))
    levels = ["how often each level occurs", "–", "–", 256, 0, round(found["histogram_bits"], 3)]
    return [row, [*levels, levels[-1]]]


def tatoeba(seed: int, steps: int) -> records.Record:
    title = "English to French on Tatoeba: 500 test sentences, all translations of each as references"
    columns = ["model", "steps", "CPU s", "weights learned", "BLEU, greedy", "BLEU, beam of 5", "chrF",
               "right to the last word"]  # fmt: skip
    return records.make(
        "tatoeba", title, columns, lambda s: translators(s, steps), f"{COMMAND} tatoeba", seed
    )


def spoken(seed: int, steps: int) -> records.Record:
    title = "Spoken digits at 8,000 samples a second: bits per sample on takes never heard"
    columns = ["model", "steps", "CPU s", "numbers learned", "sees, ms", "bits per sample",
               "told another digit"]  # fmt: skip
    return records.make(
        "spoken_digits", title, columns, lambda s: voices(s, steps), f"{COMMAND} spoken", seed
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("tatoeba", "spoken"), nargs="*", help="both, if nothing is said")
    parser.add_argument("--steps", type=int, default=4000, help="updates of each (default: 4000)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.what or ("tatoeba", "spoken"):
        print({"tatoeba": tatoeba, "spoken": spoken}[name](given.seed, given.steps), flush=True)
