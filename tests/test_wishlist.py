"""The wish list, held to models whose truth is known exactly, and the scoreboard that shows it."""

import math
from html.parser import HTMLParser

import pytest
import torch
from torch import nn
from unrolled import wishlist as w
from unrolled.bag import Bag
from unrolled.model import SequenceModel
from unrolled.ngram import NGram
from unrolled.rnn import RNN
from unrolled.wishlist import LECTURE, Wishes, interaction, scoreboard, wishlist

V = 6
ALL = ("order", "length", "gradient", "pairwise", "memory")


def ticks(answers):
    return dict(zip(ALL, answers.split()))


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Uniform(SequenceModel):
    """Knows nothing."""

    def forward(self, x, state=None):
        return torch.zeros(*x.shape, V), None


class Window(SequenceModel):
    """A table of all contexts of `size` tokens: an exact n-gram with n = size + 1; starts with zeros."""

    def __init__(self, size):
        super().__init__()
        self.size, self.table = size, drawn(V**size, V)

    def forward(self, x, state=None):
        line = torch.cat([x.new_zeros(len(x), self.size) if state is None else state, x], 1)
        context = line.unfold(1, self.size, 1)[:, 1:]
        row = (context * V ** torch.arange(self.size)).sum(-1)
        return self.table[row], line[:, line.shape[1] - self.size :]


class Recurrent(SequenceModel):
    """h_t = squash(h_{t-1} a + e(x_t)), logits h_t: a sum (a = 1), a leaky integrator, or a tanh network."""

    def __init__(self, a, gain=0.05, squash=None):
        super().__init__()
        self.a, self.squash = a * torch.eye(V) if isinstance(a, float) else a, squash or (lambda h: h)
        self.e = nn.Parameter(gain * drawn(V, V))

    def forward(self, x, state=None):
        h, out = torch.zeros(len(x), V) if state is None else state, []
        for t in range(x.shape[1]):
            h = self.squash(h @ self.a + self.e[x[:, t]])
            out.append(h)
        return torch.stack(out, 1), h


class Flat(SequenceModel):
    """The last element meets all before it alike, as in attention: logits = (sum of u(x_j)) * v(x_t)."""

    def __init__(self):
        super().__init__()
        self.u, self.v = nn.Parameter(drawn(V, V) / 20), nn.Parameter(drawn(V, V, seed=1))

    def forward(self, x, state=None):
        total = self.u[x].cumsum(1) + (0 if state is None else state)
        return total * self.v[x], total[:, -1:]


