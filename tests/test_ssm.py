"""Linear recurrences: four ways to solve them agree, and what is built on them remembers."""

import math

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from unrolled import scan as ways
from unrolled.model import take_rows
from unrolled.scan import convolution, doubling, join, recurrence, scan
from unrolled.ssm import SSM, Diagonal, MinGRU, SSMCore, SSMState, time_scales
from unrolled.tasks import Recall
from unrolled.train import fit

V, H = 7, 6
TOLERANCE = {torch.float32: 1e-5, torch.complex64: 1e-5, torch.float64: 1e-10, torch.complex128: 1e-10}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)
both = pytest.mark.parametrize("parallel", [False, True], ids=["loop", "doubling"])
kinds = pytest.mark.parametrize("kind", [MinGRU, Diagonal])


@pytest.fixture
def unchecked():
    """Our own messages, as people without jaxtyping see them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def problem(dtype, B=2, T=37, H=5):
    """a of length below 1, b, and h_0."""
    a = torch.randn(B, T, H, dtype=dtype)
    return a / (a.abs() + 0.1), torch.randn(B, T, H, dtype=dtype), torch.randn(B, H, dtype=dtype)


def near(one, other):
    assert_close(one, other, rtol=TOLERANCE[one.dtype], atol=TOLERANCE[one.dtype])


def test_what_a_norm_adds_is_said_and_is_what_float32_always_had():
    norms = [part for part in SSM(V, H).modules() if isinstance(part, torch.nn.RMSNorm)]
    assert [norm.eps for norm in norms] == [torch.finfo(torch.float32).eps] * 5


# ---- the recurrence


def test_three_steps_by_hand():
    a, b = torch.tensor([[[0.5], [2.0], [-1.0]]]), torch.tensor([[[1.0], [0.0], [3.0]]])
    for way in (recurrence, doubling, scan):
        assert way(a, b, torch.tensor([[4.0]])).flatten().tolist() == [3.0, 6.0, -3.0]


@dtypes
@both
@pytest.mark.parametrize("T", [1, 2, 3, 64, 100])
def test_the_scan_is_the_recurrence(dtype, parallel, T):
    a, b, h = problem(dtype, T=T)
    near(scan(a, b, h, parallel), recurrence(a, b, h))


@both
@pytest.mark.parametrize("kinds", ["crr", "rcr", "rrc", "crc", "ccr"])  # of a, b and h: complex or real
def test_real_and_complex_numbers_mix(parallel, kinds):
    a, b, h = (t if kind == "c" else t.real for t, kind in zip(problem(torch.complex128), kinds))
    near(scan(a, b, h, parallel), recurrence(a, b, h).to(torch.complex128))


def test_a_complex_kernel_turns_real_numbers():
    a, b, h = problem(torch.complex128)
    near(convolution(a[0, 0], b.real), scan(a[:1, :1].expand_as(b), b.real, torch.zeros_like(h)))


@dtypes
@both
def test_the_scan_has_the_gradients_of_the_recurrence(dtype, parallel):
    leaves = [t.requires_grad_() for t in problem(dtype)]
    weights = torch.randn_like(leaves[0])
    mine, plain = (
        torch.autograd.grad((states * weights).abs().square().sum(), leaves)
        for states in (scan(*leaves, parallel), recurrence(*leaves))
    )
    for one, other in zip(mine, plain):
        near(one / 40, other / 40)  # they are up to 40 times larger than the states


@both
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("T", [1, 6])
def test_the_gradients_are_those_of_finite_differences(dtype, parallel, T):
    leaves = [t.requires_grad_() for t in problem(dtype, T=T, H=2)]
    assert torch.autograd.gradcheck(lambda a, b, h: scan(a, b, h, parallel), leaves)


@dtypes
def test_with_a_fixed_a_it_is_a_convolution(dtype):
    a, b, h = problem(dtype)
    a = a[0, 0]
    near(convolution(a, b), recurrence(a.expand_as(b), b, torch.zeros_like(h)))


def test_two_steps_joined_are_one_step():
    (a, b, h), (a_next, b_next, _) = problem(torch.float64), problem(torch.float64)
    once, (a_both, b_both) = a * h[:, None] + b, join(a, b, a_next, b_next)
    near(a_both * h[:, None] + b_both, a_next * once + b_next)


def test_joining_is_associative():
    steps = [problem(torch.float64)[:2] for _ in range(3)]
    left = join(*join(*steps[0], *steps[1]), *steps[2])
    right = join(*steps[0], *join(*steps[1], *steps[2]))
    for one, other in zip(left, right):
        near(one, other)


@pytest.mark.parametrize("T", [1, 2, 5, 64, 65])
def test_doubling_takes_the_logarithm_of_the_steps(monkeypatch, T):
    rounds = []
    monkeypatch.setattr(ways, "join", lambda *steps: rounds.append(1) or join(*steps))
    doubling(*problem(torch.float32, T=T))
    assert len(rounds) == math.ceil(math.log2(T))


@both
def test_the_scan_changes_nothing_that_it_was_given(parallel):
    given = problem(torch.float32)
    copies = [t.clone() for t in given]
    scan(*given, parallel)
    assert all(one.equal(other) for one, other in zip(given, copies))


@both
def test_a_long_recurrence_is_as_good_as_one_in_float64(parallel):
    a, b, h = torch.rand(1, 4096, 8), torch.randn(1, 4096, 8), torch.zeros(1, 8)
    near(scan(a, b, h, parallel), recurrence(a.double(), b.double(), h.double()).float())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_gives_the_same_states_and_gradients():
    results = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        leaves = [t.to(device).requires_grad_() for t in problem(torch.float32, T=1000)]
        states = scan(*leaves)
        results.append([states, *torch.autograd.grad(states.square().mean(), leaves)])
    for one, other in zip(*results):
        near(one, other.cpu())


# ---- MinGRU and Diagonal


def test_min_gru_is_its_equation():
    layer, x, h = MinGRU(H, 50), torch.randn(2, 9, H), torch.randn(2, H)
    (W_z, W_n), (b_z, b_n) = layer.W.weight.chunk(2), layer.W.bias.chunk(2)
    states = layer(x, h)
    for t in range(9):
        z, n = torch.sigmoid(x[:, t] @ W_z.T + b_z), x[:, t] @ W_n.T + b_n
        h = z * h + (1 - z) * n
        near(states[:, t], h)


def test_the_diagonal_layer_is_a_convolution():
    layer, x = Diagonal(H, 50).double(), torch.randn(2, 30, H, dtype=torch.float64)
    a = layer.a(torch.float64)
    b = torch.view_as_complex(layer.W(x).view(2, 30, H // 2, 2)) * (1 - a.abs() ** 2).sqrt()
    near(layer(x, x.new_zeros(2, H)), torch.view_as_real(convolution(a, b)).flatten(-2))


def test_time_scales_are_evenly_spread_in_the_logarithm():
    scales = time_scales(4, 1000)
    assert_close(scales, torch.tensor([1.0, 10.0, 100.0, 1000.0]))


@kinds
def test_after_its_time_scale_a_state_is_down_to_1_over_e(kind):
    layer = kind(8, 27).double()
    with torch.no_grad():
        layer.W.weight.zero_()
        layer.W.bias[8 if kind is MinGRU else 0 :] = 0
    states = layer(torch.zeros(1, 27, 8, dtype=torch.float64), torch.ones(1, 8, dtype=torch.float64))
    if kind is MinGRU:
        left, steps = states[0], [1, 27]
    else:
        left, steps = states[0].view(27, 4, 2).norm(dim=-1) / math.sqrt(2), [1, 3, 9, 27]
    for i, step in zip([*range(len(steps) - 1), -1], steps):
        assert left[step - 1, i].item() == pytest.approx(math.exp(-1), rel=1e-6)


def test_noise_makes_states_of_size_one_in_the_diagonal_layer():
    layer = Diagonal(16, 100)
    with torch.no_grad():
        layer.W.weight.copy_(torch.eye(16))
    states = layer(torch.randn(64, 2000, 16), torch.zeros(64, 16))[:, 500:]
    assert_close(states.std((0, 1)), torch.ones(16), rtol=0, atol=0.1)


# ---- the model


@kinds
def test_an_empty_piece_changes_nothing(kind):
    model = SSM(V, H, recurrent=kind)
    _, state = model(torch.randint(V, (2, 5)))
    logits, after = model(torch.zeros(2, 0, dtype=torch.long), state)
    assert logits.shape == (2, 0, V) and after is state
    assert model(torch.zeros(2, 0, dtype=torch.long))[1] is None


@kinds
def test_the_state_keeps_its_size_and_at_least_32_bits(kind):
    model = SSM(V, H, 3, kind).bfloat16()
    _, state = model(torch.randint(V, (2, 1)))
    _, later = model(torch.randint(V, (2, 50)), state)
    for h, recent in (state, later):
        assert h.shape == (2, 3, H) and recent.shape == (2, 3, 3, H) and h.dtype == torch.float32
    assert SSM(V, H).double()(torch.randint(V, (1, 2)))[1].h.dtype == torch.float64


def test_small_steps_add_up_in_bfloat16():
    """In bfloat16 itself, 1 + 0.002 is 1."""
    layer = MinGRU(H, 1000).bfloat16()
    with torch.no_grad():
        layer.W.weight.zero_()
        layer.W.bias[:H], layer.W.bias[H:] = 6.0, 1.0
    states = layer(torch.zeros(1, 2000, H, dtype=torch.bfloat16), torch.zeros(1, H))
    assert_close(states[:, -1], torch.ones(1, H), rtol=0, atol=0.01)


def test_rows_of_a_state_can_be_taken():
    model, x, rows = SSM(V, H), torch.randint(V, (3, 4)), torch.tensor([2, 0])
    _, state = model(x)
    assert_close(model(x[rows], take_rows(state, rows, 3))[0], model(x, state)[0][rows])


@kinds
@pytest.mark.filterwarnings("error")
def test_mixed_precision_is_close_to_float32(kind):
    model, x = SSM(V, 16, recurrent=kind), torch.randint(V, (2, 40))
    with torch.autocast("cpu", torch.bfloat16):
        rounded, state = model(x)
    assert_close(rounded.float(), model(x)[0], rtol=0, atol=0.05)
    assert {part.dtype for part in state} == {torch.float32}


@kinds
def test_gradients_reach_all_that_is_learned_and_stay_finite(kind):
    model, x = SSM(V, H, recurrent=kind), torch.randint(V, (1, 3000))
    F.cross_entropy(model(x[:, :-1])[0].flatten(0, 1), x[0, 1:]).backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().max() > 0 for p in model.parameters())


def test_dropout_acts_in_training_only():
    model, x = SSM(V, H, dropout=0.5), torch.randint(V, (2, 9))
    assert not model(x)[0].equal(model(x)[0])
    model.eval()
    assert model(x)[0].equal(model(x)[0])


@kinds
def test_it_learns_to_remember_where_a_plain_network_forgets(kind):
    task = Recall(40, batch=16)
    model = SSM(task.vocab_size, 24, 1, kind)
    fit(model, task, 200, lr=1e-2)
    assert task.accuracy(model) > 0.9


def test_bad_sizes_and_states_are_named(unchecked):
    with pytest.raises(ValueError, match=r"hidden=0, layers=2, longest=1000\): all must be at least 1"):
        SSMCore(3, 0)
    with pytest.raises(ValueError, match="hidden is 5: Diagonal pairs its numbers"):
        SSMCore(3, 5, recurrent=Diagonal)
    core = SSMCore(3, H)
    with pytest.raises(ValueError, match=r"and \(2, 1, 3, 6\): expected \(B, L, H\) = \(2, 2, 6\)"):
        core(torch.zeros(2, 1, 3), SSMState(torch.zeros(2, 1, H), torch.zeros(2, 1, 3, H)))
