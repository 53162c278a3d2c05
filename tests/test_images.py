"""Pictures: completing and measuring them with any model, tables of neighbours, and scenes known exactly."""

import math
import os
from itertools import product
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from unrolled import checkpoint, images, orders, scenes
from unrolled.generate import greedy, sample
from unrolled.images import (
    bits_per_dim,
    complete,
    draw,
    entropy_map,
    nats,
    sees,
    shuffles,
    surprise_map,
    tokens,
)
from unrolled.model import SequenceModel
from unrolled.neighbours import Neighbours, nearest
from unrolled.ngram import NGram
from unrolled.pixelcnn import GatedPixelCNN
from unrolled.train import fit

MIRROR = Path(os.environ.get("UNROLLED_DATA") or Path(__file__).parents[2] / "shared" / "data")
BITS = torch.tensor(list(product((0, 1), repeat=6))).view(64, 2, 3)  # all pictures of 2 x 3 pixels


def model(levels=2, size=(2, 3)):
    return GatedPixelCNN(levels, size, 4, 2).double()


class Copies(SequenceModel):
    """Sure that the next pixel is as the last one, and that the first is 1."""

    vocab_size = 3

    def forward(self, x, state=None):
        return (torch.where(x == 2, 1, x)[..., None] == torch.arange(3)).double().log(), state


# ---- symbols

def test_tokens_begin_with_start_and_follow_the_order():
    picture = torch.tensor([[[0, 1], [2, 3]]])
    assert tokens(picture, 9).tolist() == [[9, 0, 1, 2, 3]]
    assert tokens(picture.to(torch.int8), 9, orders.by_columns(2, 2)).tolist() == [[9, 0, 2, 1, 3]]
    with pytest.raises(ValueError, match="levels 0 to 3: this model knows 0 to 2"):
        tokens(picture, 3)


def test_shuffles_show_each_picture_once_before_any_comes_again():
    pictures = torch.arange(10).view(10, 1, 1)
    batches = shuffles(pictures, 10, 5)
    for _ in range(3):
        seen = torch.cat([next(batches), next(batches)])
        assert sorted(seen[:, 1].tolist()) == list(range(10)) and (seen[:, 0] == 10).all()


def test_shuffles_go_on_where_they_were():
    pictures = torch.arange(10).view(10, 1, 1)
    first, second = shuffles(pictures, 10, 3), shuffles(pictures, 10, 3, seed=5)
    next(first)
    second.load_state_dict(first.state_dict())
    assert all(next(first).equal(next(second)) for _ in range(9))
    with pytest.raises(ValueError, match="batch is 11: expected 1 to 10"):
        shuffles(pictures, 10, 11)


# ---- measures

@pytest.mark.claim("X1")
def test_nats_are_the_chain_rule_and_all_pictures_have_probability_one():
    net = model()
    found = nats(net, BITS)
    assert_close(found.neg().exp().sum().item(), 1.0, rtol=0, atol=1e-12)
    by_hand = 0.0
    for t, pixel in enumerate(BITS[37].flatten()):
        before = torch.cat([torch.tensor([2]), BITS[37].flatten()[:t]])[None]
        by_hand -= net(before)[0][0, -1].softmax(-1)[pixel].log()
    assert_close(found[37], by_hand)


def test_a_model_that_is_sure_is_surprised_by_the_exception():
    picture = torch.tensor([[[1, 1], [1, 1]], [[1, 0], [0, 0]]])
    assert entropy_map(Copies(), picture).tolist() == torch.zeros(2, 2, 2).tolist()
    assert surprise_map(Copies(), picture).tolist() == [[[0, 0], [0, 0]], [[0, math.inf], [0, 0]]]


@pytest.mark.claim("X2")
def test_the_expected_surprise_is_the_entropy():
    """Over all pictures by their probability, at each pixel."""
    net = model()
    p = nats(net, BITS).neg().exp()[:, None, None]
    assert_close((p * surprise_map(net, BITS)).sum(0), (p * entropy_map(net, BITS)).sum(0))


