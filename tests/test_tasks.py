"""The memory tasks are what they say: answers follow from what was read, guessing costs what is stated."""

import math
from itertools import islice

import jaxtyping
import pytest
import torch
from unrolled import stories
from unrolled.memory import Capital, story_words, success_by_lag
from unrolled.model import Core, SequenceModel
from unrolled.rnn import RNN
from unrolled.tasks import Adding, Brackets, Copy, Readout, Recall
from unrolled.train import fit, train

SYMBOLIC = {"recall": Recall(7), "copy": Copy(12), "brackets": Brackets(3), "capital": Capital(6)}
TASKS = SYMBOLIC | {"adding": Adding(20)}
every = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
symbolic = pytest.mark.parametrize("task", SYMBOLIC.values(), ids=list(SYMBOLIC))


@pytest.fixture
def unchecked():
    """Our own messages, as people without jaxtyping see them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def draw(task, n=64, seed=0):
    return task.draw(n, torch.Generator().manual_seed(seed))


def spell(task, row):
    return "".join(task.symbols[i] for i in row.tolist())


class Knows(SequenceModel):
    """Answers a batch from its own answer sheet, with all its confidence; `but` spoils some."""

    def __init__(self, task, batch, but=lambda y: y):
        super().__init__()
        self.vocab_size, self.sheet = task.vocab_size, but(batch.y.clamp(min=0))

    def forward(self, x, state=None):
        return torch.nn.functional.one_hot(self.sheet, self.vocab_size).float() * 100, state


class Guesses(SequenceModel):
    """Knows the places of the blanks, and spreads its bets evenly over the answers that there are."""

    def __init__(self, task, batch):
        super().__init__()
        self.vocab_size, blank = task.vocab_size, batch.y == 0
        logits = torch.full((*batch.y.shape, self.vocab_size), -math.inf)
        logits[..., batch.y[batch.y > 0].unique()] = 0.0
        self.logits = torch.where(blank[..., None], torch.eye(self.vocab_size)[0].log(), logits)

    def forward(self, x, state=None):
        return self.logits, state


class Constant(SequenceModel):
    """Says 1 to all questions."""

    vocab_size = 1

    def forward(self, x, state=None):
        return torch.ones(*x.shape[:2], 1), state


# ---- what all tasks promise


@every
def test_the_same_seed_gives_the_same_batches_and_another_seed_others(task):
    one, same, other = (type(task)(task.lag, 4, seed) for seed in (3, 3, 4))
    for mine, yours in islice(zip(one, same), 2):
        assert mine.x.equal(yours.x) and mine.y.equal(yours.y)
    assert not one.draw(4, one.generator).y.equal(other.draw(4, other.generator).y)


@every
def test_a_saved_place_is_found_again(task):
    first = type(task)(task.lag, 4)
    next(first)
    place = first.state_dict()
    expected, second = next(first), type(task)(task.lag, 4, seed=9)
    second.load_state_dict(place)
    assert next(second).x.equal(expected.x)


@symbolic
def test_who_knows_all_has_loss_zero(task):
    batch = draw(task)
    model = Knows(task, batch)
    assert task.loss(model, batch) < 1e-6 and task.right(model, batch).all()


@symbolic
def test_who_guesses_has_the_loss_and_the_accuracy_that_are_stated(task):
    batch = draw(task, 1000)
    model = Guesses(task, batch)
    assert task.loss(model, batch).item() == pytest.approx(task.guess, rel=1e-4)
    answers = batch.y[batch.y > 0]
    shares = answers.bincount()[answers.unique()] / len(answers)
    assert shares.max().item() == pytest.approx(task.chance, abs=0.04)  # no answer is a better guess


@symbolic
def test_half_of_the_answers_right_is_an_accuracy_of_a_half(task):
    batch = draw(task, 1000)
    second = torch.arange(1000) % 2 == 1
    model = Knows(task, batch, lambda y: torch.where(second[:, None], 0, y))
    assert task.right(model, batch).float().mean().item() == pytest.approx(0.5, abs=0.05)


@every
def test_a_lag_that_makes_no_sense_is_refused(task, unchecked):
    with pytest.raises(ValueError, match=f"lag is {task.least - 1} and batch 2: expected {task.least} and 1"):
        type(task)(task.least - 1, 2)
    with pytest.raises(ValueError, match="batch 0"):
        type(task)(9, 0)


# ---- each task


def test_recall_asks_for_the_letter_before_the_noise():
    task = Recall(5)
    x, y = draw(task)
    assert x.shape == (64, 6) and (y[:, :-1] == -1).all()
    for row, answers in zip(x, y):
        line = spell(task, row)
        assert set(line[1:-1]) <= set("01") and line[-1] == "?" and task.symbols[answers[-1]] == line[0]


def test_copy_is_the_task_of_the_paper():
    task = Copy(30)
    for row, answers in zip(*draw(task)):
        line, said = spell(task, row), spell(task, answers)
        assert line[10:] == "·" * 29 + "?" * 11 and said == "·" * 40 + line[:10]
    assert Copy(1000).guess * math.log(2) == pytest.approx(0.0204, abs=1e-4)  # what an LSTM has there


def test_brackets_close_the_last_that_is_open():
    task = Brackets(4, length=40)
    for row, answers in zip(*draw(task)):
        line, close = spell(task, row), {"(": ")", "[": "]"}
        for t, answer in enumerate(answers.tolist()):
            rest = line[: t + 1]
            while "()" in rest or "[]" in rest:
                rest = rest.replace("()", "").replace("[]", "")
            asked = line[t] in ")]" and rest
            assert (task.symbols[answer] == close[rest[-1]]) if asked else answer == -1


def test_brackets_reach_the_depth_and_no_deeper():
    task = Brackets(5)
    x, _ = draw(task)
    up = ((x == 1) | (x == 3)).int() * 2 - 1
    assert (up.cumsum(1).amax(1) == 5).all() and (up.cumsum(1) >= 0).all()


def test_the_capital_is_known_to_the_grammar():
    task = Capital(6)
    assert task.accuracy(stories.Oracle(story_words(), lag=6), n=24) == 1.0


def test_the_country_stands_lag_words_before_its_capital():
    task = Capital(20)
    for row, answers in zip(*draw(task, 24)):
        t = int(answers.argmax())
        line = spell(task, row[: t + 1])
        country = next(c for c, capital in stories.wording.CAPITALS.items()
                       if f" {capital}" == task.symbols[answers[t]])
        between = line.partition(f" {country}")[2]
        assert line.count(country) == 1 and len(between.replace(".", " ").replace(",", " ").split()) >= 20


def test_every_word_of_the_stories_has_a_number():
    story_words().encode(stories.text(1000, seed=77, lag=40))  # an unknown word would be an error


def test_adding_asks_for_the_sum_of_the_two_marked():
    x, y = draw(Adding(15))
    numbers, marks = x.unbind(-1)
    assert (marks.sum(1) == 2).all() and ((0 <= numbers) & (numbers < 1)).all()
    for row, mark, total in zip(numbers.tolist(), marks.tolist(), y.tolist()):
        assert sum(v for v, m in zip(row, mark) if m) == pytest.approx(total, abs=1e-6)


def test_marks_fall_on_all_places_alike():
    marks = draw(Adding(10), 4000).x[..., 1].mean(0)
    assert (marks - 0.2).abs().max() < 0.03


def test_always_saying_one_costs_a_sixth():
    task, batch = Adding(20), draw(Adding(20), 20_000)
    assert task.loss(Constant(), batch).item() == pytest.approx(task.guess, abs=0.004)
    assert task.right(Constant(), batch).float().mean().item() == pytest.approx(task.chance, abs=0.006)


# ---- asking and training


class Sum(Core):
    """A core that adds up what it reads."""

    inputs = hidden = 2

    def forward(self, a, state=None):
        h = a.cumsum(1) + (0 if state is None else state[:, None])
        return h, h[:, -1]


def test_a_readout_is_a_linear_view_of_a_core_and_keeps_its_law():
    model, a = Readout(Sum(), 3), torch.randn(2, 7, 2)
    y, state = model(a)
    first, middle = model(a[:, :4])
    assert y.shape == (2, 7, 3) and torch.allclose(y, model.W_y(a.cumsum(1)))
    assert torch.allclose(model(a[:, 4:], middle)[0], y[:, 4:], atol=1e-6) and state.shape == (2, 2)


def test_accuracy_leaves_the_model_as_it_was_and_draws_the_same_examples_again():
    model, task = RNN(Recall(3).vocab_size, 8), Recall(3)
    place = task.state_dict()["generator"]
    assert task.accuracy(model) == task.accuracy(model)
    assert model.training and task.state_dict()["generator"].equal(place)


def test_a_task_plugs_into_train_and_fit():
    task = Recall(2, batch=64)
    model = RNN(task.vocab_size, 32)
    history = fit(model, task, 150, lr=1e-2)
    assert history.losses[0] > 2.5 and history.losses[-1] < 0.1 and task.accuracy(model) > 0.95
    numbers = Readout(Sum())
    assert next(train(numbers, Adding(5))).loss > 0


def test_success_by_lag_of_a_trained_model_and_of_one_trained_for_each_lag():
    task = Recall(2, batch=64)
    model = RNN(task.vocab_size, 32)
    fit(model, task, 150, lr=1e-2)
    trained = success_by_lag(model, Recall, [2, 30])
    assert trained[0] > 0.95 and trained[1] < 0.5  # the noise of 30 steps was never met
    fresh = success_by_lag(lambda t: RNN(t.vocab_size, 32), Recall, [2, 3], steps=150, lr=1e-2)
    assert fresh.shape == (2,) and (fresh > 0.8).all()
