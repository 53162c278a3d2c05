"""Orders of pixels: each is a permutation with an exact inverse, and goes where its name says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import orders
from unrolled.orders import Order

ORDERS = [orders.raster, orders.reverse, orders.by_columns, orders.spiral, orders.shuffled, orders.clusters,
          orders.coarse_to_fine]
each = pytest.mark.parametrize("make", ORDERS, ids=lambda make: make.__name__)
sides = st.integers(1, 9)


@each
@given(sides, sides)
@settings(deadline=None)
def test_line_and_picture_are_inverse(make, R, C):
    order, pictures = make(R, C), torch.arange(2 * R * C).view(2, R, C)
    line = order.line(pictures)
    assert line.shape == (2, R * C) and order.picture(line).equal(pictures)
    assert order.line(order.picture(pictures.flatten(1))).equal(pictures.flatten(1))


@each
def test_places_and_ranks_are_inverse_permutations(make):
    order = make(5, 7)
    assert order.places[order.ranks].equal(torch.arange(35))
    assert order.ranks[order.places].equal(torch.arange(35))


@pytest.mark.parametrize("make, ranks", [
    (orders.raster, [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
    (orders.reverse, [[8, 7, 6], [5, 4, 3], [2, 1, 0]]),
    (orders.by_columns, [[0, 3, 6], [1, 4, 7], [2, 5, 8]]),
    (orders.spiral, [[0, 1, 2], [7, 8, 3], [6, 5, 4]]),
    (lambda R, C: orders.clusters(R, C, 2), [[0, 1, 4], [2, 3, 5], [6, 7, 8]]),
], ids=["raster", "reverse", "by_columns", "spiral", "clusters"])
def test_small_ones_by_hand(make, ranks):
    """Each pixel shows when it comes."""
    assert make(3, 3).picture(torch.arange(9)).tolist() == ranks


def test_coarse_to_fine_draws_every_grid_before_the_next_finer_one():
    ranks = orders.coarse_to_fine(8, 8).picture(torch.arange(64))
    for step in (4, 2, 1):
        coarse = ranks[::step, ::step].flatten().sort().values
        assert coarse.equal(torch.arange((8 // step) ** 2))


def test_the_seed_decides_the_shuffled_order():
    assert orders.shuffled(6, 6, 1).places.equal(orders.shuffled(6, 6, 1).places)
    assert not orders.shuffled(6, 6, 1).places.equal(orders.shuffled(6, 6, 2).places)


def test_maps_of_real_numbers_are_reordered_too():
    order, entropy = orders.spiral(4, 5), torch.randn(3, 4, 5)
    assert order.picture(order.line(entropy)).equal(entropy)


def test_an_order_says_what_it_is():
    assert repr(orders.spiral(4, 5)) == "spiral order of 4 x 5 pixels"


def test_what_is_no_order_is_refused(unchecked):
    with pytest.raises(ValueError, match="'mine': expected each of 0 to 3 exactly once"):
        Order("mine", (2, 2), torch.tensor([0, 1, 1, 3]))
    with pytest.raises(ValueError, match="at least one row"):
        orders.raster(0, 4)
    with pytest.raises(ValueError, match="side is 0"):
        orders.clusters(4, 4, 0)
    with pytest.raises(ValueError, match=r"shape \(1, 4, 5\): this order is for \(5, 4\)"):
        orders.raster(5, 4).line(torch.zeros(1, 4, 5))
    with pytest.raises(ValueError, match="7 pixels: this order is for 6"):
        orders.raster(2, 3).picture(torch.zeros(7))
