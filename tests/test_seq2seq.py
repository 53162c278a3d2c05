"""Sequence to sequence: what fills rows up is never read, the decoder obeys the law, and it learns."""

import jaxtyping
import pytest
import torch
from laws import LAWS, read, rows_are_strangers
from torch import nn
from torch.testing import assert_close
from unrolled.attention import Additive, Multiplicative
from unrolled.beam import beam_search, coverage_penalty
from unrolled.generate import generate, greedy
from unrolled.gru import GRUCore
from unrolled.lstm import LSTMCore
from unrolled.model import Core, SequenceModel, detach
from unrolled.pairs import Pairs, answers, cross_entropy, pad, pairs, scheduled_sampling, teacher_forcing
from unrolled.seq2seq import Encoder, Seq2Seq, read_rows, reverse
from unrolled.train import fit
from unrolled.transformer import TransformerCore

V, D, H, B, S = 9, 5, 6, 4, 7
LENGTHS = torch.tensor([3, 7, 1, 7])


@pytest.fixture
def unchecked():
    """Our own messages, as people without jaxtyping see them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def both(core=GRUCore, **encoder):
    """A model with a second encoder and additive attention."""
    reader = Encoder(V, core(D, H), core(D, H), **encoder)
    return Seq2Seq(reader, V, core(D, H), Additive(H, 2 * H, 8))


def plain(core=GRUCore, **encoder):
    """A model that has to keep all of the source in one vector."""
    return Seq2Seq(Encoder(V, core(D, H), **encoder), V, core(D, H))


MODELS = {
    "fixed vector": plain,
    "fixed vector, LSTM, backwards": lambda: plain(LSTMCore, backwards=True),
    "additive": lambda: Seq2Seq(Encoder(V, GRUCore(D, H)), V, GRUCore(D, H), Additive(H, H, 8)),
    "multiplicative, two layers": lambda: Seq2Seq(
        Encoder(V, LSTMCore(D, H, 2)), V, LSTMCore(D, H, 2), Multiplicative(H, H)
    ),
    "both ways": both,
    "both ways, backwards": lambda: both(backwards=True),
    "input feeding": lambda: Seq2Seq(
        Encoder(V, LSTMCore(D, H)), V, LSTMCore(D + H, H), Additive(H, H, 8), feed=True
    ),
}
every = pytest.mark.parametrize("name", MODELS)


class Started(SequenceModel):
    """A model whose source is known: what it does with the target is what the law speaks of."""

    def __init__(self, model):
        super().__init__()
        self.model, self.vocab_size = model, model.vocab_size

    def forward(self, x, state=None):
        source = (torch.arange(5 * len(x)).view(len(x), 5) * 7 % 4 + 1) * 2
        lengths = torch.arange(len(x)) % 5 + 1
        return self.model(x, self.model.start(source, lengths) if state is None else state)


def sources():
    return torch.randint(V, (B, S)), LENGTHS


@pytest.mark.parametrize("law", [law for law in LAWS if law is not rows_are_strangers])
@every
@torch.no_grad()
def test_the_decoder_obeys_the_law(name, law):
    model = Started(MODELS[name]()).eval()
    for T, cuts in ((1, []), (9, [2, 5]), (12, [0, 12])):
        law(model, torch.randint(V, (3, T)), cuts)


@every
@torch.no_grad()
def test_rows_of_a_batch_are_strangers_whatever_fills_them_up(name):
    """Alone and cut to its length, a row is read as in the batch."""
    model, (source, lengths), x = MODELS[name]().double().eval(), sources(), torch.randint(V, (B, 5))
    together, _ = model(x, model.start(source, lengths))
    for b, n in enumerate(lengths.tolist()):
        alone, _ = model(x[b : b + 1], model.start(source[b : b + 1, :n]))
        assert_close(together[b : b + 1], alone)


@every
def test_every_symbol_of_the_source_matters_and_nothing_beyond_it(name):
    model, (source, lengths), x = MODELS[name]().eval(), sources(), torch.randint(V, (B, 3))
    before = model(x, model.start(source, lengths))[0]
    for s in range(S):
        other = source.clone()
        other[:, s] = (other[:, s] + 1) % V
        changed = (model(x, model.start(other, lengths))[0] != before).flatten(1).any(1)
        assert changed.equal(s < lengths)


@every
def test_no_target_leaves_the_state_as_it_is(name):
    model, (source, lengths) = MODELS[name](), sources()
    state = model.start(source, lengths)
    logits, after = model(torch.empty(B, 0, dtype=torch.long), state)
    assert logits.shape == (B, 0, V)
    torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_a_core_reads_each_row_to_its_end():
    core, a = LSTMCore(D, H, 2).double(), torch.randn(B, S, D, dtype=torch.float64)
    h, state = read_rows(core, a, LENGTHS)
    for b, n in enumerate(LENGTHS.tolist()):
        alone, end = core(a[b : b + 1, :n])
        assert_close(h[b : b + 1, :n], alone)
        assert (h[b, n:] == 0).all()
        assert_close(state.h[b : b + 1], end.h)
        assert_close(state.c[b : b + 1], end.c)


def test_padding_is_never_read_so_it_costs_nothing():
    core, counted = GRUCore(D, H), []
    core.register_forward_pre_hook(lambda m, args: counted.append(args[0].shape[0] * args[0].shape[1]))
    read_rows(core, torch.randn(B, S, D), LENGTHS)
    assert sum(counted) == LENGTHS.sum()


def test_rows_are_turned_round_and_what_fills_them_up_stays():
    x = torch.tensor([[1, 2, 3, 0], [1, 2, 3, 4], [5, 0, 0, 0]])
    lengths = torch.tensor([3, 4, 1])
    assert reverse(x, lengths).tolist() == [[3, 2, 1, 0], [4, 3, 2, 1], [5, 0, 0, 0]]
    assert reverse(reverse(x[..., None].float(), lengths), lengths).equal(x[..., None].float())


def test_the_memory_stands_in_the_order_of_the_source():
    """Read backwards, the h of a place knows that place and what comes after it."""
    encoder, (source, lengths) = Encoder(V, GRUCore(D, H), backwards=True), sources()
    before = encoder(source, lengths)[0]
    source[:, 2] = (source[:, 2] + 1) % V
    changed = (encoder(source, lengths)[0] != before).any(-1)
    assert changed.tolist() == [[s <= 2 < n for s in range(S)] for n in lengths.tolist()]


def test_reading_both_ways_every_place_knows_the_whole_source():
    encoder, source = both().encoder, torch.randint(V, (1, S))
    before = encoder(source, torch.tensor([S]))[0]
    source[:, 2] = (source[:, 2] + 1) % V
    assert (encoder(source, torch.tensor([S]))[0] != before).any(-1).all()


@pytest.mark.claim("Q1")
def test_the_decoders_first_state_is_the_encoders_last():
    encoder, decoder, source = Encoder(V, GRUCore(D, H)), GRUCore(D, H), torch.randint(V, (2, S))
    assert Seq2Seq(encoder, V, decoder).start(source).equal(encoder.core(encoder.embed(source))[1])


def test_the_weights_show_where_the_model_looks():
    model, (source, lengths) = both().double(), sources()
    x, state = torch.randint(V, (B, 5)), model.start(source, lengths)
    weights = model.weights(x, state)
    assert_close(weights.sum(-1), torch.ones(B, 5, dtype=torch.float64))
    assert ((weights > 0).any(1) == (torch.arange(S) < lengths[:, None])).all()
    assert_close(model(x, state)[1].coverage, state.coverage + weights.sum(1))


def test_coverage_does_not_miss_what_fills_a_source_up():
    model, (source, lengths) = both(), sources()
    start = model.start(source, lengths)
    assert (coverage_penalty(start.coverage[1:2], 1.0) < -80).all()  # nothing was looked at yet
    after = model(torch.randint(V, (B, 60)), start)[1]
    assert coverage_penalty(after.coverage, 1.0).isfinite().all()


def test_beam_search_writes_from_a_started_state_with_gnmts_score():
    model, (source, lengths) = both().double(), sources()
    first, state = torch.zeros(B, 1, dtype=torch.long), model.start(source, lengths)
    one = beam_search(model, first, 8, 1, state=state, stop=0)
    assert one.tokens[:, 0].equal(generate(model, first, 8, greedy, state=state, stop=0))
    found = beam_search(model, first, 8, 5, state=state, beta=0.2, alpha=0.6)
    text = found.tokens[1, 0]
    logits, end = model(text[None, :-1], model.start(source[1:2]))
    log_p = logits.log_softmax(-1).gather(-1, text[None, 1:, None]).sum()
    score = log_p / ((5 + 8) / 6) ** 0.6 + 0.2 * end.coverage.clamp(max=1).log().sum()
    assert_close(found.scores[1, 0], score)


def test_what_was_looked_at_is_fed_back():
    model = MODELS["input feeding"]().double()
    state = model.start(*sources())
    assert (state.context == 0).all()
    x = torch.randint(V, (B, 3))
    after = model(x, state)[1]
    assert_close(after.context, (model.weights(x, state)[:, -1:] @ state.memory)[:, 0])
    changed = model(x, after._replace(context=after.context + 1))[0] != model(x, after)[0]
    assert changed[:, 0].any(-1).all()


@pytest.mark.parametrize("settings", [{}, {"attention": None}])
def test_feeding_without_room_or_without_attention_is_refused(settings):
    with pytest.raises(ValueError, match="with feed attention and more inputs"):
        core = GRUCore(H if not settings else D + H, H)
        options = {"attention": Additive(H, H, 8), "feed": True, **settings}
        Seq2Seq(Encoder(V, GRUCore(D, H)), V, core, **options)


def test_two_transformer_cores_make_an_encoder_and_a_decoder():
    """Their state is keys and values, so the decoder looks at the source without an attention of its own."""
    core = lambda: TransformerCore(8, 2, 2, positions="rotary")  # noqa: E731
    model = Seq2Seq(Encoder(V, core()), V, core()).eval()
    source, x = torch.randint(V, (2, S)), torch.randint(V, (2, 6))
    state = model.start(source)
    assert_close(read(model, x, [2, 3], state), model(x, state)[0], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="grows with what it reads.*sources of one length"):
        model.start(source, torch.tensor([3, S]))


def test_dropout_acts_in_training_only():
    model, source, x = both(), torch.randint(V, (2, S)), torch.randint(V, (2, 3))
    model.dropout.p = 0.5
    assert not model(x, model.start(source))[0].equal(model(x, model.start(source))[0])
    model.eval()
    assert model(x, model.start(source))[0].equal(model(x, model.start(source))[0])


def test_gradients_reach_all_parameters_through_the_state():
    model, (source, lengths) = both(), sources()
    model(torch.randint(V, (B, 4)), model.start(source, lengths))[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_state_cut_from_its_graph_sends_no_gradient_to_the_encoder():
    model, source = both(), torch.randint(V, (2, S))
    model(torch.randint(V, (2, 4)), detach(model.start(source)))[0].sum().backward()
    assert all(p.grad is None for p in model.encoder.parameters())


@pytest.mark.parametrize(
    ("source", "lengths", "message"),
    [
        (torch.zeros(2, 3), None, "float32 of shape"),
        (torch.full((2, 3), V), None, "ids from 9 to 9"),
        (torch.zeros(2, 0, dtype=torch.long), None, r"source has shape \(2, 0\)"),
        (torch.zeros(0, 3, dtype=torch.long), None, r"source has shape \(0, 3\)"),
        (torch.zeros(2, 3, dtype=torch.long), torch.tensor([1, 4]), r"lengths are \[1, 4\].* 1 to S"),
        (torch.zeros(2, 3, dtype=torch.long), torch.tensor([0, 3]), r"lengths are \[0, 3\]"),
        (torch.zeros(2, 3, dtype=torch.long), torch.tensor([3]), r"lengths are \[3\]"),
    ],
)
def test_bad_sources_are_named(source, lengths, message, unchecked):
    with pytest.raises(ValueError, match=message):
        both().start(source, lengths)


def test_a_forgotten_start_is_named():
    with pytest.raises(ValueError, match=r"state = model.start\(source, lengths\)"):
        both()(torch.zeros(1, 1, dtype=torch.long))


def test_a_model_without_attention_has_no_weights_to_show():
    model = MODELS["fixed vector"]()
    with pytest.raises(ValueError, match="made without attention"):
        model.weights(torch.zeros(1, 1, dtype=torch.long), model.start(torch.ones(1, 2, dtype=torch.long)))


# ---- pairs: batches and losses


def numbers(n, low=1, high=6, seed=0):
    """Sequences of different lengths."""
    chance = torch.Generator().manual_seed(seed)
    sizes = torch.randint(low, high + 1, (n,), generator=chance).tolist()
    return [torch.randint(2, V, (size,), generator=chance) for size in sizes]


def framed(rows):
    """As targets: begun and ended by 0."""
    zero = torch.zeros(1, dtype=torch.long)
    return [torch.cat([zero, row, zero]) for row in rows]


def test_padding_does_not_count_in_the_loss():
    logits, target, lengths = torch.randn(2, 4, V), torch.randint(V, (2, 4)), torch.tensor([4, 1])
    p = logits.softmax(-1).gather(-1, target[..., None])[..., 0]
    slow = -torch.stack([*p[0], p[1, 0]]).log2().mean()
    assert_close(cross_entropy(logits, target, lengths), slow)


def test_filling_rows_up_further_changes_no_loss_and_no_gradient():
    model = both().double()
    batch = Pairs(*pad(numbers(5)), *pad(framed(numbers(5, seed=1))))
    wide = Pairs(*(torch.cat([t, t[:, :3]], 1) if t.ndim == 2 else t for t in batch))
    losses = [teacher_forcing(model, b) for b in (batch, wide)]
    grads = [torch.autograd.grad(loss, list(model.parameters())) for loss in losses]
    assert_close(losses[0], losses[1])
    assert_close(grads[0], grads[1])


def test_in_an_epoch_each_pair_comes_once_and_sources_of_a_batch_are_equally_long():
    rows = numbers(100)
    drawn, source = [], pairs(rows, [torch.tensor([0, i]) for i in range(100)], batch=8)
    while len(drawn) < 200:
        batch = next(source)
        assert (batch.source_lengths == batch.source.shape[1]).all() and len(batch.source) <= 8
        for s, t in zip(batch.source, batch.target):
            assert s.equal(rows[t[1]])
        drawn += batch.target[:, 1].tolist()
    assert sorted(drawn[:100]) == sorted(drawn[100:]) == list(range(100)) and drawn[:100] != drawn[100:]


@pytest.mark.parametrize("taken", [0, 1, 12, 13, 14, 40])
def test_batches_go_on_where_they_were_saved(taken):
    make = lambda: pairs(numbers(60), framed(numbers(60)), batch=8, seed=3)  # noqa: E731
    first, again = make(), make()
    for _ in range(taken):
        next(first)
    again.load_state_dict(first.state_dict())
    for _ in range(30):
        torch.testing.assert_close(next(first), next(again), rtol=0, atol=0)
    assert first.n == again.n


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([torch.ones(2).long()], [], "1 sources, 0 targets"),
        ([], [], "0 sources, 0 targets"),
        ([torch.empty(0).long()], [torch.ones(2).long()], "a source is empty"),
        ([torch.ones(1).long()], [torch.ones(1).long()], "shorter than two symbols"),
    ],
)
def test_bad_pairs_are_named(sources, targets, message):
    with pytest.raises(ValueError, match=message):
        pairs(sources, targets)


def test_scheduled_sampling_with_truth_only_is_teacher_forcing():
    model = both().double()
    batch = Pairs(*pad(numbers(5)), *pad(framed(numbers(5, seed=1))))
    assert_close(scheduled_sampling(model, batch, 1.0), teacher_forcing(model, batch))


def test_running_freely_the_model_reads_what_it_wrote():
    """The target is read no more, but for its first symbol: the inputs are the model's own."""
    seen = []

    class Spy(Seq2Seq):
        def forward(self, x, state=None):
            seen.append(x)
            logits, state = super().forward(x, state)
            wish = torch.zeros_like(logits)
            wish[..., 5] = 1e4  # it wants to write 5, always
            return logits + wish, state

    model = Spy(Encoder(V, GRUCore(D, H)), V, GRUCore(D, H))
    batch = Pairs(*pad(numbers(5)), *pad(framed(numbers(5, seed=1))))
    scheduled_sampling(model, batch, 0.0)
    assert (torch.cat(seen[1:]) == 5).all() and seen[0].equal(batch.target[:, :1])
    seen.clear()
    scheduled_sampling(model, batch, 0.5)
    read = torch.cat(seen[1:], 1)
    own = (read == 5).float().mean()
    assert 0.2 < own < 0.8 and (read[:, 0] != read[0, 0]).any()  # a coin for each row, not for the batch


