"""`python -m unrolled.train`: any model on any text, resumed, logged, saved with its vocabulary, sampled."""

import json
import os
import subprocess
import sys

import pytest
import torch
from test_data import MIRROR, needs_mirror
from unrolled import checkpoint, command, stories
from unrolled.checkpoint import BadCheckpoint
from unrolled.command import MODELS, build, main, settings
from unrolled.evaluate import evaluate
from unrolled.fetch import DataError
from unrolled.log import LoggedRun
from unrolled.rnn import RNN
from unrolled.texts import read
from unrolled.train import batches, follow

SMALL = ["--batch", "4", "--length", "8", "--steps", "4", "--sample", "12"]
SETTINGS = {
    "ngram": ["n=3"], "bag": ["hidden=8"], "rnn": ["hidden=8"], "lstm": ["hidden=8"], "gru": ["hidden=8"],
    "ssm": ["hidden=8", "layers=1"], "wavenet": ["residual=8", "skip=8", "dilations=(1,2)"],
    "transformer": ["width=8", "layers=1", "heads=2", "context=8"],
}  # fmt: skip


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(stories.text(30), encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNROLLED_DEVICE", raising=False)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_by_name_is_saved_with_its_vocabulary_and_writes(name, book, tmp_path, capsys):
    main([name, book, "--set", *SETTINGS[name], *SMALL, "--path", "m.safetensors", "--prompt", "Tim"])
    out = capsys.readouterr().out
    assert "bits per token" in out and len(out[out.rindex("\nTim") + 1 :].rstrip("\n")) >= 8
    tensors, facts = checkpoint.load("m.safetensors")
    model = build(facts["room"], len(facts["vocab"]), facts["settings"])
    checkpoint.restore("m.safetensors", model)
    text = read(book)
    window = None if name == "ngram" else 8
    assert evaluate(model.eval(), text.valid, window=window).bits == pytest.approx(facts["bits"])
    assert facts["vocab"] == text.vocab


def test_the_shell_reaches_it_and_one_word_says_what_is_wrong(book):
    def run(*arguments):
        command = [sys.executable, "-m", "unrolled.train", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    done = run("rnn", book, "--set", "hidden=8", *SMALL)
    assert done.returncode == 0 and "4 steps (done)" in done.stdout and done.stderr == ""
    wrong = run("rnn", book, "--set", "hidden=wide")
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr
    assert "rnn takes hidden: int, bias: bool = True" in wrong.stderr


@pytest.mark.parametrize(("arguments", "says"), [
    (["--set", "hidden"], "--set hidden: expected NAME=VALUE"),
    (["--set", "hidden=8", "depth=2"], "unexpected keyword argument 'depth'; rnn takes hidden"),
    (["--set", "hidden=8", "--valid", "1"], "share is 1.0"),
    (["--set", "hidden=8", "--prompt", "\u20ac"], "unknown symbol '\u20ac'"),
    (["--set", "hidden=8", "--prompt", ""], "--prompt has 0 symbols: expected at least 1"),
    (["--set", "hidden=8", "--lr", "0"], "--lr is 0.0: expected more than 0"),
    (["--set", "hidden=8", "--lr", "nan"], "--lr is nan: expected more than 0"),
    (["--set", "hidden=8", "--lr", "1e30"], "Try a smaller lr"),
    (["--set", "hidden=8", "--threads", "0"], "--threads is 0: it takes at least 1"),
    (["--set", "hidden=8", "--batch", "9999"], None),
    (["--set", "hidden=8", "--schedule", "cosine", "--warmup", "99"], "warmup is 99 of 4 steps"),
])
def test_bad_arguments_end_with_one_line(arguments, says, book):
    if says is None:  # nothing is wrong with large batches of windows
        return main(["rnn", book, *SMALL, *arguments, "--steps", "1"])
    with pytest.raises(SystemExit) as stopped:
        main(["rnn", book, *SMALL, *arguments])
    assert says in str(stopped.value) and "\n" not in str(stopped.value)


def test_a_text_too_short_to_be_parted_is_named(tmp_path):
    (tmp_path / "short").write_text("hello", encoding="utf-8")
    with pytest.raises(SystemExit, match="a text of 5 symbols gives 5 to train on and 0 to validate on"):
        main(["rnn", "short", "--set", "hidden=8"])


def test_data_that_cannot_be_had_end_with_one_line(monkeypatch):
    def none(*given):
        raise DataError("it cannot be had")

    monkeypatch.setattr(command, "read", none)
    with pytest.raises(SystemExit, match="unrolled.train: it cannot be had"):
        main(["rnn", "tinyshakespeare", "--set", "hidden=8"])


def test_a_prompt_that_the_model_cannot_read_is_told_before_the_training(book, monkeypatch):
    monkeypatch.setattr(command, "learn", lambda *given: pytest.fail("it trained first"))
    given = ["transformer", book, "--set", *SETTINGS["transformer"], *SMALL]
    with pytest.raises(SystemExit, match="--prompt has 9 symbols: expected 1 to 8, which is what the model"):
        main([*given, "--prompt", "Tim " * 2 + "T"])


def test_a_model_is_saved_before_it_is_measured(book, monkeypatch):
    monkeypatch.setattr(command, "evaluate", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["rnn", book, "--set", "hidden=8", *SMALL, "--path", "m.safetensors"])
    assert checkpoint.load("m.safetensors")[1]["vocab"] == read(book).vocab


@pytest.mark.parametrize(("more", "threads"), [([], "1 thread"), (["--threads", "2"], "2 thread")])
def test_the_shell_loads_no_plots_and_says_how_many_threads_it_takes(book, more, threads):
    script = ("import sys, torch\nfrom unrolled.command import main\nmain(sys.argv[1:])\n"
              "assert 'matplotlib' not in sys.modules")
    given = ["rnn", book, "--set", "hidden=8", *SMALL, *more]
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", script, *given], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert threads in done.stdout.splitlines()[0]


def test_an_unknown_data_set_is_answered_with_those_there_are():
    with pytest.raises(SystemExit, match="the data sets are .*tinyshakespeare"):
        main(["rnn", "nothing", "--set", "hidden=8"])


def test_values_are_python_s_and_words():
    assert settings(["a=1", "b=0.5", "c=True", "d=rotary", "e=(1,2)"]) == {
        "a": 1, "b": 0.5, "c": True, "d": "rotary", "e": (1, 2)}  # fmt: skip


# ---- resume and log

ALL = ["--carry", "--gather", "2", "--optimiser", "muon", "--schedule", "cosine", "--warmup", "3", "--mixed"]


def lines(path="log.jsonl"):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def without_time(log):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in log]


@pytest.mark.parametrize("options", [[], ALL], ids=["plain", "with everything"])
def test_a_training_cut_short_goes_on_bit_for_bit_and_so_does_its_log(options, book, monkeypatch, capsys):
    given = ["gru", book, "--set", "hidden=8", "dropout=0.1", "layers=2", *SMALL, "--steps", "30", *options]
    main([*given, "--path", "whole.safetensors", "--jsonl", "whole.jsonl"])
    take, taken = LoggedRun.note, []

    def killed(self, *step):
        taken.append(step)
        if len(taken) == 18:
            raise RuntimeError("killed")
        take(self, *step)

    monkeypatch.setattr(LoggedRun, "note", killed)
    with pytest.raises(RuntimeError):
        main([*given, "--path", "m.safetensors", "--jsonl", "log.jsonl"])
    monkeypatch.setattr(LoggedRun, "note", take)
    main([*given, "--path", "m.safetensors", "--jsonl", "log.jsonl"])
    assert "taken up again at step 17 of 30" in capsys.readouterr().out
    assert without_time(lines()) == without_time(lines("whole.jsonl"))
    a, b = (checkpoint.load(name)[0] for name in ("m.safetensors", "whole.safetensors"))
    assert all(a[k].equal(b[k]) for k in a)


def test_the_log_tells_every_step_and_every_validation(book):
    main(["rnn", book, "--set", "hidden=8", *SMALL, "--steps", "40", "--jsonl", "log.jsonl"])
    log = lines()
    assert [line["step"] for line in log if "bits" in line] == list(range(1, 41))
    assert [line["step"] for line in log if "valid" in line] == list(range(0, 41, 2))
    assert log[-1]["valid"] < log[0]["valid"] and all(line["seconds"] >= 0 for line in log)


def test_a_line_that_a_kill_cut_short_leaves_the_log(book):
    def run(steps):
        x = torch.arange(300) % 6
        follow(LoggedRun(RNN(6, 4), batches(x, 8, 4), x, 1e-3, log), steps, "t.safetensors")

    log = command.Path("log.jsonl")
    run(3)
    with open(log, "a", encoding="utf-8") as file:
        file.write('{"step": 4, "bits": 2.1}\n{"step": 5, "bi')
    run(6)
    assert [line["step"] for line in lines() if "bits" in line] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("changed", [["--lr", "0.1"], ["--batch", "8"], ["--carry"], ["--set", "hidden=9"],
                                     ["--file", "other"]])
def test_a_training_is_not_taken_up_with_other_settings(changed, book):
    given = ["rnn", book, "--set", "hidden=8", *SMALL, "--path", "m.safetensors"]
    main(given)
    with pytest.raises(SystemExit, match="it was begun with another --(lr|batch|carry|set|file)"):
        main([*given, *changed])


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_schedule_that_hangs_on_the_steps_is_not_taken_up_with_more_of_them(schedule, book):
    given = ["rnn", book, "--set", "hidden=8", *SMALL, "--schedule", schedule, "--path", "m.safetensors"]
    main(given)
    if schedule == "constant":
        return main([*given, "--steps", "6"])
    with pytest.raises(SystemExit, match=r"begun with another --steps \(4\)"):
        main([*given, "--steps", "6"])


def test_a_training_of_another_text_is_not_taken_up(book, tmp_path):
    x = torch.arange(300) % 6

    def run(fact):
        made = LoggedRun(RNN(6, 4), batches(x, 8, 4), x, 1e-3)
        made.facts = {"vocab": fact}
        follow(made, 2, "t.safetensors")

    run("abc")
    with pytest.raises(BadCheckpoint, match=r"begun with another vocab \(abc\)"):
        run("abd")


# ---- texts

def test_a_text_on_disk_trains_as_one_in_memory(book, capsys):
    def told(*more):
        main(["rnn", book, "--set", "hidden=8", *SMALL, *more])
        return capsys.readouterr().out

    assert told() == told("--ids", "ids.npy") == told("--ids", "ids.npy")  # written, then found


def test_ids_of_another_text_or_kind_are_not_taken(book, tmp_path):
    ids, book = tmp_path / "ids.npy", command.Path(book)
    x = read(str(book), ids=ids).train
    other, moved = tmp_path / "other.txt", tmp_path / "moved.txt"
    other.write_text(book.read_text(encoding="utf-8")[::-1], encoding="utf-8")
    for name, kind in ((other, "chars"), (book, "words")):
        with pytest.raises(ValueError, match="delete it, or choose another --ids"):
            read(str(name), kind, ids=ids)
    assert read(str(book.rename(moved)), ids=ids).train.equal(x)  # the same text elsewhere is the same text
    ids.with_suffix(".source.json").unlink()
    with pytest.raises(ValueError, match="ids.npy was not made from the chars of .*moved.txt as it is now"):
        read(str(moved), ids=ids)


def test_stories_are_measured_against_their_floor():
    text = read("stories", "words")
    assert 0.5 < text.floor < 3 and text.vocab.kind == "words" and len(text.valid) < len(text.train) / 5


@pytest.mark.realdata
@needs_mirror
def test_a_data_set_is_found_by_name(monkeypatch):
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    text = read("tinyshakespeare")
    assert (len(text.train), len(text.valid), len(text.vocab)) == (1003855, 111539, 65)


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_a_share_that_leaves_nothing_is_named(share, book):
    with pytest.raises(ValueError, match="share is"):
        read(book, share=share)


def test_a_bar_is_shown_where_a_person_watches(book, monkeypatch, capsys):
    monkeypatch.setenv("UNROLLED_PROGRESS", "1")
    main(["rnn", book, "--set", "hidden=8", *SMALL])
    assert "4/4" in capsys.readouterr().err
