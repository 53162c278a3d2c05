"""The walkers of the maze: a training that grows and goes on, and the policies of the book (A1)."""

import json

import pytest
import torch
from unrolled import checkpoint, records
from unrolled.policy import Policy
from unrolled.trainings import maze
from unrolled.worlds import TMaze


def given(*words):
    return maze.arguments(["--hidden", "16", "--batch", "32", "--seconds", "30", *map(str, words)])


@pytest.fixture(scope="module")
def book():
    """The policies that the book carries, and the facts of their training."""
    return maze.trained()


def test_a_short_training_grows_its_corridor_and_solves_it(tmp_path):
    out = tmp_path / "maze.json"
    r = maze.main(["--hidden", "16", "--length", "12", "--seconds", "30", "--out", str(out)])
    assert r["solved"] and r["mean_return"] >= maze.SOLVED and r["reached"] == 12
    assert [length for length, *_ in r["course"]] == [10]  # the only shorter corridor it had to master
    assert json.loads(out.read_text()) == r and {"device", "date", "seed", "torch", "command"} <= set(r)


def test_time_is_over_when_it_is_over():
    _, r = maze.train(given("--length", 12, "--core", "none", "--seconds", 0.2))
    assert not r["solved"] and r["mean_return"] is None and r["reached"] == 10


def test_a_training_that_was_stopped_goes_on_where_it_was(tmp_path):
    place = tmp_path / "run.safetensors"
    _, first = maze.train(given("--length", 12, "--seconds", 0.3, "--save", place))
    _, then = maze.train(given("--length", 12, "--save", place))
    assert then["updates"] > first["updates"] > 0 and then["frames"] > first["frames"]
    assert then["used_seconds"] >= first["used_seconds"] and then["solved"]
    with pytest.raises(checkpoint.BadCheckpoint, match="another length"):
        maze.train(given("--length", 13, "--save", place))


@pytest.mark.parametrize("core", maze.CORES)
def test_every_core_makes_a_policy_that_can_walk(core):
    policy = maze.fresh(core, 8, 5)
    assert isinstance(policy, Policy) and -2.5 <= maze.mean_return(policy, 5, n=20) <= 1


@pytest.mark.claim("A1")
@pytest.mark.parametrize("length", [1, 2, 7, 30, 100])
def test_the_walker_of_the_book_knows_the_way_and_the_memoryless_one_half_of_it(book, length):
    walkers, _ = book
    for cue in 0, 1:
        paid = {name: walk(policy, length, cue) for name, policy in walkers.items()}
        assert paid["gru"] == pytest.approx(1)
    one, other = (walk(walkers["none"], length, cue) for cue in (0, 1))
    assert one + other == pytest.approx(1)


@torch.no_grad()
def walk(policy, length, cue):
    world, state, paid = TMaze(length), None, 0.0
    x, _ = world.reset(options={"cue": torch.tensor([cue])})
    while not world.over.all():
        logits, state = policy(x[:, None], state)
        x, reward, *_ = world.step(logits[:, -1].argmax(-1))
        paid += reward.item()
    return paid


def test_the_walkers_are_small_and_say_what_they_cost(book):
    walkers, facts = book
    assert maze.TRAINED.stat().st_size <= 300_000 and set(walkers) == set(maze.KEPT)
    assert {"command", "date", "device", "seed", "length", "hidden", "torch"} <= set(facts)
    for name, policy in walkers.items():
        assert facts[name]["parameters"] == sum(p.numel() for p in policy.parameters())
        assert facts[name]["used_seconds"] < 180


def test_the_record_says_what_the_walkers_are_paid(book):
    walkers, _ = book
    record = records.show("maze_by_length")
    for row in record.rows:
        if row[0] in walkers:
            paid = dict(zip(record.columns, row))
            assert maze.mean_return(walkers[row[0]], 100) == pytest.approx(paid["100"], abs=1e-3)


def test_a_table_trains_all_cores_and_keeps_two(tmp_path, capsys):
    a = given("--length", 3, "--seconds", 0.3, "--table", "--out", tmp_path / "w.safetensors")
    rows = maze.table(a, lengths=(2,))
    walkers, facts = maze.trained(tmp_path / "w.safetensors")
    assert [row[0] for row in rows] == list(maze.CORES) and all(len(row) == 5 for row in rows)
    assert maze.mean_return(walkers["gru"], 2) == pytest.approx(rows[0][-1], abs=1e-3)
    assert facts["length"] == 3 and "none" in capsys.readouterr().out
