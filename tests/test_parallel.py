"""Two processes train as one does, to the end of the curve, and go on together where they stopped."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from unrolled import parallel
from unrolled.parallel import anyone, everyones, group, mine, rank, shard, share, world
from unrolled.rnn import RNN
from unrolled.train import batches, fit

SCRIPT = """
import json, os, signal, sys
import torch
from unrolled import checkpoint, parallel
from unrolled.encoder_decoder import EncoderDecoder
from unrolled.model import nll
from unrolled.pairs import pairs
from unrolled.parallel import group, rank, shard, share
from unrolled.plays import plays
from unrolled.policy import Memoryless, Policy
from unrolled.rnn import RNN
from unrolled.worlds import TMaze
from unrolled.train import NonFinite, batches, fit, gathered, streams

X = torch.randint(6, (2000,), generator=torch.Generator().manual_seed(0))
folder, results = sys.argv[1], {}

class Noisy(RNN):
    def forward(self, x, state=None):
        logits, h = super().forward(x, state)
        return torch.nn.functional.dropout(logits, 0.2, self.training), h

class Pressed(batches):
    count = 0
    def __next__(self):
        self.count += 1
        if self.count == 5 and rank() == 1:
            signal.raise_signal(signal.SIGINT)
        return super().__next__()

def curve(source, steps=12, path=None, make=RNN):
    torch.manual_seed(0)
    model = make(6, 8).double()
    torch.manual_seed(rank())
    history = fit(model, source, steps, valid=X[:200], path=path)
    return history.losses.tolist(), history.valid.tolist(), model.W_h.tolist(), history.stopped

def translated():
    # pairs of many lengths, in batches of 3 rows and fewer: few can be divided evenly
    torch.manual_seed(0)
    model = EncoderDecoder(6, 6, 8, 1, 2).double()
    rows = [X[9 * i :][: 2 + i % 3] for i in range(40)], [X[400 + 9 * i :][: 2 + i % 5] for i in range(40)]
    history = fit(model, share(pairs(*rows, batch=3)), 20, valid=next(pairs(*rows, batch=7)))
    return history.losses.tolist(), history.valid.tolist(), model.W_y.weight.tolist(), history.stopped

def played():
    torch.manual_seed(0)
    policy = Policy(Memoryless(4, 8), 3, 4)
    history = fit(policy, share(plays(policy, TMaze(2, 8))), 12)
    return [p.tolist() for p in policy.parameters()]

def changed_over():
    # the same batches for one model, then for another
    source, found = share(batches(X, 8, 4)), []
    for _ in range(2):
        torch.manual_seed(1)
        model = RNN(6, 8).double()
        fit(model, source, 3)
        found.append(model.W_h.tolist())
    return found

def spoilt(model, x):
    bits = nll(model, x)
    return bits * float("nan") if rank() == 1 and (x[0, 0] >= 0) else bits

def error(work):
    try:
        work()
    except (ValueError, NonFinite) as e:
        return str(e)

with group():
    feeds = {
        "batches": lambda: share(batches(X, 8, 4)),
        "streams": lambda: share(streams(X, 8, 4)),
        "gathered": lambda: gathered(share(batches(X, 8, 2)), 2),
        "own": lambda: share(batches(shard(X), 8, 4, seed=rank()), cut=False),
        "odd": lambda: share(batches(X, 8, 3)),
        "too few": lambda: share(streams(X, 8, 1)),
    }
    for name, feed in feeds.items():
        results[name] = curve(feed())
    results["pairs"], results["played"], results["changed"] = translated(), played(), changed_over()
    path = folder + "/x.safetensors"
    noisy = lambda steps, path=None: curve(share(streams(X, 8, 4)), steps, path, Noisy)
    noisy(7, path)
    results["resumed"], results["whole"] = noisy(20, path), noisy(20)
    if parallel.world() > 1:
        results["nan"] = error(lambda: curve(share(batches(X, 8, 4), loss=spoilt)))
        results["stopped"] = curve(share(Pressed(X, 8, 4)))[3]
        results["files"] = sorted(name for name in os.listdir(folder) if not name.endswith(".json"))
    with open(f"{folder}/{rank()}.json", "w", encoding="utf-8") as file:
        json.dump(results, file)
