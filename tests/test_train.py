"""Training goes on where it stopped, stops where it breaks, and says why (R11, R14, R15, R24)."""

import itertools
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from unrolled import checkpoint
from unrolled.checkpoint import BadCheckpoint
from unrolled.model import SequenceModel, nll
from unrolled.rnn import RNN
from unrolled.train import NonFinite, batches, fit, gathered, streams, train, update

V, STEPS = 6, 60
X = torch.randint(V, (400,), generator=torch.Generator().manual_seed(0))
X = X.sort().values.view(20, 20).T.flatten()  # something can be learned: the symbols mostly ascend


class Dropped(RNN):
    """An RNN with dropout, so that chance takes part in its training."""

    def forward(self, x, state=None):
        h = self.states(x, state)
        return nn.functional.dropout(h, 0.3, self.training) @ self.W_y.T, h[:, -1]


def fresh():
    torch.manual_seed(7)
    return Dropped(V, 8)


def windows():
    return batches(X, length=8, batch=4, seed=3)


def carried():
    return streams(X, length=8, batch=4)


@pytest.fixture(params=[windows, carried], ids=["batches", "streams"])
def feed(request):
    return request.param


def curve(feed, steps=STEPS, **settings):
    model = fresh()
    return fit(model, feed(), steps, valid=X[:100], **settings), model


# ---- resume ----------------------------------------------------------------------------------------


def die_at(step, feed, path):
    """Train in this process until so many batches were drawn, then be killed."""
    source = feed()
    draw, count = type(source).__next__, itertools.count()
    type(source).__next__ = lambda self: os.kill(os.getpid(), 9) if next(count) == step else draw(self)
    fit(fresh(), source, STEPS, valid=X[:100], path=path)


@pytest.mark.skipif(sys.platform != "linux", reason="forks a process that has torch loaded")
@pytest.mark.parametrize("kills", [[17], [3, 4, 50], [59]])
def test_a_killed_training_goes_on_bit_for_bit(feed, kills, tmp_path):
    expected, model = curve(feed)
    path = tmp_path / "x.safetensors"
    for step in kills:
        child = multiprocessing.get_context("fork").Process(target=die_at, args=(step, feed, path))
        child.start()
        child.join()
        assert child.exitcode == -9
    resumed, again = curve(feed, path=path)
    assert resumed.losses.equal(expected.losses) and resumed.valid.equal(expected.valid)
    assert all(a.equal(b) for a, b in zip(model.parameters(), again.parameters()))


def half(feed, path):
    """A training that was left after half of its steps, away from any starting value."""
    fit(fresh(), feed(), STEPS // 2, valid=X[:100], path=path)


def test_resuming_says_so(tmp_path, feed, capsys):
    half(feed, tmp_path / "x")
    curve(feed, path=tmp_path / "x")
    assert "taken up again at step 30 of 60" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["model", "optimiser", "batches", "chance", "curves"])
def test_each_part_of_the_state_is_needed(part, feed, tmp_path, monkeypatch):
    expected, _ = curve(feed)
    half(feed, tmp_path / "x")
    target, name = {
        "model": (checkpoint, "fill"),
        "optimiser": (torch.optim.Adam, "load_state_dict"),
        "batches": (type(feed()), "load_state_dict"),
        "chance": (torch, "set_rng_state"),
        "curves": (torch.Tensor, "tolist"),
    }[part]
    monkeypatch.setattr(target, name, lambda *args: [])
    torch.manual_seed(7)
    resumed, _ = curve(feed, path=tmp_path / "x")
    assert not resumed.losses.equal(expected.losses)


def test_the_carried_state_is_needed(tmp_path, monkeypatch):
    expected, _ = curve(carried)
    half(carried, tmp_path / "x")
    monkeypatch.setattr(streams, "_before", lambda self, model, x: self.state)
    resumed, _ = curve(carried, path=tmp_path / "x")
    assert not resumed.losses.equal(expected.losses)


def test_plain_lists_are_walked_to_the_place(tmp_path):
    plain = list(itertools.islice(windows(), STEPS))
    expected, _ = curve(lambda: plain)
    half(lambda: plain, tmp_path / "x")
    assert curve(lambda: plain, path=tmp_path / "x")[0].losses.equal(expected.losses)


