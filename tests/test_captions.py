"""Captions: the picture enters at the start, the law holds, the loss counts words alone, and it learns."""

import math

import pytest
import torch
from laws import LAWS
from torch.testing import assert_close
from unrolled.attention import Additive, Multiplicative
from unrolled.beam import beam_search
from unrolled.captions import Captioned, Captioner, Encoder, caption_loss, captioned, describe, jitter, scores
from unrolled.gru import GRUCore
from unrolled.lstm import LSTMCore
from unrolled.model import SequenceModel
from unrolled.train import fit

V, D, H, SIZE = 7, 5, 6, (8, 12)


def make(core=GRUCore, look=Additive, **more):
    encoder = Encoder(SIZE, (4, 6))
    attention = {Additive: lambda: Additive(H, 6, 5), Multiplicative: lambda: Multiplicative(H, 6)}.get(look)
    return Captioner(encoder, V, core(D, H), attention and attention(), **more)


MODELS = {
    "gru, no attention": lambda: make(GRUCore, None),
    "lstm, no attention": lambda: make(LSTMCore, None),
    "gru, additive": lambda: make(),
    "lstm, multiplicative": lambda: make(LSTMCore, Multiplicative, dropout=0.5),
    "gru, float64": lambda: make().double(),
}
every = pytest.mark.parametrize("name", MODELS)


def drawn(n, dtype=torch.float32):
    return torch.rand(n, *SIZE, generator=torch.Generator().manual_seed(3)).to(dtype)


class Started(SequenceModel):
    """A captioner whose pictures are known: what it does with the words is what the law speaks of."""

    def __init__(self, model):
        super().__init__()
        self.model, self.vocab_size = model, model.vocab_size

    def forward(self, x, state=None):
        same = drawn(1, self.model.P.dtype).expand(len(x), -1, -1)
        return self.model(x, self.model.start(same) if state is None else state)


@pytest.mark.parametrize("law", LAWS)
@every
@torch.no_grad()
def test_the_writer_obeys_the_law(name, law):
    torch.manual_seed(0)
    model = Started(MODELS[name]()).eval()
    for T, cuts in ((1, []), (9, [2, 5]), (12, [0, 12])):
        law(model, torch.randint(V, (3, T)), cuts)


@every
@torch.no_grad()
def test_nothing_read_leaves_the_state_as_it_is(name):
    model = MODELS[name]().eval()
    state = model.start(drawn(2, model.P.dtype))
    logits, after = model(torch.zeros(2, 0, dtype=torch.long), state)
    assert logits.shape == (2, 0, V)
    x = torch.randint(V, (2, 3))
    assert model(x, state)[0].equal(model(x, after)[0])


@pytest.mark.claim("C1")
@every
@torch.no_grad()
def test_every_word_depends_on_every_part_of_the_picture_and_on_no_other_picture(name):
    torch.manual_seed(1)
    model = MODELS[name]().double().eval()
    pages, x = drawn(3, torch.float64), torch.randint(V, (3, 4))
    before = model(x, model.start(pages))[0]
    for place in ((0, 0), (3, 7), (7, 11)):
        other = pages.clone()
        other[1][place] += 1
        changed = (model(x, model.start(other))[0] != before).any(-1)
        assert changed.all(1).equal(torch.arange(3) == 1) and not changed[[0, 2]].any()


@torch.no_grad()
def test_the_encoder_is_what_torch_says():
    encoder = Encoder(SIZE, (4, 6)).double()
    first, second = encoder.layers
    theirs = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.MaxPool2d(2), second, torch.nn.ReLU())
    maps = theirs(drawn(2, torch.float64)[:, None])
    normal = torch.nn.LayerNorm(6, elementwise_affine=False)
    assert encoder.grid == (4, 6) and encoder(drawn(2, torch.float64)).shape == (2, 24, 6)
    assert_close(encoder(drawn(2, torch.float64)), normal(maps.permute(0, 2, 3, 1).flatten(1, 2)))


@torch.no_grad()
def test_with_no_weight_on_places_attention_is_their_mean():
    model = make(look=Multiplicative)
    model.attention.W_m.weight.zero_()
    x, state = torch.randint(V, (2, 3)), model.start(drawn(2))
    assert_close(model.weights(x, state), torch.full((2, 3, 4, 6), 1 / 24))
    h, _ = model.core(model.embed(x), state.core)
    context = state.memory.mean(1, keepdim=True).expand(-1, 3, -1)
    assert_close(model(x, state)[0], model.W_y(model.W_c(torch.cat([context, h], -1)).tanh()))


@pytest.mark.claim("C2")
def test_the_first_input_is_empty_and_stays_so():
    model = make()
    fit(model, lessons(), 3, lr=0.1)
    assert not model.embed.weight[0].any() and model.embed.weight[1:].all()


def lessons(n=64, seed=0):
    """Pictures with a bright left or right half; the caption says which, one word or two."""
    pages = drawn(n) / 4
    right = torch.arange(n) % 2 == 1
    pages[right, :, 6:] += 0.7
    pages[~right, :, :6] += 0.7
    return captioned(pages, [torch.tensor([0, 3, 4, 0] if r else [0, 5, 0]) for r in right], 16, seed)