class Dilated(SequenceModel):
    """Three causal layers with dilations 1, 2 and 4: a receptive field of 8."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(V + 1, 8)
        self.layers = nn.ModuleList(nn.Conv1d(8, 8, 2, dilation=d) for d in (1, 2, 4))
        self.head = nn.Linear(8, V)

    def forward(self, x, state=None):
        line = torch.cat([x.new_full((len(x), 7), V) if state is None else state, x], 1)
        h = self.embed(line).mT
        for layer in self.layers:
            h = layer(h).tanh()
        return self.head(h.mT), line[:, line.shape[1] - 7 :]


def test_a_model_that_knows_nothing_fulfils_nothing():
    found = wishlist(Uniform(), V)
    assert found.ticks == ticks("no no no no no")
    assert found[:5] == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_ngram_remembers_exactly_its_window(size):
    found = wishlist(Window(size), V)
    assert found.memory == size and found.effects[size] > 0.01
    assert all(found.effects[k] == 0 for k in range(size + 1, 65))
    assert all((found.interactions[d] > 0) == (d < size) for d in found.interactions)


@pytest.mark.claim("D3")
def test_an_ngram_has_order_and_nothing_else():
    found = wishlist(Window(2), V)
    assert found.ticks == LECTURE["n-gram"] and found.length == 2 and found.gradient == 0


@pytest.mark.claim("D4")
def test_the_sum_has_length_gradient_and_memory_and_no_interaction_at_all():
    found = wishlist(Recurrent(1.0, gain=0.3), V)
    assert found.ticks == LECTURE["bag"]
    assert set(found.interactions.values()) == {0.0} and found.order < 1e-5 and found.memory == 64


@pytest.mark.parametrize("a", [0.3, 0.5, 0.7, 0.9])
def test_the_horizon_of_a_fading_average_is_the_logarithm_of_one_percent(a):
    found = wishlist(Recurrent(a), V, contexts=256)
    assert abs(found.memory - (1 + math.floor(math.log(0.01) / math.log(a)))) <= 1
    assert found.effects[2] / found.effects[1] == pytest.approx(a, rel=0.1)


def test_a_leaky_integrator_uses_any_length_though_it_forgets_and_has_no_interactions():
    found = wishlist(Recurrent(0.2), V)
    assert found.ticks == ticks("yes yes yes no no")
    assert found.length == 50 and found.effects[50] < 1e-7  # far below what the prediction can show
    assert set(found.interactions.values()) == {0.0}


def test_a_memory_over_half_of_the_distance_is_half_a_tick():
    assert wishlist(Recurrent(0.9), V, contexts=8).ticks["memory"] == "half"


def test_a_tanh_network_mixes_its_elements_less_and_less_with_distance():
    turn = 0.8 * torch.linalg.qr(drawn(V, V))[0]
    found = wishlist(Recurrent(turn, gain=0.8, squash=torch.tanh), V, contexts=64)
    assert found.ticks == LECTURE["RNN"]
    strengths = list(found.interactions.values())
    assert strengths == sorted(strengths, reverse=True) and strengths[0] > 0.1 and strengths[-1] == 0


def test_attention_compares_at_any_distance_alike():
    found = wishlist(Flat(), V, contexts=64)
    assert found.ticks == LECTURE["transformer"]
    strengths = list(found.interactions.values())
    assert min(strengths) > 0.7 * max(strengths)


def test_the_interaction_is_the_mixed_difference_worked_by_hand():
    model, x, other = Flat(), torch.tensor([[0, 1, 2, 3]]), torch.tensor([[4, 5, 0, 1]])
    du, dv = model.u[5] - model.u[1], model.v[1] - model.v[3]  # elements 2 apart, of which the last is one
    mixed = (du * dv - (du * dv).mean()).detach()
    assert interaction(model, x, other, 2) == pytest.approx(float(mixed.pow(2).mean().sqrt()), rel=1e-4)


def test_dilated_convolutions_see_nothing_beyond_their_horizon():
    found = wishlist(Dilated(), V)
    assert max(k for k, e in found.effects.items() if e > found.noise) == 8
    assert found.interactions[4] > 0 and found.interactions[8] == 0 and found.pairwise == 0
    assert found.length == 5 and found.gradient == 1


@pytest.mark.claim("D6")
def test_the_rooms_of_the_book_get_the_ticks_of_the_lecture():
    torch.manual_seed(0)
    text = torch.randint(V, (2000,))
    rows = {"n-gram": NGram(3, V).fit(text), "bag": Bag(V, 16), "RNN": RNN(V, 32)}
    board = scoreboard({name: wishlist(model, V, text) for name, model in rows.items()})
    assert board.remarks == []
    assert {name: m.ticks for name, m in board.rows.items()} == {name: LECTURE[name] for name in rows}


def test_interactions_in_the_rnn_fall_with_distance():
    found = list(wishlist(RNN(V, 32), V, contexts=32).interactions.values())
    assert found == sorted(found, reverse=True) and found[0] > 0 and found[-1] < 0.01 * found[0]


def test_probabilities_of_zero_do_not_spoil_the_numbers():
    found = wishlist(NGram(3, V, "none").fit(torch.arange(60) % V), V)
    assert all(math.isfinite(v) for v in [*found[:5], *found.effects.values(), *found.interactions.values()])


def test_a_weight_that_the_loss_never_meets_costs_the_tick():
    model = Recurrent(0.5)
    model.idle = nn.Parameter(torch.ones(3))
    assert wishlist(model, V).gradient == 0.5 and wishlist(model, V).ticks["gradient"] == "no"


def test_a_model_that_breaks_the_law_is_refused():
    class Forgetful(Recurrent):
        def forward(self, x, state=None):
            return super().forward(x)

    with pytest.raises(ValueError, match="breaks the law"):
        wishlist(Forgetful(0.9, gain=1.0), V)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    model = RNN(V, 8)
    assert wishlist(model, V, seed=3) == wishlist(model, V, seed=3)
    assert wishlist(model, V, seed=3).order != wishlist(model, V, seed=4).order


def test_measuring_leaves_the_model_as_it_was():
    model = RNN(V, 8).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    wishlist(model, V)
    assert model.training and all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_contexts_and_replacements_come_from_the_stream_and_always_differ():
    x, other = w._contexts(V, torch.tensor([0, 2, 4] * 50), (40, 11), seed=0)
    assert (
        set(x.flatten().tolist()) == {0, 2, 4} and (x != other).all() and x.shape == other.shape == (40, 11)
    )


@pytest.mark.parametrize(
    "bad", [dict(vocab_size=1), dict(longest=0), dict(contexts=1), dict(stream=torch.zeros(9).long())]
)
def test_impossible_measurements_are_refused(bad):
    with pytest.raises(ValueError, match="it takes 2 symbols"):
        wishlist(Uniform(), **({"vocab_size": V} | bad))


@pytest.mark.claim("D2", "D6")
def test_the_lecture_table_is_the_one_of_its_slides():
    assert all(set(row) == set(ALL) for row in LECTURE.values())
    assert set(LECTURE["transformer"].values()) == {"yes"}
    assert LECTURE["LSTM"] == LECTURE["GRU"] == LECTURE["RNN"] | {"memory": "yes"}
    assert LECTURE["WaveNet"] == LECTURE["LSTM"] | {"memory": "half"}


def measured(answers, **more):
    """Wishes with these ticks, without a model."""
    on = [a == "yes" for a in answers.split()]
    memory = {"yes": 64, "half": 40, "no": 3}[answers.split()[-1]]
    values = dict(
        order=0.5 * on[0],
        length=50 if on[1] else 2,
        gradient=1.0 * on[2],
        pairwise=0.4 * on[3],
        memory=memory,
    )
    extra = dict(noise=1e-5, longest=64, lengths=(1, 2, 5, 20, 50), interactions={1: 1.0}, effects={1: 1.0})
    return Wishes(**(values | extra | more))


class Table(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_scoreboard_says_each_tick_in_a_word_with_its_number():
    board = scoreboard({"RNN": measured("yes yes yes no no")})
    for text in (repr(board), Table(board._repr_html_()).text):
        for told in (
            "yes ✓",
            "no ✗",
            "moves by 0.5",
            "uses 50 of 50",
            "reaches 100%",
            "0% left at 64",
            "3 of 64 steps",
        ):
            assert told in text
    assert not board.remarks and "Not as in the lecture" not in board._repr_html_()


def test_the_scoreboard_names_every_tick_that_differs_from_the_lecture():
    board = scoreboard(
        {"LSTM, 64 units": measured("yes yes yes yes half"), "5-gram": measured("yes no no no no")}
    )
    assert board.remarks == [
        "LSTM, 64 units, pairwise: measured yes, the lecture says no.",
        "LSTM, 64 units, long memory: measured half, the lecture says yes.",
    ]
    for text in (repr(board), Table(board._repr_html_()).text):
        assert all(remark in text for remark in board.remarks)
    assert "lecture: no ✗" in board._repr_html_()


def test_a_model_of_which_the_lecture_says_nothing_gets_no_remark():
    assert (
        scoreboard({"unigram": measured("no no no no no"), "PixelRNN": measured("no no no no no")}).remarks
        == []
    )


def test_empty_rows_wait_to_be_filled():
    board = scoreboard(None)
    assert list(board.rows) == list(LECTURE) and repr(board).count("…") == 5 * len(LECTURE)
    mixed = scoreboard({"bag": None, "RNN": measured("yes yes yes no no")})
    assert repr(mixed).count("…") == 5 and "yes ✓" in repr(mixed)


def test_the_table_has_headers_for_rows_and_columns_and_can_be_scrolled_by_keyboard():
    tags = Table(scoreboard(None)._repr_html_()).tags
    assert sum(a.get("scope") == "col" for t, a in tags if t == "th") == 6
    assert sum(a.get("scope") == "row" for t, a in tags if t == "th") == len(LECTURE)
    assert any(a.get("tabindex") == "0" and a.get("aria-label") for _, a in tags)


def test_names_cannot_inject_html():
    name = '<script>alert(1)</script>"RNN'
    page = Table(scoreboard({name: measured("yes yes yes no yes")})._repr_html_())
    assert name in page.text and "script" not in {t for t, _ in page.tags}