@pytest.mark.claim("X4")
def test_maps_lie_on_the_page_in_any_order():
    """A model of independent pixels is as surprised by a pixel whenever it comes."""
    x = torch.randint(2, (50, 3, 4))
    net = NGram(1, 3, "add_alpha").fit(list(tokens(x, 2)))
    assert_close(surprise_map(net, x), surprise_map(net, x, orders.spiral(3, 4)))


def test_bits_per_dim_by_hand():
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    assert_close(bits_per_dim(torch.tensor([6.0]), 3 * 4 * 3), torch.tensor([6 / 36 / math.log(2)]))
    with pytest.raises(ValueError, match="dims is 0"):
        bits_per_dim(1.0, 0)


def test_a_table_of_neighbours_sees_its_neighbours():
    x = torch.randint(2, (200, 5, 5))
    net = Neighbours(2, (5, 5), 4).double().fit(tokens(x, 2))
    found = sees(net, x[0], (2, 2))
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[1, 1:4] = expected[2, 1] = True
    assert not (found & ~expected).any() and found.sum() >= 3  # by chance, one may weigh nothing


# ---- drawing

@pytest.mark.parametrize("order", [None, orders.spiral(4, 5)], ids=["raster", "spiral"])
def test_known_pixels_stay(order):
    x, known = torch.randint(2, (3, 4, 5)), torch.rand(4, 5) < 0.4
    drawn = complete(model(2, (4, 5)), x, known, order)
    assert drawn[:, known].equal(x[:, known]) and drawn.unique().tolist() == [0, 1]


def test_completion_with_greedy_choices_is_a_loop():
    net, x, known = model(2, (4, 5)), torch.randint(2, (2, 4, 5)), torch.rand(4, 5) < 0.5
    by_hand = tokens(x, 2)
    for t, kept in enumerate(known.flatten(), 1):
        if not kept:
            by_hand[:, t] = net(by_hand[:, :t])[0][:, -1].argmax(-1)
    assert complete(net, x, known, pick=greedy).flatten(1).equal(by_hand[:, 1:])


@pytest.mark.claim("X3")
def test_the_upper_half_decides_nothing_above_and_the_lower_is_drawn():
    known = images.upper_half(4, 3)
    assert known.tolist() == [[True] * 3] * 2 + [[False] * 3] * 2
    x = torch.tensor([[[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1]]])
    drawn = complete(Copies(), x, known, pick=greedy)
    assert drawn.tolist() == [[[1, 1, 1], [1, 1, 0], [0, 0, 0], [0, 0, 0]]]


@pytest.mark.claim("X5")
def test_drawn_pictures_have_the_probability_that_the_model_says():
    net, n = model(size=(2, 2)), 4000
    chance = torch.Generator().manual_seed(0)
    drawn = draw(net, n, (2, 2), pick=lambda logits: sample(logits, generator=chance))
    which = (drawn.flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1).bincount(minlength=16)
    p = nats(net, torch.tensor(list(product((0, 1), repeat=4))).view(16, 2, 2)).neg().exp()
    chi_squared = ((which - n * p) ** 2 / (n * p)).sum()
    assert chi_squared < 37.7  # one right sampler in a thousand is above, with 15 degrees of freedom


def test_a_model_that_could_write_start_is_not_allowed_to():
    """An n-gram model of the law has a logit for start, as for all of its symbols."""
    net = NGram(2, 3, "add_alpha", alpha=1000.0).fit(tokens(torch.randint(2, (1, 4, 4)), 2)[0])
    assert draw(net, 50, (4, 4)).max() == 1


# ---- n-grams for pixels

