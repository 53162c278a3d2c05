"""The worlds keep their rules: beside Gymnasium, beside hand-drawn pictures, and by enumeration (A1, A2)."""

import itertools

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close
from unrolled.canvas import DRAW, MOVE, Canvas, likeness, strokes
from unrolled.worlds import CartPole, TMaze, as_gymnasium, best_memoryless, swing

KINDS = {"maze": lambda B: TMaze(4, B), "canvas": lambda B: Canvas(5, B), "pole": lambda B: CartPole(B)}
worlds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def actions(world, chance):
    sizes = getattr(world.action_space, "nvec", None) or [world.action_space.n]
    a = torch.stack([torch.randint(n, (world.batch,), generator=chance) for n in sizes], -1)
    return a if len(sizes) > 1 else a[:, 0]


def lived(world, seed=0, steps=40):
    """What chance sees and gets in the world."""
    chance, x = torch.Generator().manual_seed(seed), world.reset(seed)[0]
    rows = [(x, *world.step(actions(world, chance))[:4]) for _ in range(steps)]
    return [torch.stack(column, 1) for column in zip(*[row[1:] for row in rows])]


# ---- the interface

@worlds
def test_gymnasium_finds_nothing_to_complain_about(make, recwarn):
    check_env(as_gymnasium(make(1)), skip_render_check=True)
    assert [str(w.message) for w in recwarn] == []


@worlds
def test_a_seed_names_a_life(make):
    one, other, third = lived(make(3)), lived(make(3)), lived(make(3), seed=1)
    assert all(a.equal(b) for a, b in zip(one, other))
    assert not all(a.equal(b) for a, b in zip(one, third))


@worlds
def test_what_is_over_stands_still_and_pays_nothing(make):
    x, reward, terminated, truncated = lived(make(6), steps=60)
    assert not (terminated & truncated).any()
    over = (terminated | truncated)[:, :-1]
    assert over.any() and not reward[:, 1:][over].any()
    assert x[:, 1:][over].equal(x[:, :-1][over])
    assert (terminated | truncated)[:, 1:][over].all()


@worlds
def test_the_clock_ends_every_world(make):
    world = make(2)
    lived(world, steps=world.limit)
    assert world.over.all()


@worlds
@pytest.mark.parametrize("bad", [torch.zeros(2), torch.zeros(3, dtype=torch.long), torch.full((2, 2), 99)])
def test_what_is_no_action_is_refused(make, bad):
    world = make(2)
    world.reset(0)
    with pytest.raises(ValueError, match="a is|a goes"):
        world.step(bad)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="length is 0"):
        TMaze(0, limit=3)
    with pytest.raises(ValueError, match="limit 0"):
        TMaze(3, limit=0)
    with pytest.raises(ValueError, match="batch is 0"):
        CartPole(0)
    with pytest.raises(ValueError, match="batch of 2"):
        as_gymnasium(TMaze(3, 2))


# ---- the T-maze

def walk(length, route, cue):
    world = TMaze(length, len(cue))
    seen, paid = [world.reset(options={"cue": cue})[0]], []
    for a in route:
        x, reward, *_ = world.step(torch.full_like(cue, a))
        seen.append(x)
        paid.append(reward)
    return torch.stack(seen, 1), torch.stack(paid, 1), world.terminated


def test_a_walk_through_the_maze_by_hand():
    seen, paid, over = walk(2, [2, 0, 2, 2, 1], torch.tensor([0, 1]))
    assert seen.tolist() == [[0, 2, 2, 3, 3, 3], [1, 2, 2, 3, 3, 3]]
    assert_close(paid, torch.tensor([[0, -0.1, 0, -0.1, 0], [0, -0.1, 0, -0.1, 1.0]]))
    assert over.tolist() == [True, True]


def test_a_corridor_can_grow():
    world = TMaze(1)
    world.resize(2)
    cue, _ = world.reset(0)
    seen = [world.step(torch.tensor([2]))[0].item() for _ in range(2)]
    assert seen == [2, 3] and world.step(cue)[1].item() == 1 and world.limit == 16


def test_one_bit_of_memory_wins_and_none_gets_half():
    for cue in 0, 1:
        assert walk(5, [2] * 5 + [cue], torch.tensor([cue]))[1].sum() == 1
    assert [best_memoryless(length) for length in (1, 3, 8)] == [0.5] * 3


def expected(p, length, limit):
    """The mean return of a memoryless policy that rolls dice, p[seen][action], by going through all moves."""
    total = 0.0
    for cue in 0, 1:
        here = {0: 1.0}                                       # how likely one stands where
        for time in range(limit):
            then = {}
            for at, chance in here.items():
                q = p[cue if time == 0 else 3 if at == length else 2]
                forward, turn = chance * q[2], chance * (q[0] + q[1])
                total += chance * q[cue] - 0.1 * forward if at == length else -0.1 * turn
                then[min(at + 1, length)] = then.get(min(at + 1, length), 0) + forward
                if at < length:
                    then[at] = then.get(at, 0) + turn
            here = then
    return total / 2