def test_the_share_of_truth_follows_the_number_of_the_batch():
    asked = []
    source = pairs(numbers(20), framed(numbers(20)), 8, truth=lambda n: asked.append(n) or 1.0)
    model = both()
    for batch, _ in zip(source, range(3)):
        source.loss(model, batch)
    assert asked == [0, 1, 2]


def test_validation_on_a_batch_of_pairs_leaves_the_best_weights():
    rows = numbers(30)
    model, valid = both(), Pairs(*pad(rows[:9]), *pad(framed(rows[:9])))
    history = fit(model, pairs(rows, framed(rows), 8), 40, valid=valid, lr=0.3)  # too fast
    best = history.valid[:, 1].min()
    assert history.valid[-1, 1] > best
    assert teacher_forcing(model.eval(), valid).item() == pytest.approx(best.item(), rel=1e-5)


@pytest.mark.parametrize("width", [1, 3])
def test_answers_are_those_of_each_source_alone(width):
    model, rows = both().double(), numbers(70)
    with torch.no_grad():
        model.W_y.weight *= 8  # opinions, else it ends at once
    together = answers(model, rows, 0, 6, width)
    assert len({len(answer) for answer in together}) > 1 and model.training
    for row, answer in list(zip(rows, together))[::10]:
        assert answers(model, [row], 0, 6, width)[0].equal(answer)
        assert (answer != 0).all() and len(answer) <= 6


