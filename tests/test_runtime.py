"""A session starts repeatably, and picks a device that computes what the CPU computes (R34)."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from unrolled import runtime


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("UNROLLED_DEVICE", "UNROLLED_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    runtime._mps_agrees.cache_clear()
    yield
    runtime._mps_agrees.cache_clear()


def draws():
    return torch.rand(1).item(), np.random.rand(), random.random()


def test_start_seeds_every_source_of_chance():
    runtime.start(seed=5)
    first = draws()
    runtime.start(seed=5)
    assert draws() == first
    runtime.start(seed=6)
    assert all(a != b for a, b in zip(draws(), first))


@pytest.mark.parametrize(("asked", "threads"), [(None, "1"), ("2", "2")])
def test_start_takes_one_thread_unless_the_environment_asks(asked, threads):
    code = "from unrolled import runtime; runtime.start(); import torch; print(torch.get_num_threads())"
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    env |= {} if asked is None else {"OMP_NUM_THREADS": asked}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == threads


def pretend(monkeypatch, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_without_a_gpu_the_cpu_is_used(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=False)
    assert runtime.device().type == "cpu"


def test_cuda_comes_first(monkeypatch):
    pretend(monkeypatch, cuda=True, mps=True)
    assert runtime.device().type == "cuda" and runtime.full()


def test_an_mps_that_agrees_with_the_cpu_is_used(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=True)
    monkeypatch.setattr(runtime, "_probe", lambda device: torch.ones(3))
    assert runtime.device().type == "mps" and not runtime.full()


def wrong(device):
    return torch.ones(3) if device == "cpu" else torch.tensor([1.0, 1.01, 1.0])


def missing(device):
    raise NotImplementedError("no such operator on MPS")  # a RuntimeError, as torch raises it


@pytest.mark.parametrize(("probe", "why"), [(wrong, "not close"), (missing, "no such operator")])
def test_an_mps_that_computes_wrongly_gives_way_to_the_cpu_and_says_why(monkeypatch, probe, why):
    pretend(monkeypatch, cuda=False, mps=True)
    monkeypatch.setattr(runtime, "_probe", probe)
    with pytest.warns(UserWarning, match=f"the CPU is used: mps fails our self-test .*{why}"):
        assert runtime.device().type == "cpu"
    assert runtime.device().type == "cpu"  # the second time without a word


def test_the_self_test_is_repeatable_covers_gradients_and_leaves_chance_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    probe = runtime._probe("cpu")
    assert torch.rand(1).equal(expected) and probe.equal(runtime._probe("cpu"))
    assert len(probe) > 1000 and probe.count_nonzero() > 0.9 * len(probe)


def test_the_environment_chooses_device_and_budget(monkeypatch):
    monkeypatch.setenv("UNROLLED_DEVICE", "meta")
    monkeypatch.setenv("UNROLLED_BUDGET", "full")
    assert runtime.device().type == "meta" and runtime.budget() == "full" and runtime.full()


def test_the_budget_is_quick_on_a_cpu(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=False)
    assert runtime.budget() == "quick" and not runtime.full()


def test_a_budget_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setenv("UNROLLED_BUDGET", "huge")
    with pytest.raises(ValueError, match="UNROLLED_BUDGET is 'huge': expected quick or full"):
        runtime.budget()