def test_a_finished_training_is_not_trained_again(tmp_path):
    first, model = curve(windows, path=tmp_path / "x")
    again, other = curve(windows, path=tmp_path / "x")
    assert again.losses.equal(first.losses) and again.stopped == "done"
    assert other.W_h.equal(model.W_h)


def test_the_file_of_a_training_gives_its_best_weights(tmp_path):
    _, model = curve(windows, path=tmp_path / "x")
    other = Dropped(V, 8)
    checkpoint.restore(tmp_path / "x", other)
    assert other.W_h.equal(model.W_h)


def test_a_path_of_something_else_is_refused(tmp_path):
    half(windows, tmp_path / "x")
    with pytest.raises(BadCheckpoint, match=r"W_x is \(8, 6\) in the file, \(9, 6\) in the model"):
        fit(Dropped(V, 9), windows(), 5, path=tmp_path / "x")
    checkpoint.save(tmp_path / "y", fresh())
    with pytest.raises(BadCheckpoint, match="it holds no training"):
        fit(fresh(), windows(), 5, path=tmp_path / "y")


@pytest.mark.parametrize("hidden", [8, 128])
def test_one_thread_or_two_give_the_same_curve_to_the_bit(hidden):
    def losses(threads):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        return fit(RNN(50, hidden), batches(X, length=16, batch=32), 15).losses

    assert losses(1).equal(losses(2))


# ---- nan and inf -----------------------------------------------------------------------------------


class Poisoned(batches):
    """Batches whose loss is spoilt at one step."""

    def loss(self, model, x):
        self.count = getattr(self, "count", -1) + 1
        return nll(model, x) * (float("nan") if self.count == 17 else 1)


@pytest.mark.parametrize("valid", [None, X[:50]])
def test_a_nan_loss_stops_at_its_step_and_keeps_good_weights(valid):
    model = fresh()
    with pytest.raises(NonFinite, match=r"step 17: the loss is nan .*One step before, .* \d\.\d+ bits") as e:
        fit(model, Poisoned(X, 8, 4), 60, valid=valid)
    assert e.value.step == 17 and 0 < e.value.last < 5
    assert all(p.isfinite().all() for p in model.parameters())
    assert nll(model.eval(), X[None]) < nll(fresh().eval(), X[None])


@pytest.mark.parametrize("parts", [1, 3])
def test_what_does_not_fit_into_memory_says_what_to_do_and_changes_nothing(parts):
    model, seen = fresh(), []

    def hungry(model, x):
        seen.append(x)
        if len(seen) == parts:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")
        return nll(model, x)

    before = [p.clone() for p in model.parameters()]
    advice = "Lower batch or length, .*`gathered`.*`precision.mixed`.* Tried to allocate 2.00 GiB.$"
    with pytest.raises(torch.OutOfMemoryError, match=advice) as caught:
        next(train(model, gathered(windows(), parts, loss=hungry)))
    assert caught.value.__context__ is None  # it would hold the graph of what was computed so far
    assert all(a.equal(b) and b.grad is None for a, b in zip(before, model.parameters()))


