"""How many small faults in a room do its tests notice? `python benchmarks/mutants.py lstm gru`

mutmut makes the faults, one at a time (a plus for a minus, a 1 for a 2, a missing argument), and runs those
tests of the room that come by the changed line. The score is the share of faults that some test noticed. A
survivor is a gap in the tests, or a change that changes nothing; `--show` prints them.

mutmut (in requirements-benchmarks.txt) expects the package below src/, so it works on a copy, in a temporary
folder that is kept when `--keep` names it: then a second run tests only what has changed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {  # a room: the tests that are about it, and its models' names in the test of the law
    "attention": (["test_attention.py", "test_transformer.py"], "transformer"),
    "beam": (["test_beam.py"], None),
    "bptt": (["test_bptt.py"], None),
    "counts": (["test_counts.py", "test_ngram.py"], None),
    "generate": (["test_generate.py"], None),
    "gru": (["test_gru.py", "test_layers.py"], "gru"),
    "layers": (["test_layers.py", "test_lstm.py", "test_gru.py"], "lstm"),
    "lstm": (["test_lstm.py", "test_layers.py"], "lstm"),
    "memory": (["test_memory.py", "test_tasks.py"], None),
    "mixture": (["test_mixture.py"], "mixture"),
    "ngram": (["test_ngram.py", "test_counts.py"], "gram"),
    "pixelcnn": (["test_pixelrnn.py"], "pixelcnn"),
    "pixelrnn": (["test_pixelrnn.py"], "bilstm or spiral"),
    "policy": (["test_policy.py"], "policy"),
    "rnn": (["test_rnn.py"], "rnn"),
    "scan": (["test_ssm.py"], None),
    "seq2seq": (["test_seq2seq.py"], None),
    "ssm": (["test_ssm.py"], "mingru or diagonal"),
    "transformer": (["test_transformer.py", "test_attention.py"], "transformer"),
    "wavenet": (["test_wavenet.py"], "wavenet"),
}
CONFIG = """
[tool.pytest.ini_options]
markers = ["claim(*ids)", "gpu", "page", "realdata", "slow"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/unrolled/{room}.py"]
pytest_add_cli_args = ["-m", "not page and not slow", "-k", "not test_law or {law}"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
"""
NOTICED = {"killed", "timeout", "segfault", "suspicious"}


def prepare(place: Path, room: str) -> None:
    """Copy the library and the tests of the room, and write the settings."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name, target in {"lib/unrolled": "src/unrolled", "tests": "tests"}.items():
        shutil.copytree(ROOT / name, place / target, dirs_exist_ok=True, ignore=ignored)
    files, law = ROOMS[room]
    tests = json.dumps([f"tests/{name}" for name in [*files, *(["test_law.py"] if law else [])]])
    config = CONFIG.format(room=room, tests=tests, law=law or "nothing")
    (place / "pyproject.toml").write_text(config, encoding="utf-8")


def score(room: str, place: Path, processes: int, show: bool) -> tuple[int, int]:
    """How many faults of the room were noticed, and of how many."""
    prepare(place, room)
    mutmut = [sys.executable, "-m", "mutmut"]
    ran = subprocess.run([*mutmut, "run", "--max-children", str(processes)], cwd=place, text=True,
                         stdin=subprocess.DEVNULL, capture_output=True)
    if ran.returncode:
        raise SystemExit(f"mutmut failed on {room}:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    told = subprocess.run([*mutmut, "results", "--all", "true"], cwd=place, capture_output=True, text=True)
    lines = [line.strip() for line in told.stdout.splitlines() if f"unrolled.{room}." in line]
    fates = dict(line.rsplit(": ", 1) for line in lines)
    if not fates:
        raise SystemExit(f"mutmut made no fault in {room}:\n{ran.stdout[-3000:]}")
    for name, fate in fates.items():
        if show and fate not in NOTICED:
            print(fate, name)
            print(subprocess.run([*mutmut, "show", name], cwd=place, capture_output=True, text=True).stdout)
    counted = Counter(fates.values())
    return sum(counted[fate] for fate in NOTICED), len(fates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rooms", nargs="+", choices=ROOMS, metavar="room", help=", ".join(ROOMS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print the faults that no test noticed")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="go on from what is there")
    options = parser.parse_args()
    print("| room | faults | noticed | share |\n|---|---|---|---|", flush=True)
    noticed = total = 0
    for room in options.rooms:
        with tempfile.TemporaryDirectory() as folder:
            place = options.keep / room if options.keep else Path(folder)
            place.mkdir(parents=True, exist_ok=True)
            caught, made = score(room, place, options.processes, options.show)
        print(f"| {room} | {made} | {caught} | {caught / made:.0%} |", flush=True)
        noticed, total = noticed + caught, total + made
    print(f"| all | {total} | {noticed} | {noticed / total:.0%} |")


if __name__ == "__main__":
    main()
