"""The zoo on a GPU: the same law, the CPU's numbers, training and resuming, writing, mixed precision (R35).

Reported as not run where there is no CUDA device.
"""

import copy
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts: the same sums every time

import pytest  # noqa: E402
import torch  # noqa: E402
from laws import LAWS  # noqa: E402
from test_law import TEXT, ZOO, V, member, tokens  # noqa: E402
from torch.testing import assert_close  # noqa: E402
from unrolled import runtime  # noqa: E402
from unrolled.evaluate import evaluate  # noqa: E402
from unrolled.generate import generate, greedy, sample  # noqa: E402
from unrolled.gru import GRU  # noqa: E402
from unrolled.lstm import LSTM  # noqa: E402
from unrolled.model import nll  # noqa: E402
from unrolled.muon import Muon, maps_and_rest  # noqa: E402
from unrolled.precision import compiled, helps, mixed  # noqa: E402
from unrolled.rnn import RNN  # noqa: E402
from unrolled.runs import Run  # noqa: E402
from unrolled.train import batches, fit, follow, gathered, streams  # noqa: E402
from unrolled.transformer import Transformer  # noqa: E402

GPU = torch.device("cuda")
X = TEXT.clamp(max=V - 2)  # no picture contains start, and none has more than 49 pixels
ROWS = X[:64].view(4, 16)
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
zoo = pytest.mark.parametrize("name", ZOO)
learners = pytest.mark.parametrize(
    "name", [n for n in ZOO if n.endswith((", random", ", trained")) or n == "lstm, fused"]
)


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """All digits of a float32 (products keep them by default), and the same sums every time."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def there(name):
    """A member of the zoo on the GPU; the one on the CPU stays where it is."""
    return copy.deepcopy(member(name)).to(GPU)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@zoo
@torch.no_grad()
def test_every_model_obeys_on_the_gpu(law, name):
    model = there(name)
    for seed, (B, T, cuts) in enumerate([(1, 1, []), (3, 12, [5]), (2, 24, [1, 8, 8, 23])]):
        law(model, tokens(model, B, T, seed).to(GPU), cuts)


@zoo
@torch.no_grad()
def test_the_gpu_computes_what_the_cpu_computes(name):
    x = tokens(member(name), 3, 24, seed=1)
    ours, theirs = there(name)(x.to(GPU))[0].cpu(), member(name)(x)[0]
    tolerance = {torch.float64: 1e-9, torch.float32: 5e-3, torch.bfloat16: 5e-2}[theirs.dtype]
    assert_close(ours, theirs, rtol=tolerance, atol=tolerance / 10)


@learners
def test_the_gpu_learns_what_the_cpu_learns(name):
    def curve(device):
        torch.manual_seed(0)
        model = ZOO[name]().to(device)
        history = fit(model, batches(X.to(device), 16, 8), 20, valid=ROWS.to(device))
        return history.losses, history.valid, nll(model.eval(), ROWS.to(device)).cpu()

    for ours, theirs in zip(curve(GPU), curve("cpu")):
        assert_close(ours, theirs, rtol=5e-3, atol=5e-3, check_dtype=False)


def curve(feed, model, steps, path=None, **settings):
    torch.manual_seed(0)
    return fit(model().to(GPU), feed(), steps, valid=ROWS.to(GPU), path=path, **settings).losses


FEEDS = {
    "batches": lambda: batches(X.to(GPU), 16, 8),
    "streams": lambda: streams(X.to(GPU), 16, 8),
    "gathered and mixed": lambda: gathered(mixed(streams(X.to(GPU), 16, 4)), 2),
}


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
@pytest.mark.parametrize("make", [
    lambda: RNN(V, 12), lambda: LSTM(V, 12, 2, dropout=0.3), lambda: GRU(V, 12, 2, dropout=0.3),
])
def test_a_training_on_the_gpu_goes_on_bit_for_bit(make, feed, tmp_path):
    curve(feed, make, 7, tmp_path / "x")
    assert curve(feed, make, 20, tmp_path / "x").equal(curve(feed, make, 20))


def test_a_training_with_muon_goes_on_bit_for_bit(tmp_path):
    def trained(steps, path=None):
        torch.manual_seed(0)
        model = LSTM(V, 12).to(GPU)
        run = Run(model, batches(X.to(GPU), 16, 8), None, lambda step: 0.5)
        run.optimiser = Muon(*maps_and_rest(model), dtype=torch.bfloat16)
        return follow(run, steps, path).losses

    trained(7, tmp_path / "x")
    assert trained(20, tmp_path / "x").equal(trained(20))


def test_a_training_moves_from_the_gpu_to_the_cpu(tmp_path):
    curve(FEEDS["batches"], lambda: RNN(V, 12), 7, tmp_path / "x")
    torch.manual_seed(0)
    gone_on = fit(RNN(V, 12), batches(X, 16, 8), 20, valid=ROWS, path=tmp_path / "x").losses
    assert_close(gone_on, curve(FEEDS["batches"], lambda: RNN(V, 12), 20), rtol=5e-3, atol=5e-3)


@zoo
def test_what_the_gpu_writes_is_what_the_cpu_finds_likeliest(name):
    here, prompt = member(name), tokens(member(name), 2, 8, seed=2)
    out = generate(there(name), prompt.to(GPU), 12, greedy)
    assert out.device.type == "cuda" and out[:, :8].cpu().equal(prompt)
    with torch.no_grad():
        logits = here(out.cpu())[0][:, 7:-1].double()
    chosen = logits.gather(-1, out[:, 8:, None].cpu())[..., 0]
    tolerance = 5e-2 if "bfloat16" in name else 5e-3
    assert_close(chosen, logits.amax(-1), rtol=tolerance, atol=tolerance)


def test_the_same_seed_draws_the_same_on_both():
    logits = torch.randn(50, V)
    draws = [sample(logits.to(d), generator=torch.Generator().manual_seed(3)).cpu() for d in (GPU, "cpu")]
    assert draws[0].equal(draws[1])


@learners
def test_a_text_is_measured_alike(name):
    ours, theirs = evaluate(there(name), X[:40].to(GPU)), evaluate(member(name), X[:40])
    assert ours.bits == pytest.approx(theirs.bits, rel=5e-3)


@pytest.mark.skipif(torch.cuda.is_available() and not helps(GPU), reason="this GPU has no bfloat16")
@learners
def test_mixed_precision_rounds_the_products_and_learns_as_well(name):
    def final(dress):
        torch.manual_seed(0)
        model = ZOO[name]().to(GPU)
        losses = fit(model, dress(batches(X.to(GPU), 16, 8)), 60, lr=1e-2).losses
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        return losses

    full, half = final(lambda b: b), final(mixed)
    assert (half != full).any()
    assert_close(half[-10:].mean(), full[-10:].mean(), rtol=0.1, atol=0.05)


def test_a_compiled_model_has_the_same_curve():
    def losses(always):
        torch.manual_seed(0)
        model = Transformer(V, 16, 1, 2, 64).to(GPU)
        assert compiled(model, always) == always or not always
        return fit(model, batches(X.to(GPU), 16, 8), 10).losses

    assert_close(losses(True), losses(False), rtol=5e-3, atol=5e-3)


def test_the_gpu_is_chosen_and_the_budget_is_full(monkeypatch):
    for name in ("UNROLLED_DEVICE", "UNROLLED_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    assert runtime.device().type == "cuda" and runtime.full()