@given(st.lists(st.floats(-6, 6), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_dice_do_not_help_who_has_no_memory(scores):
    assert expected(torch.tensor(scores, dtype=torch.float64).view(4, 3).softmax(1).tolist(), 3, 19) <= 0.5


def test_the_reckoning_of_dice_agrees_with_the_world():
    p = torch.tensor([[0.1, 0.1, 0.8], [0.2, 0.2, 0.6], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])
    world = TMaze(3, 40_000)
    (x, _), total, chance = world.reset(0), 0, torch.Generator().manual_seed(0)
    while not world.over.all():
        x, reward, *_ = world.step(torch.multinomial(p[x], 1, generator=chance)[:, 0])
        total += reward.mean().item()
    assert total == pytest.approx(expected(p.tolist(), 3, world.limit), abs=0.01)


# ---- the canvas

def picture(text):
    return torch.tensor([[int(mark) for mark in line] for line in text.split()]) / 9


def test_a_stroke_is_as_drawn_by_hand():
    ink = strokes(5)
    straight = "00000 99999 00000 00000 00000"
    assert_close(ink[5, 9].view(5, 5), picture(straight))
    assert_close(ink[12, 12].view(5, 5), picture("00000 00000 00900 00000 00000"))
    diagonal = ink[0, 24].view(5, 5)
    assert (diagonal.diagonal() == 1).all()
    assert_close(diagonal.diagonal(1), torch.full((4,), 2 - 2**0.5))       # 1/sqrt(2) away from the line


@given(st.integers(0, 35), st.integers(0, 35))
@settings(max_examples=40, deadline=None)
def test_a_stroke_has_no_direction_and_holds_its_ends(a, b):
    ink = strokes(6)
    assert_close(ink[a, b], ink[b, a], atol=1e-5, rtol=0)
    assert ink[a, b, a] == ink[a, b, b] == 1 and 0 <= ink.min() <= ink.max() <= 1


def test_a_lifted_pen_leaves_no_ink():
    world = Canvas(5, 1)
    world.reset(options={"target": picture("00000 99999 00000 00000 00000")[None]})
    x, reward, *_ = world.step(torch.tensor([[MOVE, 5]]))
    assert not x[0, :25].any() and reward.item() == 0 and x[0, 50:].nonzero().item() == 5
    x, reward, *_ = world.step(torch.tensor([[DRAW, 9]]))
    assert x[0, :25].equal(x[0, 25:50]) and reward.item() == pytest.approx(1)


def test_the_return_is_the_likeness_of_the_finished_drawing():
    world = Canvas(6, 20)
    x, reward, terminated, _ = lived(world, steps=world.limit)
    assert terminated[:, -1].all() and not terminated[:, -2].any()
    assert_close(reward.sum(1), likeness(x[:, -1, :36], x[:, -1, 36:72]))


def test_targets_can_be_drawn_with_the_actions_that_there_are():
    """Each target is compared with all drawings of one stroke, which is all that two actions allow."""
    world, ink = Canvas(4, 30, limit=2), strokes(4).view(-1, 16)
    world.reset(3)
    best = torch.stack([likeness(target.expand_as(ink), ink).max() for target in world.target])
    assert_close(best, torch.ones(30))


def test_targets_may_be_brought_along():
    mine = torch.stack([picture("90000 90000 90000 90000 90000"), picture("99999 00000 00000 00000 00000")])
    world = Canvas(5, 40, targets=mine)
    world.reset(0)
    assert {tuple(t.tolist()) for t in world.target} == {tuple(t.flatten().tolist()) for t in mine}


def test_likeness_is_1_for_the_same_and_0_without_common_ink():
    a, b = picture("900 000 000").view(1, 9), picture("000 000 009").view(1, 9)
    assert likeness(a, a) == 1 and likeness(a, b) == 0 and likeness(a, (a + b)) == pytest.approx(2 / 3)


# ---- the pole

def test_the_pole_falls_as_gymnasium_lets_it_fall():
    theirs, chance = gymnasium.make("CartPole-v1").unwrapped, np.random.default_rng(0)
    for state, a in zip(chance.uniform(-0.15, 0.15, (40, 4)) * [10, 10, 1, 10], chance.integers(2, size=40)):
        theirs.reset(seed=0)
        theirs.state = tuple(state)
        theirs.step(a)
        ours = swing(torch.tensor(state)[None], torch.tensor([20.0 * a - 10], dtype=torch.float64))
        assert_close(ours[0], torch.tensor(np.array(theirs.state)), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("place, angle, over", [(2.39, 0, 0), (2.41, 0, 1), (0, 0.21, 1), (0, -0.2, 0)])
def test_the_pole_has_fallen_at_12_degrees_and_the_cart_may_go_so_far(place, angle, over):
    world = CartPole(1)
    world.reset(options={"state": torch.tensor([[place, 0.0, angle, 0.0]])})
    assert world.step(torch.tensor([0]))[2].item() == over


def test_velocities_are_seen_only_if_asked_for():
    state = torch.tensor([[1.2, 0.5, torch.pi / 30, -0.5]])
    hidden, open_ = CartPole(), CartPole(velocities=True)
    assert_close(hidden.reset(options={"state": state})[0], torch.tensor([[0.5, 0.5]]))
    assert_close(open_.reset(options={"state": state})[0], torch.tensor([[0.5, 0.5, 0.5, -0.5]]))


def test_worlds_of_a_batch_are_strangers():
    cues = torch.tensor([0, 1, 1, 0])
    routes = torch.tensor(list(itertools.islice(itertools.product(range(3), repeat=4), 5, 81, 19)))
    def run(some):
        world = TMaze(2, len(some))
        world.reset(options={"cue": cues[some]})
        return torch.stack([world.step(a)[1] for a in routes[some].unbind(1)], 1)
    together = run(torch.arange(4))
    assert_close(together, torch.cat([run(torch.tensor([i])) for i in range(4)]))