"""


class Noisy(RNN):
    """Of the name that the script gave its model."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each of the two processes told, and what one alone tells."""
    two, one = (tmp_path_factory.mktemp(name) for name in ("two", "one"))
    (two / "script.py").write_text(SCRIPT, encoding="utf-8")
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1",
                f"--master-port={free_port()}"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "UNROLLED_DEVICE": "cpu", "GLOO_SOCKET_IFNAME": "lo"}
    for start, folder in ((torchrun, two), ([], one)):
        command = [sys.executable, *start, two / "script.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
        assert done.returncode == 0, done.stderr
        folder.joinpath("out").write_text(done.stdout, encoding="utf-8")
    return [json.loads(path.read_text()) for path in (two / "0.json", two / "1.json", one / "0.json")] + [two]


@pytest.mark.parametrize("feed", ["batches", "streams", "gathered", "odd", "too few", "pairs"])
def test_two_processes_have_the_curve_of_one(told, feed):
    first, second, alone, _ = told
    for part in range(3):
        expected = torch.tensor(alone[feed][part], dtype=torch.float64)
        for process in (first, second):
            found = torch.tensor(process[feed][part], dtype=torch.float64)
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_processes_that_read_shards_of_their_own_still_hold_one_model(told):
    first, second, alone, _ = told
    assert first["own"] == second["own"] and first["own"][0] != alone["own"][0]


def test_two_processes_go_on_bit_for_bit_with_their_own_chance_and_carried_state(told):
    for process in told[:3]:
        assert process["resumed"] == process["whole"]


def test_one_process_writes_and_speaks(told):
    *_, folder = told
    assert told[0]["files"] == ["script.py", "x.previous.safetensors", "x.safetensors"]
    out = folder.joinpath("out").read_text()
    assert out.count("taken up again at step 7 of 20") == 1
    assert out.count("stopped by Ctrl-C after step 5 of 12") == 1


def test_what_one_process_meets_stops_all(told):
    for process in told[:2]:
        assert process["stopped"] == "interrupted"
        assert process["nan"].startswith("step 0: the loss is nan bits, and the gradient of W_x, W_h")


def test_policies_that_play_stay_one_policy(told):
    assert told[0]["played"] == told[1]["played"]


def test_the_same_batches_serve_one_model_after_another(told):
    for first, second in zip(told[0]["changed"], told[1]["changed"]):
        assert first == second
    for found, expected in zip(told[0]["changed"], told[2]["changed"]):
        torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))


def test_a_training_of_two_processes_is_not_taken_up_by_one(told):
    path = told[3] / "x.safetensors"
    with pytest.raises(ValueError, match=r"2 process\(es\) saved this training, and 1 take it up"):
        fit(Noisy(6, 8).double(), batches(torch.zeros(99, dtype=torch.long), 8, 4), 30, path=path)


def test_one_process_alone_shares_nothing():
    x = torch.arange(99) % 6
    with group():
        assert (world(), rank()) == (1, 0) and shard(x).equal(x) and anyone(True) and not anyone(False)
        torch.manual_seed(0)
        ours = fit(RNN(6, 4), share(batches(x, 8, 4)), 5).losses
    torch.manual_seed(0)
    assert ours.equal(fit(RNN(6, 4), batches(x, 8, 4), 5).losses)
    assert mine(everyones({"place": x}))["place"] is x


def test_shards_are_equal_stretches(monkeypatch):
    x, found = torch.arange(11), []
    monkeypatch.setattr(parallel, "world", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(parallel, "rank", lambda number=number: number)
        found.append(shard(x).tolist())
    assert found == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