def test_a_plain_rate_beside_an_optimiser_is_not_passed_over():
    model = fresh()
    with pytest.raises(ValueError, match="lr is 0.1, and the optimiser has its own"):
        next(train(model, windows(), 0.1, optimiser=torch.optim.SGD(model.parameters(), 1.0)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_spoilt_gradient_is_named_by_its_parameter(bad):
    model, count = fresh(), itertools.count()
    model.W_h.register_hook(lambda g: g * bad if next(count) == 5 else g)
    with pytest.raises(NonFinite, match="step 5: .* the gradient of W_h is nan or inf") as e:
        list(itertools.islice(train(model, windows()), 20))
    assert e.value.names == ["W_h"] and e.value.last is not None


def test_a_spoilt_step_changes_nothing():
    model = fresh()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(NonFinite):
        update(model, next(windows()), torch.optim.Adam(model.parameters()), loss=lambda m, x: nll(m, x) / 0)
    assert all(a.equal(b) for a, b in zip(before, model.parameters()))


def test_after_a_resume_the_step_is_counted_from_the_very_start(tmp_path):
    half(windows, tmp_path / "x")
    with pytest.raises(NonFinite, match="step 47: .*One step before") as e:
        fit(fresh(), Poisoned(X, 8, 4), 60, path=tmp_path / "x")
    assert e.value.step == 47


def test_an_absurd_learning_rate_does_not_spoil_the_weights():
    model = fresh()
    start = nll(model.eval(), X[None, :100]).item()
    history = fit(model, windows(), 40, valid=X[:100], lr=1e6)
    assert history.losses[-1] > 100
    assert nll(model.eval(), X[None, :100]).item() == pytest.approx(start)


# ---- Ctrl-C ----------------------------------------------------------------------------------------


class Pressed(batches):
    """Batches during which somebody presses Ctrl-C."""

    times, step, count = 1, 12, -1

    def __next__(self):
        self.count += 1
        for _ in range(self.times if self.count == self.step else 0):
            signal.raise_signal(signal.SIGINT)
        return super().__next__()


def test_ctrl_c_ends_normally_after_the_step_under_way(tmp_path, capsys):
    history = fit(fresh(), Pressed(X, 8, 4), STEPS, path=tmp_path / "x")
    assert history.stopped == "interrupted" and len(history.losses) == 13
    assert "stopped by Ctrl-C after step 13 of 60" in capsys.readouterr().out


def test_after_ctrl_c_the_training_goes_on_bit_for_bit(tmp_path):
    fit(fresh(), Pressed(X, 8, 4, seed=3), STEPS, valid=X[:100], path=tmp_path / "x")
    assert curve(windows, path=tmp_path / "x")[0].losses.equal(curve(windows)[0].losses)


def test_ctrl_c_leaves_the_best_weights():
    model = fresh()
    history = fit(model, Pressed(X, 8, 4), STEPS, valid=X[:100], lr=1.0)
    assert nll(model.eval(), X[None, :100]).item() == pytest.approx(history.valid[:, 1].min().item())


def test_a_second_ctrl_c_stops_at_once_and_the_next_one_is_python_s_own():
    before = signal.getsignal(signal.SIGINT)
    source = Pressed(X, 8, 4)
    source.times = 2
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(), source, STEPS)
    assert source.count == 12 and signal.getsignal(signal.SIGINT) is before


ENDLESS = """
import sys, torch
from unrolled.rnn import RNN
from unrolled.train import batches, fit
class Told(batches):
    def __next__(self):
        print("step", flush=True)
        return super().__next__()
x = torch.arange(200) % 6
history = fit(RNN(6, 8), Told(x, 8, 4), 10**6, valid=x, path=sys.argv[1])
print("after:", history.stopped, len(history.losses))
"""


def test_a_process_that_gets_ctrl_c_at_a_random_time_goes_on_with_its_next_line(tmp_path):
    command = [sys.executable, "-c", ENDLESS, tmp_path / "x"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    time.sleep(random.Random(1).uniform(0, 0.2))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    steps = int(re.search(r"after: interrupted (\d+)", out).group(1))
    assert process.returncode == 0
    assert checkpoint.read(tmp_path / "x")[0]["curves/losses"].numel() == steps


def test_a_cell_that_gets_ctrl_c_ends_normally_and_the_next_cell_runs(tmp_path):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(extra_arguments=["--HistoryManager.enabled=False"])
    try:
        client.execute(ENDLESS.replace("sys.argv[1]", repr(str(tmp_path / "x"))))
        while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":  # until the first step is told
            pass
        manager.interrupt_kernel()
        first = client.get_shell_msg(timeout=60)["content"]["status"]
        reply = client.execute_interactive("assert history.stopped == 'interrupted'", timeout=60)
        assert first == reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# ---- the loop itself -------------------------------------------------------------------------------


def test_a_step_is_adam_on_the_clipped_gradient():
    ours, theirs, x = fresh().eval(), fresh().eval(), next(windows())
    adam = torch.optim.Adam(theirs.parameters(), 0.01)
    bits, norm = update(ours, x, torch.optim.Adam(ours.parameters(), 0.01), clip=0.1)
    loss = nll(theirs, x)
    loss.backward()
    assert norm == pytest.approx(nn.utils.clip_grad_norm_(theirs.parameters(), 0.1).item())
    adam.step()
    assert bits == loss.item() and norm > 0.1
    for a, b in zip(ours.parameters(), theirs.parameters()):
        assert_close(a, b)


def test_train_tells_each_step_and_takes_no_batch_too_many():
    source = windows()
    steps = list(itertools.islice(train(fresh(), source), 5))
    again = windows()
    for _ in range(5):
        next(again)
    assert [s.index for s in steps] == list(range(5)) and next(source).equal(next(again))
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(steps))


def test_training_comes_close_to_the_floor():
    x = torch.arange(300) % V
    model = RNN(V, 16)
    fit(model, batches(x, 16, 8), 150, lr=1e-2)
    assert nll(model, x[None, :50]) < 0.1


def test_the_best_weights_are_kept_and_not_the_last():
    model = fresh()
    history = fit(model, windows(), STEPS, valid=X[:100], lr=0.5)
    best, last = history.valid[:, 1].min().item(), history.valid[-1, 1].item()
    assert nll(model.eval(), X[None, :100]).item() == pytest.approx(best) and best < last


def test_batches_may_end():
    history = fit(fresh(), [next(windows())] * 3, 10)
    assert history.stopped == "no more batches" and len(history.losses) == 3


def test_a_history_says_the_essentials():
    history, _ = curve(windows)
    pattern = r"60 steps \(done\), last loss \d\.\d{3} bits, best validation \d\.\d{3} bits"
    assert re.fullmatch(pattern, repr(history))


def test_a_model_without_parameters_is_named():
    class Fixed(SequenceModel):
        pass

    with pytest.raises(ValueError, match="Fixed has no parameters"):
        next(train(Fixed(), windows()))


def test_a_bar_is_shown_where_a_person_watches_and_nowhere_else(monkeypatch, capsys):
    fit(fresh(), windows(), 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("UNROLLED_PROGRESS", "1")
    fit(fresh(), windows(), 2)
    assert "2/2" in capsys.readouterr().err


# ---- batches ---------------------------------------------------------------------------------------


def test_windows_are_pieces_of_the_text_from_everywhere_in_it():
    x = torch.arange(30)
    starts = set()
    for piece in itertools.islice(batches(x, length=9, batch=16), 30):
        assert piece.shape == (16, 10) and piece.diff().eq(1).all()
        starts |= set(piece[:, 0].tolist())
    assert starts == set(range(21))


def test_the_same_seed_gives_the_same_windows_and_another_seed_others():
    a, b, c = (next(batches(X, seed=seed)) for seed in (1, 1, 2))
    assert a.equal(b) and not a.equal(c)


def test_streams_go_on_where_they_stopped_until_the_text_ends():
    source = streams(torch.arange(40), length=4, batch=2)
    firsts = [next(source)[:, 0].tolist() for _ in range(6)]
    assert firsts == [[0, 20], [4, 24], [8, 28], [12, 32], [0, 20], [4, 24]]


def test_carried_losses_are_those_of_the_whole_text():
    model, source = RNN(V, 8).double(), streams(X[:129], length=16, batch=1)
    pieces = [source.loss(model, next(source)) for _ in range(8)]
    assert_close(torch.stack(pieces).mean(), nll(model, X[None, :129]))


def test_carried_state_brings_no_gradient_from_the_piece_before():
    model, source = RNN(V, 8), carried()
    source.loss(model, next(source))
    assert source.state.abs().sum() > 0 and not source.state.requires_grad


@pytest.mark.parametrize("make", [batches, streams])
def test_a_text_that_is_too_short_is_named(make):
    with pytest.raises(ValueError, match="x has 9 tokens, and these batches need"):
        make(torch.arange(9), length=9, batch=1)
    with pytest.raises(ValueError, match="length is 0"):
        make(torch.arange(9), length=0)
