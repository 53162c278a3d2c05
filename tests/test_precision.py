"""bfloat16 only in the products and only where it helps; compiling only where it pays."""

import sys
import types

import pytest
import torch
from torch.testing import assert_close
from unrolled import precision
from unrolled.model import nll
from unrolled.precision import compiled, helps, mixed
from unrolled.rnn import RNN
from unrolled.train import batches, fit, streams

X = (torch.arange(3000) * 7 % 31) % 6
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def asked_anew():
    helps.cache_clear()
    yield
    helps.cache_clear()


def model():
    torch.manual_seed(0)
    return RNN(6, 16)


def products(source):
    """The precision of the products in the loss, and that of the loss and of the gradients."""
    net, seen = model(), []
    net.register_forward_hook(lambda module, inputs, output: seen.append(output[0].dtype))
    loss = source.loss(net, next(iter(source)))
    loss.backward()
    assert {p.grad.dtype for p in net.parameters()} == {torch.float32} == {loss.dtype}
    return seen[0]


@pytest.mark.parametrize("make", [lambda: batches(X, 8, 4), lambda: streams(X, 8, 4)])
@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_products_are_rounded_where_the_machine_has_bfloat16_and_loss_and_gradients_never(
        make, has, expected, monkeypatch):
    monkeypatch.setattr(precision, "helps", lambda device: has)
    assert products(mixed(make())) == expected
    assert products(mixed(make(), always=True)) == torch.bfloat16


def test_without_bfloat16_the_curve_is_bitwise_that_of_plain_batches(monkeypatch):
    monkeypatch.setattr(precision, "helps", lambda device: False)
    a, b = (fit(model(), source, 10).losses for source in (mixed(batches(X, 8, 4)), batches(X, 8, 4)))
    assert a.equal(b)


def test_a_mixed_training_learns_as_well_as_a_full_one():
    def final(source):
        net = model()
        fit(net, source, 120, lr=1e-2)
        return nll(net, X[None, :200])

    full, half = final(batches(X, 16, 8)), final(mixed(batches(X, 16, 8), always=True))
    assert_close(half, full, rtol=0.1, atol=0.02)
    assert full < 1


@pytest.mark.parametrize(("avx", "amx"), [(True, False), (False, True), (False, False)])
def test_a_cpu_is_asked_for_its_instructions(avx, amx, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert helps(CPU) == (avx or amx)


def test_a_torch_that_cannot_tell_gets_no_bfloat16(monkeypatch):
    monkeypatch.setattr(torch, "cpu", types.SimpleNamespace())
    assert not helps(CPU)


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_is_asked_for_its_generation(capability, has, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert helps(torch.device("cuda")) == has and not helps(torch.device("mps"))


def on(device):
    """A model that says it is on this device, and notes that it was compiled."""
    parameter = types.SimpleNamespace(device=torch.device(device))
    net = types.SimpleNamespace(done=False, parameters=lambda: iter([parameter]))
    net.compile = lambda: setattr(net, "done", True)
    return net


@pytest.mark.parametrize(("device", "notebook", "always", "expected"), [
    ("cpu", False, False, False), ("cpu", False, True, True), ("cuda", False, False, True),
    ("cuda", True, False, False), ("cuda", True, True, True),
])
def test_a_model_is_compiled_on_a_gpu_outside_of_notebooks(device, notebook, always, expected, monkeypatch):
    modules = {name: module for name, module in sys.modules.items() if name != "ipykernel"}
    monkeypatch.setattr(precision.sys, "modules", modules | ({"ipykernel": None} if notebook else {}))
    monkeypatch.setattr(precision, "find_spec", lambda name: True)
    net = on(device)
    assert compiled.__wrapped__(net, always) == expected == net.done


def test_compiling_leaves_name_and_weights():
    plain, net = model(), model()
    assert compiled(net, always=True) and type(net) is RNN
    assert all(a.equal(b) for a, b in zip(net.state_dict().values(), plain.state_dict().values()))
    assert net.state_dict().keys() == plain.state_dict().keys()