def test_the_nearest_neighbours():
    assert nearest(4) == [(0, -1), (-1, 0), (-1, -1), (-1, 1)] and nearest(0) == []
    assert set(nearest(10)) - set(nearest(4)) == {(0, -2), (-2, 0), (-1, -2), (-1, 2), (-2, -1), (-2, 1)}


@pytest.mark.parametrize("by_place", [False, True])
def test_a_table_counts_what_a_loop_counts(by_place):
    x, alpha = torch.randint(3, (20, 3, 4)), 0.5
    net = Neighbours(3, (3, 4), 2, alpha, by_place).double().fit(tokens(x[1:], 3))

    def context(picture, r, c):
        left, up = (picture[r, c - 1].item() if c else 3), (picture[r - 1, c].item() if r else 3)
        return (left, up, r, c) if by_place else (left, up)

    log_p = net(tokens(x[:1], 3)[:, :-1])[0][0].view(3, 4, 4)
    for r, c in product(range(3), range(4)):
        same = [p[r2, c2].item() for p in x[1:] for r2, c2 in product(range(3), range(4))
                if context(p, r2, c2) == context(x[0], r, c)]
        for level in range(3):
            expected = (same.count(level) + alpha) / (len(same) + 3 * alpha)
            assert log_p[r, c, level].exp().item() == pytest.approx(expected)


def test_neighbours_on_a_page_say_more_than_those_on_a_line():
    """Digits, nats on the last 297: an n-gram of the line, and the same number of neighbours on the page."""
    pictures = images.digits()
    read, new = tokens(pictures[:1500], 2), pictures[1500:]
    line = nats(NGram(5, 3).fit(list(read)), new).mean()
    page = nats(Neighbours(2, (8, 8), 4).fit(read), new).mean()
    assert page < line - 5 and page < 25


def test_a_saved_table_is_the_same_table(tmp_path):
    x = tokens(torch.randint(2, (9, 4, 4)), 2)
    net = Neighbours(2, (4, 4)).fit(x)
    checkpoint.save(tmp_path / "t.safetensors", net)
    checkpoint.restore(tmp_path / "t.safetensors", other := Neighbours(2, (4, 4)))
    assert other(x[:, :-1])[0].equal(net(x[:, :-1])[0])
    with pytest.raises(ValueError, match="counts 2 levels, the model 5"):
        Neighbours(5, (4, 4)).load_state_dict(net.state_dict())


