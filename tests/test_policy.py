"""A policy obeys the law, learns by the exact gradient, and needs memory where the world does (A1 to A3)."""

import itertools
from functools import partial
from itertools import islice

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from unrolled import checkpoint
from unrolled.canvas import Canvas
from unrolled.generate import generate, greedy, sample
from unrolled.gru import GRUCore
from unrolled.lstm import LSTMCore
from unrolled.plays import learn, plays, standard
from unrolled.policy import Memoryless, Policy, advantages, clipped, play, policy_gradient, returns_to_go
from unrolled.runs import Run
from unrolled.train import train
from unrolled.worlds import TMaze

tensor = partial(torch.tensor, dtype=torch.float64)


def maze_policy(hidden=6):
    return Policy(GRUCore(4, hidden), 3, 4)


def drawer(core=LSTMCore, size=3):
    return Policy(core(5, 7), (2, size**2), nn.Linear(3 * size**2, 5))


# ---- the law

@pytest.mark.parametrize("core", [LSTMCore, GRUCore])
def test_reading_whole_or_in_pieces_gives_the_same_logits(core):
    policy, x, state, logits = drawer(core).double(), torch.rand(3, 9, 27).double(), None, []
    for piece in x.split([2, 0, 1, 6], 1):
        out, state = policy(piece, state)
        logits.append(out)
    assert_close(torch.cat(logits, 1), policy(x)[0])


def test_without_memory_only_what_is_seen_now_counts():
    policy = Policy(Memoryless(4, 6), 3, 4)
    one, other = (policy(torch.tensor([row]))[0][0, -1] for row in ([0, 2, 3], [1, 3, 3]))
    assert_close(one, other)
    assert policy(torch.empty(2, 0, dtype=torch.long))[1] is None


def test_reading_nothing_changes_nothing():
    policy = maze_policy()
    _, state = policy(torch.tensor([[0, 2]]))
    logits, same = policy(torch.empty(1, 0, dtype=torch.long), state)
    assert logits.shape == (1, 0, 3) and same is state


@pytest.mark.parametrize("actions, encoder", [(0, 4), ((2, 0), 4), ((), 4), (3, 0)])
def test_a_policy_without_choices_or_sight_is_refused(actions, encoder):
    with pytest.raises(ValueError, match="at least 1"):
        Policy(GRUCore(4, 6), actions, encoder)


def test_symbols_that_it_does_not_know_are_refused():
    with pytest.raises(ValueError, match="ids from 4 to 4"):
        maze_policy()(torch.tensor([[4]]))


# ---- playing is generating

class Echo:
    """A world that shows what was done last: a sheet of paper."""

    def __init__(self, prompt, steps):
        self.prompt, self.steps = prompt, steps

    def reset(self, seed=None):
        self.left = self.steps
        return self.prompt, {}

    def step(self, a):
        self.left -= 1
        return a, torch.zeros(len(a)), self.over, ~self.over, {}

    @property
    def over(self):
        return torch.full((len(self.prompt),), self.left == 0)


