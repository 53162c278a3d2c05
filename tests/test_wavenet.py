"""WaveNet is the paper's: equal to a slow loop, blind beyond its horizon, and as fast as its queues allow."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from unrolled.checkpoint import restore, save
from unrolled.checks.properties import operations
from unrolled.generate import generate, greedy
from unrolled.model import CoreModel, nll, take_rows
from unrolled.rnn import RNN
from unrolled.wavenet import DOUBLING, WaveNet, WaveNetCore, gate, receptive_field, taps
from unrolled.wavenet_fast import Writer, draw, fast_generate

V, D, S, C = 11, 4, 6, 3
STACKS = [((1, 2, 4), 2), ((1, 2, 4, 1, 2, 4), 2), ((1, 3, 9), 3), ((5,), 4), ((2, 1), 1)]
stacks = pytest.mark.parametrize("dilations, kernel", STACKS)


def model(dilations=(1, 2, 4), kernel=2, condition=0):
    return WaveNet(V, D, S, dilations, kernel, condition).eval()


def sigmoid(a):
    return 1 / (1 + torch.exp(-a))


def slow(net, x, c):
    """The paper's equations for one row, time by time and tap by tap; what was before the beginning is 0."""
    core, K = net.core, net.core.kernel
    inputs, outputs = [net.embed.weight[i] for i in x], []
    for n, (W, d) in enumerate(zip(core.W, core.dilations)):
        z, A, V_c = [], W.weight.view(2, D, K, D), core.V.weight.view(-1, 2, D, C)[n]
        for t in range(len(x)):
            a = W.bias.view(2, D) + V_c @ c
            for k in range(K):
                if t - (K - 1 - k) * d >= 0:
                    a = a + A[:, :, k] @ inputs[t - (K - 1 - k) * d]
            z.append(torch.tanh(a[0]) * sigmoid(a[1]))
        outputs.append(torch.stack(z))
        if n < len(core.W_r):
            inputs = [x_t + core.W_r[n].weight @ z_t for x_t, z_t in zip(inputs, z)]
    skips = core.W_s.weight.view(S, len(core.W), D)
    h = core.W_s.bias + sum(z @ skips[:, n].T for n, z in enumerate(outputs))
    return net.W_y(torch.relu(net.W_o(torch.relu(h))))


