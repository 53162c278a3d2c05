"""PixelCNN, gated PixelCNN, Row LSTM, Diagonal BiLSTM, a core along any order: causal, exact, fast = slow."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from unrolled import checkpoint, orders, pixelcnn, pixelrnn, raster
from unrolled.generate import generate, greedy
from unrolled.images import nats, tokens
from unrolled.lstm import LSTMCore
from unrolled.model import nll
from unrolled.pixelcnn import GatedPixelCNN, Masked, PixelCNN, mask
from unrolled.pixelrnn import (
    DiagonalBiLSTM,
    PixelDiagonalBiLSTM,
    PixelRowLSTM,
    PixelWalk,
    RowLSTM,
    skew,
    unskew,
)

SPIRAL = orders.spiral(3, 3)


def walk(levels, size, hidden, layers):
    return PixelWalk(levels, orders.spiral(*size), LSTMCore(hidden, hidden))


MODELS = {"pixelcnn": PixelCNN, "gated": GatedPixelCNN, "row lstm": PixelRowLSTM,
          "diagonal bilstm": PixelDiagonalBiLSTM, "walk": walk}
RASTER = [name for name in MODELS if name != "walk"]
every = pytest.mark.parametrize("name", MODELS)
every_raster = pytest.mark.parametrize("name", RASTER)


def model(name, levels=2, size=(5, 6), hidden=6, layers=2):
    torch.manual_seed(1)
    return MODELS[name](levels, size, hidden, layers).double().eval()


# ---- probability

@every
@torch.no_grad()
def test_all_pictures_together_have_probability_one(name):
    """All 2^9 pictures of 3 x 3 pixels; the spiral order for the walk."""
    pictures = torch.tensor(list(product((0, 1), repeat=9))).view(512, 3, 3)
    order = SPIRAL if name == "walk" else None
    total = nats(model(name, size=(3, 3)), pictures, order).neg().exp().sum()
    assert_close(total.item(), 1.0, rtol=0, atol=1e-12)


@every
def test_no_pixel_is_ever_start(name):
    logits, _ = model(name, levels=3)(torch.tensor([[3, 0, 1, 2]]))
    assert logits.shape == (1, 4, 4) and logits[..., 3].isneginf().all() and logits[..., :3].isfinite().all()


# ---- what a place sees: each pixel has a level of its own, so its gradient is that of a row of the embedding

def seen_from(make, size, place):
    """By gradient: which pixels the logits at a place hang on, in any of three random nets (ReLUs die)."""
    N, found = size[0] * size[1], torch.zeros(size, dtype=torch.bool)
    x = torch.cat([torch.tensor([[N]]), torch.arange(N - 1)[None]], 1)
    for seed in range(3):
        torch.manual_seed(seed)
        net = make(N, size).double()
        net(x)[0][0, place[0] * size[1] + place[1], :-1].square().sum().backward()
        embed = next(part for part in net.modules() if isinstance(part, torch.nn.Embedding))
        found |= (embed.weight.grad[:N].abs().sum(1) > 0).view(size)
    return found


def before(size, place):
    return torch.arange(size[0] * size[1]).view(size) < place[0] * size[1] + place[1]


@every_raster
@pytest.mark.parametrize("place", [(0, 0), (2, 0), (2, 6), (4, 3), (6, 6)])
def test_no_place_sees_itself_or_what_comes_later(name, place):
    found = seen_from(lambda N, size: MODELS[name](N, size, 4, 2), (7, 7), place)
    assert not (found & ~before((7, 7), place)).any()


@pytest.mark.parametrize("place", [(0, 4), (4, 0), (5, 2), (8, 4), (8, 8)])
def test_the_gated_pixelcnn_sees_all_that_was_read_if_it_is_deep(place):
    assert seen_from(lambda N, size: GatedPixelCNN(N, size, 6, 8), (9, 9), place).equal(before((9, 9), place))


@pytest.mark.parametrize("place", [(0, 4), (4, 0), (5, 2), (8, 4), (8, 8)])
def test_one_diagonal_bilstm_sees_all_that_was_read_but_one_pixel(place):
    """The last pixel of the row above is known to no feature of its row, and to few of the next (mask A)."""
    expected = before((9, 9), place)
    if 0 < place[0] and place[1] + 3 < 8:
        expected[place[0] - 1, 8] = False
    found = seen_from(lambda N, size: PixelDiagonalBiLSTM(N, size, 6, 1), (9, 9), place)
    assert found.equal(expected)


def test_the_plain_pixelcnn_has_a_blind_spot_however_deep():
    """Right of a place and above it a wedge stays unseen: 3 columns for one row, then one column a row."""
    found = seen_from(lambda N, size: PixelCNN(N, size, 4, 12), (9, 13), (8, 2))
    rows, columns = torch.meshgrid(torch.arange(9), torch.arange(13), indexing="ij")
    wedge = columns - 2 > (8 - rows) + 2
    assert not found[wedge].any() and (before((9, 13), (8, 2)) & wedge).sum() > 20
    assert found[before((9, 13), (8, 2)) & ~wedge].all()
    gated = seen_from(lambda N, size: GatedPixelCNN(N, size, 6, 12), (9, 13), (8, 2))
    assert gated.equal(before((9, 13), (8, 2)))


def test_the_row_lstm_sees_a_triangle():
    """One layer on top of the first look: each row up, one column more to the right."""
    found = seen_from(lambda N, size: PixelRowLSTM(N, size, 4, 1), (9, 13), (8, 2))
    assert not found[5, 9:].any() and not found[7, 7:].any() and found[7, 5] and found[4, 8]


# ---- masks and skews

def test_a_cut_kernel_is_a_masked_kernel():
    layer, W = Masked(3, 5, 5, 8).double(), torch.zeros(5, 3, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        W[:, :, :2], W[:, :, 2, :3] = layer.above.down.weight, layer.left.weight[:, :, 0]
    assert (W * (1 - mask(5, "B")[0, 0])).count_nonzero() == 0
    a = torch.randn(2, 3, 7, 8, dtype=torch.float64)
    assert_close(layer(a, None, 0)[0], F.conv2d(a, W * mask(5, "B")[0, 0], layer.left.bias, padding=2))


def test_the_first_look_is_a_convolution_with_mask_a():
    look = raster.Look(raster.Pixels(2, 3, 8), 5, 7).double()
    pictures, W = torch.randint(2, (2, 7, 8)), torch.zeros(5, 3, 7, 7, dtype=torch.float64)
    with torch.no_grad():
        W[:, :, :3], W[:, :, 3, :3] = look.down.weight, look.left.weight[:, :, 0]
    assert (W * (1 - mask(7, "A")[0, 0])).count_nonzero() == 0
    page = look.pixels.embed(pictures).permute(0, 3, 1, 2)
    h, _ = look(tokens(pictures, 2)[:, :-1], (7, 8), None)
    assert_close(h, F.conv2d(page, W, look.left.bias, padding=3))


def test_masks_by_hand():
    assert mask(3, "A")[0, 0].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert mask(3, "B")[0, 0].tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert mask(3, "A", 3)[:, :, 1, 1].tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert mask(3, "B", 3)[:, :, 1, 1].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    with pytest.raises(ValueError, match="kernel is 4 and kind is 'B'"):
        mask(4, "B")


def test_skewing_makes_columns_of_diagonals_and_unskewing_undoes_it():
    a = torch.arange(12.0).view(3, 4)
    assert skew(a).tolist() == [[0, 1, 2, 3, 0, 0], [0, 4, 5, 6, 7, 0], [0, 0, 8, 9, 10, 11]]
    for R, C in [(1, 1), (1, 5), (5, 1), (4, 7), (7, 4)]:
        a = torch.randn(2, 3, R, C)
        assert skew(a).shape == (2, 3, R, R + C - 1) and unskew(skew(a)).equal(a)


# ---- the recurrent layers against loops over pixels, with every neighbour looked up

def lstm(gates, c):
    o, f, i, g = gates.chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def slow_row_lstm(layer, a):
    (_, R, C), (W_left, W_own), U = a.shape, layer.left.weight[:, :, 0].unbind(2), layer.down.weight
    h, c = torch.zeros(2, layer.hidden, R + 1, C + 2).double()
    for r, k in product(range(R), range(C)):
        gates = layer.left.bias + W_own @ a[:, r, k] + (W_left @ a[:, r, k - 1] if k else 0)
        gates = gates + sum(U[:, :, j] @ h[:, r, k + j] for j in range(3))
        h[:, r + 1, k + 1], c[:, r + 1, k + 1] = lstm(gates, c[:, r, k + 1])
    return h[:, 1:, 1:-1]


def slow_diagonal(half, a):
    """From the upper left corner; what is outside the page is zero."""
    (_, R, C), W, (U_up, U_left) = a.shape, half.W_x, half.mix.weight.unbind(2)
    h, c = torch.zeros(2, U_up.shape[1], R + 1, C + 1).double()
    for r, k in product(range(R), range(C)):
        gates = W.bias + W.weight[:, :, 0, 0] @ a[:, r, k] + U_up @ h[:, r, k + 1] + U_left @ h[:, r + 1, k]
        h[:, r + 1, k + 1], c[:, r + 1, k + 1] = lstm(gates, c[:, r + 1, k])
    return h[:, 1:, 1:]


def widened(layer, a, h):
    return a[None] + layer.widen(h[None])


@torch.no_grad()
def test_the_row_lstm_is_its_loop_over_pixels():
    layer, a = RowLSTM(3, 5).double(), torch.randn(6, 4, 5).double()
    assert_close(layer(a[None], None, 0)[0], widened(layer, a, slow_row_lstm(layer, a)))


@torch.no_grad()
def test_the_diagonal_bilstm_is_two_loops_over_pixels():
    layer, a = DiagonalBiLSTM(3, 5).double(), torch.randn(6, 4, 5).double()
    right = slow_diagonal(layer.right.down, a.flip(2)).flip(2)
    h = slow_diagonal(layer.left, a) + F.pad(right, (0, 0, 1, 0))[:, :-1]  # the right half, one row lower
    assert_close(layer(a[None], None, 0)[0], widened(layer, a, h))


def test_the_cell_is_that_of_torch():
    theirs, x, h, c = torch.nn.LSTMCell(3, 4).double(), *torch.randn(3, 2, 4).double()
    x = x[:, :3]
    i, f, g, o = (theirs(x, (h, c)), F.linear(x, theirs.weight_ih, theirs.bias_ih)
                  + F.linear(h, theirs.weight_hh, theirs.bias_hh))[1].chunk(4, 1)
    ours = pixelrnn.cell(torch.cat([o, f, i, g], 1), c)
    for a, b in zip(ours, theirs(x, (h, c))):
        assert_close(a, b)


def test_gradients_are_right():
    gates, c, a = (torch.randn(1, n, 3, 3).double().requires_grad_() for n in (8, 2, 4))
    assert torch.autograd.gradcheck(pixelrnn.cell, (gates, c))
    assert torch.autograd.gradcheck(pixelcnn.gate, (gates,))
    for layer in (Masked(4, 2, 3, 3), RowLSTM(2, 3), DiagonalBiLSTM(2, 3)):
        assert torch.autograd.gradcheck(lambda a, f=layer: f.double()(a, None, 0)[0], (a,))


# ---- drawing

@every
@torch.no_grad()
def test_pixel_by_pixel_is_the_whole_picture(name):
    net = model(name).float()
    x = torch.cat([torch.full((3, 1), 2), torch.randint(2, (3, 29))], 1)
    logits, state = net(x[:, :1])
    found = [logits]
    for t in range(1, 30):
        logits, state = net(x[:, t : t + 1], state)
        found.append(logits)
    assert_close(torch.cat(found, 1), net(x)[0], rtol=1e-5, atol=1e-5)


@every
@torch.no_grad()
def test_what_one_pixel_costs_does_not_grow_with_the_picture(name):
    """Multiplications of one more pixel in the midst of a row: as many at 24 x 24 as at 6 x 6."""
    from torch.utils.flop_counter import FlopCounterMode

    def work(side):
        net, x = model(name, size=(side, side)).float(), torch.zeros(1, side * side, dtype=torch.long)
        state = net(x[:, : side * side - side // 2])[1]
        with FlopCounterMode(display=False) as counter:
            net(x[:, :1], state)
        return counter.get_total_flops()

    assert work(6) == work(24) > 0


@every
def test_greedy_drawing_is_the_same_in_one_go_and_by_hand(name):
    net, start = model(name), torch.tensor([[2]])
    x = generate(net, start, 30, greedy)
    by_hand = start
    for _ in range(30):
        by_hand = torch.cat([by_hand, net(by_hand)[0][:, -1:].argmax(-1)], 1)
    assert x.equal(by_hand)


# ---- care

@every
def test_an_empty_piece_changes_nothing(name):
    net, none = model(name), torch.zeros(2, 0, dtype=torch.long)
    assert net(none)[0].shape == (2, 0, 3) and net(none)[1] is None
    state = net(torch.tensor([[2, 0, 1]] * 2))[1]
    assert net(none, state)[1] is state


@every
def test_a_full_picture_is_full(name):
    net, x = model(name), torch.zeros(1, 30, dtype=torch.long)
    state = net(x)[1]
    with pytest.raises(ValueError, match="31 symbols: a picture of 5 x 6 pixels has room for start and 29"):
        net(x[:, :1], state)


@every
def test_a_saved_model_is_the_same_model(name, tmp_path):
    x = torch.tensor([[2, 0, 1, 1, 0, 1, 0, 0]])
    net, other = model(name), MODELS[name](2, (5, 6), 6, 2).double().eval()
    checkpoint.save(tmp_path / "m.safetensors", net)
    checkpoint.restore(tmp_path / "m.safetensors", other)
    assert other(x)[0].equal(net(x)[0])


@every
def test_it_learns_a_picture_by_heart(name):
    net, x = model(name).float().train(), tokens(torch.randint(2, (1, 5, 6)), 2)
    optimiser = torch.optim.Adam(net.parameters(), 3e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nll(net, x).backward()
        optimiser.step()
    assert nll(net, x) < 0.1


@every_raster
def test_grey_levels_are_learned_too(name):
    net, x = model(name, levels=256, size=(3, 3)).float(), tokens(torch.randint(256, (2, 3, 3)), 256)
    loss = nll(net, x)
    loss.backward()
    assert 6 < loss < 10 and all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("make, message", [
    (lambda: PixelCNN(1, (3, 3)), "levels is 1"),
    (lambda: PixelRowLSTM(2, (3, 0)), r"size is \(3, 0\)"),
    (lambda: GatedPixelCNN(2, (3, 3), hidden=0), "hidden is 0: expected at least 1"),
    (lambda: PixelDiagonalBiLSTM(2, (3, 3), layers=0), "layers is 0"),
    (lambda: PixelCNN(2, (3, 3), kernel=2), "kernel is 2"),
    (lambda: model("gated")(torch.tensor([[3]])), "ids from 3 to 3: this model knows 0 to 2"),
])
def test_bad_arguments_are_named(make, message, unchecked):
    with pytest.raises(ValueError, match=message):
        make()