@pytest.mark.claim("C2")
def test_the_loss_counts_each_word_and_the_end_and_nothing_that_fills_up():
    model, batch = make().eval(), next(lessons())
    logits, _ = model(batch.captions[:, :-1], model.start(batch.pictures))
    terms = [
        -logits[b, t].log_softmax(-1)[batch.captions[b, t + 1]].item() / math.log(2)
        for b, n in enumerate(batch.lengths.tolist())
        for t in range(n - 1)
    ]
    assert caption_loss(model, batch).item() == pytest.approx(sum(terms) / len(terms), abs=1e-5)
    filled = batch._replace(captions=torch.cat([batch.captions, torch.full((16, 2), 6)], 1))
    assert caption_loss(model, filled).item() == pytest.approx(caption_loss(model, batch).item(), abs=1e-5)


@pytest.mark.claim("C1")
@pytest.mark.parametrize("look", [None, Additive, Multiplicative])
def test_it_learns_to_say_what_it_sees(look):
    torch.manual_seed(0)
    model, data = make(look=look), lessons()
    fit(model, data, 200, lr=1e-2)
    whole = Captioned(data.pictures, data.captions, data.lengths)
    assert scores(model, whole) == (1.0, 1.0)
    assert [w.tolist() for w in describe(model, data.pictures[:2])] == [[5], [3, 4]]
    first, state = torch.zeros(2, 1, dtype=torch.long), model.start(data.pictures[:2])
    beams = beam_search(model, first, 4, 3, state, stop=0)
    assert beams.tokens[:, 0, :3].tolist() == [[0, 5, 0], [0, 3, 4]]


@pytest.mark.claim("C3")
def test_a_frozen_encoder_stays_as_it_is_and_the_writer_learns_around_it():
    model = make(frozen=True)
    before = [p.clone() for p in model.encoder.parameters()]
    fit(model, lessons(), 20, lr=1e-2)
    assert all(a.equal(b) for a, b in zip(before, model.encoder.parameters()))
    pages, x = drawn(2), torch.zeros(2, 1, dtype=torch.long)
    assert model(x, model.start(pages))[0].equal(model(x, model.seen(model.encoder(pages)))[0])


@pytest.mark.claim("C3")
def test_an_encoder_that_is_trained_along_hears_of_every_mistake():
    model = make(GRUCore, None)
    caption_loss(model, next(lessons())).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.encoder.parameters())


def test_jitter_moves_a_picture_a_little_and_a_seed_repeats_it():
    pages = torch.zeros(4, 32, 28)
    pages[:, 12:20, 10:18] = 1
    moved = jitter(pages, 1.0, torch.Generator().manual_seed(0))
    assert moved.equal(jitter(pages, 1.0, torch.Generator().manual_seed(0)))
    assert moved.shape == pages.shape and len(moved.flatten(1).unique(dim=0)) == 4
    assert_close(moved.sum((1, 2)), torch.full((4,), 64.0), rtol=0.25, atol=0)
    assert_close(jitter(pages, 0.0), pages)


def test_an_epoch_shows_every_picture_once_and_goes_on_where_it_was_saved():
    data = lessons()
    seen = torch.cat([next(data).pictures for _ in range(4)])
    assert len(seen.flatten(1).unique(dim=0)) == 64
    next(data)
    saved, expected = {k: t.clone() for k, t in data.state_dict().items()}, next(data)
    again = lessons(seed=5)
    again.load_state_dict(saved)
    assert all(a.equal(b) for a, b in zip(next(again), expected))


def test_scores_count_words_after_the_true_beginning_and_captions_written_alone():
    class Says(Captioner):
        def start(self, pictures):
            return pictures

        def forward(self, x, state=None):  # 0 -> 3 -> 4 -> 0: right for the right half
            return torch.eye(V)[torch.tensor([3, 0, 0, 4, 0, 0, 0])[x]], state

    data = lessons()
    model = Says(Encoder(SIZE, (4,)), V, GRUCore(D, H))
    words, whole = scores(model, Captioned(data.pictures, data.captions, data.lengths))
    assert whole == 0.5 and words == pytest.approx((3 + 1) / (3 + 2))


def test_a_batch_goes_where_the_model_is():
    lessons = captioned(drawn(4), [torch.tensor([0, 1, 0])] * 4, 2)
    assert lessons.loss(make().to("meta"), next(lessons)).device.type == "meta"


def alone():
    """A batch of a caption that has an end and no beginning."""
    return captioned(drawn(1), [torch.tensor([0])], 1)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: Encoder((9, 12), (4, 6)), "expected multiples of 2"),
        (lambda: Encoder(SIZE, ()), "size is"),
        (lambda: make().start(torch.rand(2, 8, 8)), "expected"),
        (lambda: make()(torch.zeros(1, 1, dtype=torch.long)), "begin with state = model.start"),
        (lambda: make(look=None).weights(torch.zeros(1, 1, dtype=torch.long), make().start(drawn(1)).core),
         "without attention"),
        (lambda: Captioner(Encoder(SIZE, (4,)), 0, GRUCore(D, H)), "vocab_size is 0"),
        (lambda: captioned(drawn(2), [torch.tensor([0, 1, 0])], 1), "2 pictures, 1 captions"),
        (lambda: captioned(drawn(1), [torch.tensor([0, 1, 0])], 2), "batch is 2"),
        (lambda: alone().loss(make(), next(alone())), "shorter than 2 symbols"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