@stacks
@torch.no_grad()
def test_logits_equal_those_of_a_slow_loop(dilations, kernel):
    net, x = model(dilations, kernel, C).double(), torch.randint(V, (2, 30))
    c = torch.randn(2, C, dtype=torch.float64)
    assert_close(net(x)[0][1], slow(net, x[1], 0 * c[1]), rtol=0, atol=1e-12)
    assert_close(net(x, net.start(c))[0][1], slow(net, x[1], c[1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel, d", [(2, 1), (2, 8), (3, 4)])
def test_a_linear_map_of_the_taps_is_torchs_dilated_convolution(kernel, d):
    x, past = torch.randn(2, 20, D), torch.randn(2, (kernel - 1) * d, D)
    W = torch.randn(7, D, kernel)
    expected = F.conv1d(torch.cat([past, x], 1).mT, W, dilation=d).mT
    seen, last = taps(x, past, d)
    assert_close(seen @ W.mT.flatten(1).T, expected)
    assert last.equal(torch.cat([past, x], 1)[:, -past.shape[1] :])


# ---- the horizon


@pytest.mark.claim("W2")
def test_the_receptive_field_of_the_paper_doubles_with_every_layer():
    assert [receptive_field(2, DOUBLING[:n]) for n in range(1, 11)] == [2**n for n in range(1, 11)]
    assert [receptive_field(2, DOUBLING * n) for n in (1, 2, 3)] == [1024, 2047, 3070]
    assert receptive_field(3, (1, 2, 4)) == 15 and receptive_field(1, (8,)) == 1


@pytest.mark.claim("W2", "W3")
@stacks
def test_the_horizon_is_exact(dilations, kernel):
    """The gradient of one output: something at each place within the receptive field, nothing beyond it."""
    core, n = WaveNetCore(D, S, dilations, kernel).double(), receptive_field(kernel, dilations)
    a = torch.randn(1, n + 9, D, dtype=torch.float64, requires_grad=True)
    t = n + 4
    core(a)[0][0, t].sum().backward()
    reached = a.grad[0].abs().sum(-1)
    assert reached[t - n + 1] > 0 and reached[t] > 0
    assert (reached[: t - n + 1] == 0).all() and (reached[t + 1 :] == 0).all()
    if dilations[0] == 1:  # kernel and dilations that leave no place out
        assert (reached[t - n + 1 : t + 1] > 0).all()


@pytest.mark.claim("W3")
@torch.no_grad()
def test_beyond_the_horizon_all_pasts_are_alike():
    net = model()
    x, y = torch.randint(V, (2, 1, 20))
    y[:, -net.receptive_field :] = x[:, -net.receptive_field :]
    assert_close(net(x)[0][:, -1], net(y)[0][:, -1])
    y[:, -net.receptive_field] = (x[:, -net.receptive_field] + 1) % V
    assert (net(x)[0][:, -1] - net(y)[0][:, -1]).abs().max() > 1e-5


# ---- the state


@stacks
def test_the_queues_hold_the_last_inputs_of_each_layer(dilations, kernel):
    net, x = model(dilations, kernel), torch.randint(V, (2, 40))
    pasts = net(x)[1].pasts
    assert [p.shape for p in pasts] == [(2, (kernel - 1) * d, D) for d in dilations]
    assert pasts[0].equal(net.embed(x)[:, 40 - (kernel - 1) * dilations[0] :])


def test_a_long_piece_leaves_no_long_line_behind():
    pasts = model()(torch.randint(V, (1, 1000)))[1].pasts
    assert sum(p.untyped_storage().nbytes() for p in pasts) == 7 * D * 4


def test_an_empty_piece_changes_nothing():
    net, empty = model(condition=C), torch.zeros(2, 0, dtype=torch.long)
    state = net(torch.randint(V, (2, 9)), net.start(torch.randn(2, C)))[1]
    logits, after = net(empty, state)
    assert logits.shape == (2, 0, V) and after.condition.equal(state.condition)
    assert all(a.equal(b) for a, b in zip(after.pasts, state.pasts))
    assert net(empty)[0].shape == (2, 0, V)


def test_rows_of_a_state_can_be_taken():
    net, x = model(condition=C), torch.randint(V, (3, 9))
    state = net(x, net.start(torch.randn(3, C)))[1]
    some = take_rows(state, torch.tensor([2, 0]), 3)
    assert_close(net(x[[2, 0]], some)[0], net(x, state)[0][[2, 0]])


# ---- the condition


@torch.no_grad()
def test_a_condition_changes_every_output_from_the_first_to_the_last():
    net, x = model(condition=C), torch.randint(V, (1, 40))
    one, other = (net(x, net.start(torch.randn(1, C)))[0] for _ in range(2))
    assert ((one - other).abs().amax(-1) > 1e-5).all()


@torch.no_grad()
def test_the_condition_stays_in_the_state_and_belongs_to_its_row():
    net, x, c = model(condition=C), torch.randint(V, (2, 40)), torch.randn(2, C)
    whole, end = net(x, net.start(c))
    first, state = net(x[:, :17], net.start(c))
    assert_close(torch.cat([first, net(x[:, 17:], state)[0]], 1), whole)
    assert end.condition.equal(state.condition)
    assert_close(net(x[1:], net.start(c[1:]))[0][0], whole[1])
    assert_close(net(x, net.start(torch.zeros(2, C)))[0], net(x)[0])


def test_a_condition_is_learned():
    """Two rows that only the condition tells apart: 0 0 0 ... and 1 1 1 ..., from the first symbol on."""
    net, c = model(condition=2), torch.eye(2)
    x = torch.tensor([[5] + [0] * 8, [5] + [1] * 8])
    adam = torch.optim.Adam(net.parameters(), 2e-2)
    for _ in range(100):
        adam.zero_grad()
        nll(net, x, net.start(c)).backward()
        adam.step()
    assert nll(net, x, net.start(c)) < 0.05
    assert generate(net, torch.tensor([[5], [5]]), 8, greedy, net.start(c)).equal(x)


# ---- gradients and learning


def test_gradients_are_those_of_finite_differences():
    x, past = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64)
    a = torch.randn(2, 5, 6, dtype=torch.float64)
    for value in (x, past, a):
        value.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, past: taps(x, past, 2), (x, past))
    assert torch.autograd.gradcheck(gate, a)


def test_every_parameter_gets_a_gradient():
    net = model(condition=C)
    nll(net, torch.randint(V, (2, 20)), net.start(torch.randn(2, C))).backward()
    assert {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()} == set()


@pytest.mark.claim("W3")
def test_it_copies_from_within_its_horizon_and_cannot_from_beyond():
    """Symbols repeat after so many steps; the second half is what the first half tells."""
    left = {}
    for period in (8, 9):
        net, chance = WaveNet(4, 32, 64, (1, 2, 4)), torch.Generator().manual_seed(0)
        assert net.receptive_field == 8
        adam = torch.optim.Adam(net.parameters(), 2e-2)
        for _ in range(100):
            x = torch.randint(4, (32, period), generator=chance).repeat(1, 2)
            adam.zero_grad()
            loss = F.cross_entropy(net(x[:, :-1])[0][:, period - 1 :].flatten(0, 1), x[:, period:].flatten())
            loss.backward()
            adam.step()
        left[period] = loss.item() / np.log(2)
    assert left[8] < 1 and left[9] > 1.9  # of 2 bits


def test_the_core_reads_text_behind_an_embedding():
    net = CoreModel(V, WaveNetCore(D, S, (1, 2)))
    x = torch.randint(V, (2, 9))
    first, state = net(x[:, :4])
    assert_close(torch.cat([first, net(x[:, 4:], state)[0]], 1), net(x)[0])


@pytest.mark.claim("W4")
def test_all_times_are_computed_at_once():
    """Ten times as long a sound starts no further operation; a recurrent network starts one a step."""
    net, rnn = model(), RNN(V, 8)
    short, long = torch.zeros(1, 30, dtype=torch.long), torch.zeros(1, 300, dtype=torch.long)
    assert operations(lambda: net(long)) == operations(lambda: net(short))
    assert operations(lambda: rnn(long)) >= operations(lambda: rnn(short)) + 270


# ---- fast writing


def said(net, x, state):
    """What a Writer says after each symbol; its logits are copied, because it overwrites them."""
    writer = Writer(net, state)
    return torch.tensor(np.array([writer.read(int(i)).copy() for i in x]))


@stacks
@pytest.mark.parametrize("read", [0, 1, 50])
@torch.no_grad()
def test_a_writer_says_the_logits_of_the_model(dilations, kernel, read):
    net, x = model(dilations, kernel, C).double(), torch.randint(V, (1, 100))
    _, state = net(x[:, :read], net.start(torch.randn(1, C)))
    assert_close(said(net, x[0, read:], state), net(x[:, read:], state)[0][0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_a_writer_of_the_paper_s_size_stays_within_rounding(dtype):
    net, x = WaveNet(256, dilations=DOUBLING).eval().to(dtype), torch.randint(256, (1, 1500))
    logits = said(net, x[0], net(x[:, :0])[1])
    assert logits.dtype == torch.float32
    assert_close(logits, net.float()(x)[0][0], rtol=0, atol=1e-5)


def test_fast_writing_writes_what_the_law_s_writing_writes():
    net, prompt = model(condition=C).double(), torch.randint(V, (1, 6))
    state = net.start(torch.randn(1, C, dtype=torch.float64))
    expected = generate(net, prompt, 60, greedy, state)
    assert fast_generate(net, prompt, 60, 0, state=state).equal(expected)
    assert fast_generate(net, prompt, 0).equal(prompt)


def test_a_writer_leaves_the_state_as_it_was():
    net = model(condition=C)
    state = net.start(torch.randn(1, C))
    fast_generate(net, torch.randint(V, (1, 3)), 30, state=state)
    assert all((past == 0).all() for past in state.pasts)


def test_a_seed_writes_the_same_again_and_another_seed_something_else():
    net, prompt = model(), torch.zeros(1, 1, dtype=torch.long)
    first = fast_generate(net, prompt, 50, seed=1)
    assert first.equal(fast_generate(net, prompt, 50, seed=1))
    assert not first.equal(fast_generate(net, prompt, 50, seed=2))


def test_draws_follow_the_probabilities():
    logits = np.log(np.array([0.1, 0.0001, 0.6, 0.2999]))
    places = (np.arange(10_000) + 0.5) / 10_000
    drawn = np.array([draw(logits, 1, u) for u in places])
    assert np.bincount(drawn, minlength=4).tolist() == [1000, 1, 6000, 2999]
    assert draw(logits, 0, 0.99) == 2 and draw(1e4 * logits, 1e-8, 0.5) == 2
    sharp = np.bincount([draw(logits, 0.5, u) for u in places], minlength=4)
    assert np.abs(sharp / 10_000 - np.array([0.01, 1e-8, 0.36, 0.0899]) / 0.46).max() < 1e-3


# ---- files and errors


def test_a_saved_model_comes_back(tmp_path):
    net, x, c = model(condition=C), torch.randint(V, (2, 9)), torch.randn(2, C)
    save(tmp_path / "net.safetensors", net, seed=0)
    again = model(condition=C)
    assert restore(tmp_path / "net.safetensors", again)["architecture"] == "WaveNet"
    assert again(x, again.start(c))[0].equal(net(x, net.start(c))[0])


def test_bad_input_is_named(unchecked):
    net, x = model(condition=C), torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="ids from 0 to 11: this model knows 0 to 10"):
        net(torch.tensor([[0, V]]))
    with pytest.raises(ValueError, match=r"condition has shape \(2, 4\): expected \(B, 3\)"):
        net.start(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="expected none: this model was built with condition=0"):
        model().start(torch.zeros(2, C))
    with pytest.raises(ValueError, match="state was made for 1 rows: x has 2"):
        net(x, net.start(torch.zeros(1, C)))
    for wrong in (dict(dilations=()), dict(dilations=(1, 0)), dict(kernel=0), dict(condition=-1)):
        with pytest.raises(ValueError, match="at least one layer"):
            WaveNet(V, **wrong)
    with pytest.raises(ValueError, match="vocab_size is 0"):
        WaveNet(0)
    with pytest.raises(ValueError, match="state has 2 rows: a Writer reads one"):
        Writer(net, net.start(torch.zeros(2, C)))
    for prompt, steps in ((x, 1), (x[:1, :0], 1), (x[:1], -1)):
        with pytest.raises(ValueError, match=r"expected \(1, T\) with T at least 1"):
            fast_generate(net, prompt, steps)