# ---- the four shapes of Q3, learned by one class


def reversal(rows):
    return [row.flip(0) for row in rows]


def largest(rows):
    return [row.max()[None] for row in rows]


def counting(rows):
    return [torch.arange(2, int(row[0]) + 1) for row in rows]


def doubled(rows):
    return [(row * 2) % V for row in rows]


SHAPES = {
    "one to one": (doubled, 1, 1, 100),
    "one to many": (counting, 1, 1, 100),
    "many to one": (largest, 2, 6, 150),
    "many to many": (reversal, 1, 6, 300),
}


def share_right(model, rows, targets):
    """The share of targets that greedy writing gets right, whole."""
    source, lengths = pad(rows)
    first = torch.zeros(len(rows), 1, dtype=torch.long)
    with torch.no_grad():
        out = generate(model, first, 8, greedy, state=model.eval().start(source, lengths), stop=0)
    right = [o[: len(t)].equal(t) for o, t in zip(nn.functional.pad(out, (0, 9)), framed(targets))]
    return sum(right) / len(right)


@pytest.mark.claim("Q3")
@pytest.mark.parametrize("shape", SHAPES)
def test_one_class_learns_all_shapes(shape):
    rule, low, high, steps = SHAPES[shape]
    encoder, decoder = (GRUCore(24, 64, fused=True) for _ in range(2))
    model = Seq2Seq(Encoder(V, encoder), V, decoder, Additive(64, 64, 32))
    rows = numbers(8000, low, high)
    fit(model, pairs(rows, framed(rule(rows)), 64), steps, lr=1e-2)
    fresh = numbers(200, low, high, seed=99)
    assert share_right(model, fresh, rule(fresh)) > 0.9


def test_a_core_of_any_make_will_do():
    class Mean(Core):
        inputs, hidden = D, D

        def forward(self, a, state=None):
            total, n = (torch.zeros(len(a), D), torch.zeros(len(a), 1)) if state is None else state
            sums, ns = total[:, None] + a.cumsum(1), n[:, None] + torch.arange(1, a.shape[1] + 1)[:, None]
            return sums / ns, (sums[:, -1], ns[:, -1]) if a.shape[1] else (total, n)

    model = Seq2Seq(Encoder(V, Mean()), V, Mean(), Multiplicative(D, D))
    x, state = torch.randint(V, (B, 5)), model.start(*sources())
    assert_close(read(model, x, [2], state), model(x, state)[0])


def test_resuming_a_training_gives_the_same_losses(tmp_path):
    def training(steps):
        torch.manual_seed(1)
        model = MODELS["additive"]()
        return fit(model, pairs(numbers(50), framed(numbers(50)), 8), steps, path=tmp_path / name)

    name = "whole.safetensors"
    whole = training(20).losses
    name = "cut.safetensors"
    training(9)
    assert training(20).losses.equal(whole)