def by_chance():
    return partial(sample, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("pick", [lambda: greedy, by_chance])
def test_on_paper_playing_is_generating(pick):
    policy, prompt = Policy(GRUCore(4, 6), 5, 5), torch.tensor([0, 3, 4])
    episode = play(policy, Echo(prompt, 12), pick())
    written = generate(policy, prompt[:, None], 12, pick())
    assert episode.a.equal(written[:, 1:]) and episode.x.equal(written[:, :-1])


def test_an_episode_pairs_what_was_seen_with_what_was_done_then():
    episode = play(maze_policy(), TMaze(3, 20), seed=5)
    world = TMaze(3, 20)
    x, _ = world.reset(5)
    for t in range(episode.a.shape[1]):
        assert x.equal(episode.x[:, t]) and episode.alive[:, t].equal(~world.over)
        x, reward, *_ = world.step(episode.a[:, t])
        assert reward.equal(episode.reward[:, t])
    assert world.over.all()


# ---- returns and advantages

def test_returns_and_advantages_by_hand():
    reward, value = tensor([[1.0, 0, 2]]), tensor([[0.5, 1, 1.5]])             # surprises 1, -1/4, 1/2
    assert_close(returns_to_go(reward), tensor([[3.0, 2, 2]]))
    assert_close(returns_to_go(reward, 0.5), tensor([[1.5, 1, 2]]))
    assert_close(advantages(reward, value, 0.5, 0.5), tensor([[0.96875, -0.125, 0.5]]))


def test_the_ends_of_lambda_are_the_whole_return_and_one_surprise():
    reward, value = torch.randn(3, 7), torch.randn(3, 7)
    assert_close(advantages(reward, value, 0.9, 1), returns_to_go(reward, 0.9) - value)
    after = torch.cat([value[:, 1:], torch.zeros(3, 1)], 1)
    assert_close(advantages(reward, value, 0.9, 0), reward + 0.9 * after - value)


def test_what_comes_after_an_end_does_not_count():
    reward, value = torch.randn(2, 4), torch.randn(2, 4)
    padded = [torch.cat([t, torch.zeros(2, 3)], 1) for t in (reward, value)]
    assert_close(advantages(*padded, 0.9, 0.8)[:, :4], advantages(reward, value, 0.9, 0.8))
    assert returns_to_go(reward[:, :0]).shape == (2, 0)


# ---- the gradient, exactly

@pytest.fixture(scope="module")
def everything():
    """All that can happen in a maze of length 1 within three steps: 27 ways to act after each of two cues."""
    routes = torch.tensor(list(itertools.product(range(3), repeat=3)))
    routes, cue = routes.repeat(2, 1), torch.arange(2).repeat_interleave(27)
    world, steps = TMaze(1, 54, limit=3), []
    x, _ = world.reset(options={"cue": cue})
    for a in routes.unbind(1):
        alive = ~world.over
        seen, (x, reward, *_) = x, world.step(a)
        steps.append((seen, reward.double(), alive))
    return routes, *(torch.stack(column, 1) for column in zip(*steps))


def exact(policy, everything):
    """The mean return, and log p of all actions, of all that can happen."""
    routes, x, reward, alive = everything
    logp, _, value = policy.judge(policy.read(x)[0], routes)
    likely = logp.sum(1).exp() / 2
    return (likely * reward.sum(1)).sum(), logp, value, likely.detach()


def flat(loss, policy):
    grads = torch.autograd.grad(loss, list(policy.parameters()), retain_graph=True, allow_unused=True)
    return torch.cat([torch.zeros(p.numel()).double() if g is None else g.flatten()
                      for p, g in zip(policy.parameters(), grads)])


def mean_loss(logp, gain, likely, alive):
    """`policy_gradient` on all that can happen, each as often as it happens."""
    rows = [policy_gradient(l[None], g[None]) for l, g in zip(logp, gain * alive)]
    return (torch.stack(rows) * likely).sum()


@pytest.mark.parametrize("baseline", ["none", "value", "constant"])
def test_reinforce_is_on_average_the_gradient_of_the_expected_return(everything, baseline):
    policy = maze_policy().double()
    expected, logp, value, likely = exact(policy, everything)
    assert likely.sum() == pytest.approx(1)
    _, _, reward, alive = everything
    b = {"none": 0, "value": value, "constant": 7.0}[baseline]
    loss = mean_loss(logp, returns_to_go(reward) - b, likely, alive)
    assert_close(flat(-loss, policy), flat(expected, policy), atol=1e-12, rtol=1e-9)


def test_a_baseline_that_knows_the_action_is_wrong(everything):
    policy = maze_policy().double()
    expected, logp, _, likely = exact(policy, everything)
    routes, _, reward, alive = everything
    loss = mean_loss(logp, returns_to_go(reward) - (routes == 0).double(), likely, alive)
    assert (flat(-loss, policy) - flat(expected, policy)).abs().max() > 1e-3


def test_the_first_step_of_ppo_is_the_policy_gradient(everything):
    policy = maze_policy().double()
    _, logp, _, _ = exact(policy, everything)
    gain = torch.randn(logp.shape, dtype=torch.float64)
    assert_close(flat(clipped(logp, logp, gain), policy), flat(policy_gradient(logp, gain), policy))


@pytest.mark.parametrize("ratio, gain, loss, slope", [
    (1.1, 2, -2.2, -2.2),         # within the band: as without clipping
    (1.5, 2, -2.4, 0),            # good, and already likely enough: no further push
    (1.5, -2, 3.0, 3.0),          # bad, and grown likely: pushed back with all force
    (0.5, 2, -1.0, -1.0),         # good, and grown unlikely: pushed up with all force
    (0.5, -2, 1.6, 0),            # bad, and already unlikely enough
])
def test_clipping_by_hand(ratio, gain, loss, slope):
    logp = tensor([[ratio]]).log().requires_grad_()
    found = clipped(logp, tensor([[0.0]]), tensor([[gain]]))
    assert found.item() == pytest.approx(loss)
    assert torch.autograd.grad(found, logp)[0].item() == pytest.approx(slope)


def test_one_epoch_is_reinforce_with_the_value_as_baseline():
    policy, world = maze_policy().double(), TMaze(3, 16)
    source = plays(policy, world, epochs=1, gamma=0.9, lam=1, entropy=0)
    e = next(source)
    logp, _, value = policy.judge(policy.read(e.x)[0], e.a)
    gain = standard(returns_to_go(e.reward.double(), 0.9) - value * e.alive, e.alive)
    error = ((value - returns_to_go(e.reward.double(), 0.9)) ** 2 * e.alive).sum() / 2
    by_hand = (policy_gradient(logp, gain) * 16 + error) / e.alive.sum()
    e = e._replace(reward=e.reward.double())
    assert_close(flat(source.loss(policy, e), policy), flat(by_hand, policy))


# ---- actions of several parts

def test_the_parts_of_an_action_make_one_distribution_and_its_entropy_is_right_on_average():
    policy, h = Policy(LSTMCore(3, 5), (2, 3, 4), 6).double(), torch.randn(2, 1, 5).double()
    every = torch.tensor(list(itertools.product(range(2), range(3), range(4))))
    logp, entropy, _ = policy.judge(h.repeat(1, 24, 1), every.expand(2, -1, -1))
    p = logp.exp()
    assert_close(p.sum(1), torch.ones(2).double())
    assert_close((p * entropy).sum(1), -(p * logp).sum(1))


def test_a_later_part_is_told_what_was_chosen_before():
    policy, h = Policy(LSTMCore(3, 5), (2, 4), 6), torch.randn(1, 1, 5)
    second = [policy.heads[1](policy.after(h, 0, torch.tensor([[pen]]))) for pen in (0, 1)]
    assert (second[0].log_softmax(-1) - second[1].log_softmax(-1)).abs().max() > 0.05


def test_actions_are_drawn_as_often_as_the_policy_says():
    policy, n = Policy(LSTMCore(3, 5), (2, 3), 6), 20_000
    h = torch.randn(1, 5)
    a = policy.choose(h.expand(n, 5), partial(sample, generator=torch.Generator().manual_seed(0)))
    every = torch.tensor(list(itertools.product(range(2), range(3))))
    p = policy.judge(h.expand(1, 6, 5), every[None])[0].exp()[0]
    share = torch.bincount(a[:, 0] * 3 + a[:, 1], minlength=6) / n
    assert_close(share, p.detach(), atol=0.015, rtol=0)


# ---- learning

def solved(core, updates, seed=0):
    """The mean return of the likeliest actions in a T-maze of length 5, after so many updates."""
    torch.manual_seed(seed)
    policy = Policy(core(8, 24), 3, 4)
    for _ in islice(learn(policy, plays(policy, TMaze(5, 64)), lr=1e-2), updates):
        pass
    return play(policy, TMaze(5, 200), greedy, seed=9).reward.sum(1).mean().item()


def test_a_recurrent_policy_solves_the_maze():
    assert solved(partial(GRUCore, fused=True), 80) == pytest.approx(1)


def test_a_policy_without_memory_does_not():
    assert solved(Memoryless, 80) < 0.6


def test_the_one_training_loop_trains_a_policy_and_learn_tells_the_score():
    torch.manual_seed(0)
    policy = maze_policy()
    losses = [step.loss for step in islice(train(policy, plays(policy, TMaze(2, 8)), 1e-2), 6)]
    torch.manual_seed(0)
    policy = maze_policy()
    source = plays(policy, TMaze(2, 8))
    steps = list(islice(learn(policy, source, 1e-2), 6))
    assert [step.loss for step in steps] == losses
    assert steps[-1].score == source.score and steps[-1].frames == source.frames > 0


def test_a_drawing_policy_gets_better_at_its_one_drawing():
    torch.manual_seed(0)
    target = torch.zeros(1, 3, 3)
    target[0, 1] = 1
    world, policy = Canvas(3, 32, limit=3, targets=target), drawer(partial(LSTMCore, fused=True))
    scores = [step.score for step in islice(learn(policy, plays(policy, world), 1e-2), 120)]
    assert scores[-1] > 0.85 > 0.6 > scores[0]


@pytest.mark.parametrize("stop", [3, 4])               # in the middle of an episode's use, and after it
def test_a_training_goes_on_bit_for_bit(stop, tmp_path):
    def start():
        torch.manual_seed(1)
        policy = maze_policy()
        return Run(policy, plays(policy, TMaze(2, 8)), None, 1e-2)

    def go(run, n):
        return [s.loss for s in islice(train(run.model, run.batches, optimiser=run.optimiser), n)]

    whole, first, second = start(), start(), start()
    expected = go(whole, 9)
    assert go(first, stop) == expected[:stop]
    first.keep(tmp_path / "x.safetensors")
    second.load(tmp_path / "x.safetensors")
    assert go(second, 9 - stop) == expected[stop:]
    assert second.batches.frames == whole.batches.frames


def test_a_saved_policy_acts_as_it_did(tmp_path):
    policy, other = drawer(), drawer()
    checkpoint.save(tmp_path / "p.safetensors", policy)
    before = play(other, Canvas(3, 4), greedy, seed=1).a
    checkpoint.restore(tmp_path / "p.safetensors", other)
    after = play(other, Canvas(3, 4), greedy, seed=1).a
    assert after.equal(play(policy, Canvas(3, 4), greedy, seed=1).a) and not after.equal(before)


def test_gains_are_measured_over_the_steps_that_were_lived():
    alive = torch.tensor([[True, True, False], [True, False, False]])
    found = standard(tensor([[1, 2, 50], [3, 60, 70]]), alive)
    assert_close(found, tensor([[-1, 0, 0], [1, 0, 0]]) * (1.5**0.5), atol=3e-3, rtol=0)


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match="epochs is 0"):
        plays(maze_policy(), TMaze(2), epochs=0)