def test_bad_tables_are_named(unchecked):
    net = Neighbours(2, (4, 4))
    for make, message in [
        (lambda: Neighbours(2, (4, 4), -1), "k is -1"),
        (lambda: Neighbours(2, (4, 4), alpha=0), "alpha is 0"),
        (lambda: Neighbours(256, (28, 28), 9), "few enough"),
        (lambda: net.fit(torch.zeros(2, 9).long()), r"shape \(2, 9\): expected pictures \(B, 17\)"),
        (lambda: net.fit(tokens(torch.zeros(1, 4, 4).long(), 2))(torch.zeros(1, 17).long()), "17 symbols"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(RuntimeError, match="call fit"):
        Neighbours(2, (4, 4))(torch.tensor([[2]]))


# ---- scenes

ORACLE = scenes.Oracle().double().eval()


def test_scenes_are_a_distribution():
    p, kinds = scenes.scenes()
    assert p.sum().item() == pytest.approx(1) and kinds.shape == (len(p), 144)
    assert all(sum(row) == pytest.approx(1) and len(row) == len(scenes.LEVELS) for row in scenes.PAINT)
    assert len(kinds.unique(dim=0)) == len(p)


def test_the_oracle_is_bayes_rule():
    """p(picture) by summing over all scenes at once, without reading pixel by pixel."""
    p, kinds = scenes.scenes()
    x = scenes.sample(5, seed=1)
    log_fit = ORACLE.paint.log()[kinds[None], x.flatten(1)[:, None]].sum(-1)  # (5, K)
    whole = torch.logsumexp(p.log() + log_fit, 1)
    assert_close(nats(ORACLE, x), -whole, rtol=1e-6, atol=1e-6)


def test_the_oracle_expects_the_surprise_that_it_meets():
    """On 200 pictures, the mean surprise is within four standard errors of the mean entropy."""
    x = scenes.sample(200, seed=2)
    gap = (surprise_map(ORACLE, x) - entropy_map(ORACLE, x)).sum((1, 2))
    assert gap.mean().abs() < 4 * gap.std() / 200**0.5


@pytest.mark.claim("X2")
def test_the_bird_is_wide_and_the_grass_is_narrow():
    """Lecture X2: bits of entropy where a bird turned out to be, and where grass did."""
    p, kinds = scenes.scenes()
    x = scenes.sample(50, seed=3)
    best = (ORACLE.paint.log()[kinds[None], x.flatten(1)[:, None]].sum(-1) + p.log()).argmax(1)
    where, entropy = kinds[best].view(-1, 12, 12), entropy_map(ORACLE, x)
    assert entropy[where >= 2].mean() > 1.5 > 0.6 > entropy[where == 1].mean()


def test_scenes_are_the_same_for_a_seed():
    assert scenes.sample(3, 1).equal(scenes.sample(3, 1)) and scenes.sample(0).shape == (0, 12, 12)
    assert not scenes.sample(3, 1).equal(scenes.sample(3, 2))
    with pytest.raises(ValueError, match="n is -1"):
        scenes.sample(-1)


def test_a_trained_model_does_not_beat_the_oracle():
    """A small network learns much in a few steps, and what is left to learn is known."""
    net, new = GatedPixelCNN(6, scenes.SIZE, 12, 3), scenes.sample(100, seed=9)
    fit(net, shuffles(scenes.sample(500, seed=4), 6), 40, lr=1e-2)
    floor, found = nats(ORACLE, new).mean(), nats(net, new).mean()
    assert floor < found < 1.6 * floor < 144 * math.log(6) / 2


# ---- pictures

def test_digits_are_black_and_white_or_grey():
    assert images.digits().shape == (1797, 8, 8) and images.digits().unique().tolist() == [0, 1]
    assert images.digits(17).max() == 16 and (images.digits(17) >= 8).equal(images.digits() == 1)
    with pytest.raises(ValueError, match="levels is 16: expected 2 or 17"):
        images.digits(16)


def test_parts_of_mnist_are_named():
    with pytest.raises(ValueError, match="part is 'dev': expected 'train', 'valid' or 'test'"):
        images.binarised_mnist("dev")


@pytest.mark.realdata
@pytest.mark.skipif(not (MIRROR / "binarized_mnist").is_dir(), reason="needs the mirror of public data")
def test_binarised_mnist_is_the_published_one(monkeypatch):
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    from scipy.io import loadmat

    for part, n in [("valid", 10_000), ("test", 10_000), ("train", 50_000)]:
        pictures = images.binarised_mnist(part)
        assert pictures.shape == (n, 28, 28) and pictures.max() == 1
        theirs = loadmat(MIRROR / "binarized_mnist" / f"binarized_mnist_{part}.amat", variable_names="X")["X"]
        assert pictures.flatten(1).equal(torch.from_numpy(theirs))


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif(not (MIRROR / "binarized_mnist").is_dir(), reason="needs the mirror of public data")
def test_independent_pixels_and_four_neighbours_of_mnist(monkeypatch):
    """205.79 and 115.70 nats on the test set, measured before by another program."""
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    read, new = tokens(images.binarised_mnist("train"), 2), images.binarised_mnist("test")
    places = nats(Neighbours(2, (28, 28), 0, by_place=True).fit(read), new).mean().item()
    four = nats(Neighbours(2, (28, 28), 4).fit(read), new).mean().item()
    assert places == pytest.approx(205.79, abs=0.05) and four < 116
