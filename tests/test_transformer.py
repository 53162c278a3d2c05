"""The transformer: attention is the lecture's equation, equal to torch's modules, and blind to the future."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from laws import LAWS
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode
from unrolled.encoder_decoder import EncoderDecoder
from unrolled.generate import generate, greedy
from unrolled.model import SequenceModel, detach, nll, take_rows
from unrolled.positions import angles, rotate, sinusoids, times
from unrolled.transformer import (
    POSITIONS,
    Attention,
    Block,
    Cache,
    Transformer,
    TransformerCore,
    attention,
    causal,
    feed_forward,
    merge,
    split,
)

V, B, N, T, S, d = 11, 2, 3, 4, 6, 5
D = N * d
f64 = dict(dtype=torch.float64)
AS_OURS = f64 | dict(
    dropout=0.0, activation=torch.nn.GELU(approximate="tanh"), batch_first=True, norm_first=True
)


def qkv(heads=N):
    return torch.randn(B, heads, T, d, **f64), *(torch.randn(B, heads, S, d, **f64) for _ in "kv")


def tiny(positions="learned", **options):
    return Transformer(V, 12, 2, 2, 64, positions=positions, **options).eval()


every_position = pytest.mark.parametrize("positions", POSITIONS)


# ---- attention


def test_attention_is_its_equation_number_by_number():
    q, k, v = qkv()
    out = torch.zeros(B, N, T, d, **f64)
    for b in range(B):
        for n in range(N):
            for t in range(T):
                seen = range(S - T + t + 1)  # the questions belong to the last T of the S elements
                e = [math.exp(float(q[b, n, t] @ k[b, n, s]) / math.sqrt(d)) for s in seen]
                out[b, n, t] = sum(e[s] / sum(e) * v[b, n, s] for s in seen)
    assert_close(attention(q, k, v, causal(T, S)), out)


@pytest.mark.parametrize("mask", [None, causal(T, S), torch.arange(S) < torch.tensor([[[[4]]], [[[6]]]])])
def test_torchs_fused_function_computes_the_same(mask):
    q, k, v = qkv()
    assert_close(attention(q, k, v, mask), F.scaled_dot_product_attention(q, k, v, mask))


@pytest.mark.claim("T1")
def test_weights_are_shares_and_none_goes_to_the_future():
    q, k, v = qkv()
    out, w = attention(q, k, v, causal(T, S), weights=True)
    assert_close(w.sum(-1), torch.ones(B, N, T, **f64))
    assert (w.triu(S - T + 1) == 0).all() and (w.tril(S - T) > 0)[..., 0].all()
    assert_close(out, w @ v)


def test_gradients_of_attention_and_of_turning_are_those_of_finite_differences():
    q, k, v = (x.requires_grad_() for x in qkv())
    assert torch.autograd.gradcheck(lambda q, k, v: attention(q, k, v, causal(T, S)), (q, k, v))
    x = torch.randn(1, 2, 3, 4, **f64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rotate(x, angles(torch.arange(3.0).double(), 4)), x)


def test_attention_does_not_care_for_the_order_of_keys():
    q, k, v = qkv()
    order = torch.randperm(S)
    assert_close(attention(q, k[:, :, order], v[:, :, order]), attention(q, k, v))


@pytest.mark.claim("T6")
def test_twice_the_length_is_four_times_the_multiplications():
    def multiplications(T):
        q = torch.randn(1, 2, T, 8)
        with FlopCounterMode(display=False) as counter:
            attention(q, q, q)
        return counter.get_total_flops()

    assert multiplications(32) == 4 * multiplications(16) == 16 * multiplications(8)


def test_huge_scores_stay_finite():
    q, k, v = (1e4 * x.float() for x in qkv())
    assert attention(q, k, v, causal(T, S)).isfinite().all()


def test_the_heads_together_are_the_vector():
    x = torch.randn(B, T, D)
    assert merge(split(x, d)).equal(x)
    assert split(x, d)[:, 1].equal(x[:, :, d : 2 * d])


@pytest.mark.parametrize("fast", [True, False])
def test_heads_equal_torchs_multihead_attention(fast):
    ours, theirs = Attention(D, N, fast).double(), torch.nn.MultiheadAttention(D, N, batch_first=True, **f64)
    copy_attention(ours, theirs)
    x = torch.randn(B, T, D, **f64)
    out = ours(x, ours.shown(x), causal(T, T))
    assert_close(out, theirs(x, x, x, attn_mask=~causal(T, T))[0])


@torch.no_grad()
def copy_attention(ours, theirs):
    maps = (ours.W_q, ours.W_k, ours.W_v)
    theirs.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
    theirs.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
    theirs.out_proj.load_state_dict(ours.W_o.state_dict())


def copy_block(ours, theirs, last_norm):
    """The weights that the layers of encoder and decoder share."""
    copy_attention(ours.attention, theirs.self_attn)
    parts = (ours.norm_1, theirs.norm1), (ours.norm_2, last_norm)
    for mine, yours in (*parts, (ours.mlp[0], theirs.linear1), (ours.mlp[2], theirs.linear2)):
        yours.load_state_dict(mine.state_dict())


def test_a_block_equals_torchs_layer():
    theirs = torch.nn.TransformerEncoderLayer(D, N, 4 * D, **AS_OURS)
    ours = Block(D, Attention(D, N), feed_forward(D)).double()
    copy_block(ours, theirs, theirs.norm2)
    x = torch.randn(B, T, D, **f64)
    assert_close(ours(x, mask=causal(T, T))[0], theirs(x, src_mask=~causal(T, T)))


# ---- positions


def test_the_code_of_a_place_is_the_papers():
    code = sinusoids(angles(times(0, 50, torch.zeros(1)), 8))
    by_hand = [f(37 / 10000 ** (2 * i / 8)) for i in range(4) for f in (math.sin, math.cos)]
    assert_close(code[37], torch.tensor(by_hand))


def test_a_step_further_is_the_same_turn_everywhere():
    code = sinusoids(angles(torch.arange(40.0).double(), 6))
    seven = angles(torch.full((40,), 7.0).double(), 6)
    sine, cosine = code[:, ::2], code[:, 1::2]
    turned = rotate(torch.cat([cosine, sine], -1)[None, None], seven)[0, 0, :33]
    assert_close(turned, torch.cat([cosine, sine], -1)[7:])


def test_the_product_of_turned_vectors_knows_only_their_distance():
    q, k = torch.randn(2, 1, 1, 1, 8, **f64)

    def product(m, n):
        return (rotate(q, at(m)) * rotate(k, at(n))).sum()

    def at(t):
        return angles(torch.tensor([float(t)], **f64), 8)

    assert_close(product(3, 1), product(103, 101))
    assert (product(3, 1) - product(3, 2)).abs() > 1e-3


def test_turning_keeps_lengths():
    x = torch.randn(1, 1, 9, 8)
    turned = rotate(x, angles(torch.arange(9.0), 8))
    assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert turned[0, 0, 0].equal(x[0, 0, 0])


@every_position
def test_a_model_with_positions_sees_the_order(positions):
    model, x = tiny(positions), torch.tensor([[1, 2, 3, 4]])
    assert (model(x)[0][:, -1] - model(x[:, [1, 0, 2, 3]])[0][:, -1]).abs().max() > 1e-3


# ---- the whole model


@every_position
@torch.no_grad()
def test_pieces_are_the_whole_to_five_digits(positions):
    model, x, state = tiny(positions), torch.randint(V, (3, 40)), None
    logits = []
    for piece in x.split([1, 17, 0, 9, 13], 1):
        out, state = model(piece, state)
        logits.append(out)
    assert_close(torch.cat(logits, 1), model(x)[0], rtol=1e-5, atol=1e-5)


@every_position
@torch.no_grad()
def test_the_readable_attention_and_the_fast_one_agree(positions):
    fast, slow = tiny(positions), tiny(positions, fast=False)
    slow.load_state_dict(fast.state_dict())
    x = torch.randint(V, (3, 30))
    assert_close(slow(x)[0], fast(x)[0], rtol=1e-5, atol=1e-5)


@every_position
def test_no_gradient_comes_from_the_future(positions):
    core = TransformerCore(12, 2, 2, 64, positions)
    a = torch.randn(1, 9, 12, requires_grad=True)
    (core(a)[0][:, 4] * torch.randn(12)).sum().backward()
    reached = a.grad.abs().sum((0, 2)) > 0
    assert reached.tolist() == [True] * 5 + [False] * 4


def test_every_parameter_learns():
    model = tiny()
    nll(model, torch.randint(V, (2, 65))).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.claim("T2")
@every_position
def test_it_learns_to_look_back(positions):
    """A symbol repeats what stood three places before it: the one before it tells nothing."""
    model = Transformer(V, 32, 2, 4, 16, positions=positions)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(120):
        optimiser.zero_grad()
        bits = nll(model, torch.randint(V, (32, 3)).repeat(1, 4))
        bits.backward()
        optimiser.step()
    assert bits < math.log2(V) / 2  # guessing costs log2(V); knowing all but the first three, 0.63


def test_the_weights_of_a_model_are_those_it_uses():
    model, x = tiny("rotary"), torch.randint(V, (2, 9))
    whole = model.weights(x)
    assert whole.shape == (2, 2, 2, 9, 9)
    assert_close(whole.sum(-1), torch.ones(2, 2, 2, 9))
    _, state = model(x[:, :6])
    assert_close(model.weights(x[:, 6:], state), whole[:, :, :, 6:])
    block = model.core.blocks[0]
    with torch.no_grad():
        a = block.norm_1(model.embed(x))
        _, v = block.attention.shown(a)
        h = model.embed(x) + block.attention.W_o(merge(whole[0] @ v))
        assert_close(h + block.mlp(block.norm_2(h)), first_layer(model, x))


def first_layer(model, x):
    short = copy.deepcopy(model)
    short.core.blocks, short.core.norm = short.core.blocks[:1], torch.nn.Identity()
    return short.core(short.embed(x))[0]


@every_position
def test_an_empty_piece_changes_nothing(positions):
    model, none = tiny(positions), torch.zeros(2, 0, dtype=torch.long)
    logits, state = model(none)
    assert logits.shape == (2, 0, V) and state is None
    _, state = model(torch.ones(2, 3, dtype=torch.long))
    logits, same = model(none, state)
    assert logits.shape == (2, 0, V) and same is state


def test_a_detached_state_says_the_same_and_sends_no_gradient_back():
    model, x = tiny(), torch.randint(V, (2, 6))
    _, state = model(x)
    cut = detach(state)
    assert isinstance(cut[0], Cache) and not cut[0].k.requires_grad and state[0].k.requires_grad
    assert_close(model(x, cut)[0], model(x, state)[0])


@every_position
def test_reading_beyond_the_context_is_refused(positions, unchecked):
    model, x = Transformer(V, 12, 1, 2, 8, positions=positions), torch.zeros(1, 6, dtype=torch.long)
    _, state = model(x)
    model(x[:, :2], state)
    with pytest.raises(ValueError, match="6 elements were read and x brings 3 more: .* 8 positions"):
        model(x[:, :3], state)
    with pytest.raises(ValueError, match="8 positions"):
        generate(model, x, 4, greedy)


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_without_a_context_there_is_no_end(positions):
    model = Transformer(V, 12, 1, 2, positions=positions)
    assert model(torch.zeros(1, 700, dtype=torch.long))[0].isfinite().all()


def test_the_state_must_fit(unchecked):
    model, x = tiny(), torch.zeros(2, 3, dtype=torch.long)
    _, state = model(x)
    with pytest.raises(ValueError, match="state was made for 2 rows: x has 1"):
        model(x[:1], state)
    with pytest.raises(ValueError, match="ids from 0 to 11: this model knows 0 to 10"):
        model(torch.tensor([[0, V]]))


@pytest.mark.parametrize("bad, said", [
    (dict(positions="relative"), "positions is 'relative'"),
    (dict(context=None), "learned positions need a number"),
    (dict(heads=5), "heads can share"),
    (dict(layers=0), "layers 0"),
    (dict(width=6, heads=2, positions="rotary"), "3 is odd"),
])  # fmt: skip
def test_bad_settings_are_named(bad, said):
    with pytest.raises(ValueError, match=said):
        Transformer(V, **(dict(width=12, layers=1, heads=2, context=8) | bad))


def test_long_rows_of_half_precision_stay_finite():
    model = tiny("rotary").bfloat16()
    assert model(torch.randint(V, (2, 60)))[0].isfinite().all()


# ---- encoder and decoder

SOURCE, LENGTHS = torch.randint(7, (3, 8)), torch.tensor([8, 3, 5])


class Begun(SequenceModel):
    """A decoder whose every row begins with the same source: what the law's tests can carry."""

    def __init__(self, model):
        super().__init__()
        self.model, self.vocab_size = model, model.vocab_size

    def forward(self, x, state=None):
        return self.model(x, state or self.model.start(SOURCE[:1].expand(len(x), -1)))


def translator():
    return EncoderDecoder(7, V, 12, 2, 2).eval()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@torch.no_grad()
def test_the_law_holds_for_the_target(law):
    law(Begun(translator()), torch.randint(V, (3, 12)), [2, 2, 7])


def test_equals_torchs_encoder_and_decoder():
    ours = EncoderDecoder(7, V, 12, 1, 2).double()
    e, encoder = ours.encoder[0], torch.nn.TransformerEncoderLayer(12, 2, 48, **AS_OURS)
    u, decoder = ours.decoder[0], torch.nn.TransformerDecoderLayer(12, 2, 48, **AS_OURS)
    copy_block(e, encoder, encoder.norm2)
    copy_block(u, decoder, decoder.norm3)
    copy_attention(u.cross, decoder.multihead_attn)
    decoder.norm2.load_state_dict(u.norm_cross.state_dict())
    x = torch.randint(V, (3, 5))
    missing = torch.arange(8) >= LENGTHS[:, None]
    code = sinusoids(angles(torch.arange(8.0).double(), 12))
    memory = ours.norm_source(encoder(ours.embed_source(SOURCE) + code, src_key_padding_mask=missing))
    h = decoder(ours.embed(x) + code[:5], memory, tgt_mask=~causal(5, 5), memory_key_padding_mask=missing)
    assert_close(ours(x, ours.start(SOURCE, LENGTHS))[0], ours.W_y(ours.norm(h)))


@torch.no_grad()
def test_what_fills_up_a_short_source_is_not_seen():
    model, x = translator(), torch.randint(V, (3, 5))
    together, _ = model(x, model.start(SOURCE, LENGTHS))
    for b, n in enumerate(LENGTHS):
        alone, _ = model(x[b : b + 1], model.start(SOURCE[b : b + 1, :n]))
        assert_close(together[b : b + 1], alone, rtol=1e-5, atol=1e-5)


def test_the_encoder_looks_both_ways():
    model = translator()
    changed = SOURCE.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 7
    assert ((model.encode(SOURCE) - model.encode(changed)).abs().amax(-1) > 0).all()


@torch.no_grad()
def test_rows_of_a_state_may_be_picked_as_a_search_does():
    model, rows = translator(), torch.tensor([2, 0, 0])
    x = torch.randint(V, (3, 4))
    _, state = model(x[:, :3], model.start(SOURCE, LENGTHS))
    picked, _ = model(x[rows, 3:], take_rows(state, rows, 3))
    assert_close(picked, model(x[:, 3:], state)[0][rows])


def test_the_source_is_heard_and_learns():
    model, x = translator(), torch.randint(V, (3, 5))
    logits, _ = model(x, model.start(SOURCE))
    assert (logits - model(x, model.start(SOURCE.flip(0)))[0]).abs().max() > 1e-3
    logits.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_it_learns_to_reverse():
    model = EncoderDecoder(7, 8, 32, 1, 4)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)

    def reversal(n):
        source = torch.randint(7, (n, 5))
        x = torch.cat([torch.full((n, 1), 7), source.flip(1)], 1)  # 7 begins a target
        return x, model(x[:, :-1], model.start(source))[0]

    for _ in range(250):
        x, logits = reversal(32)
        optimiser.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()).backward()
        optimiser.step()
    x, logits = reversal(200)
    assert (logits.argmax(-1) == x[:, 1:]).float().mean() > 0.95  # guessing: 1/7


def test_an_empty_target_changes_nothing():
    model = translator()
    state = model.start(SOURCE)
    logits, same = model(torch.zeros(3, 0, dtype=torch.long), state)
    assert logits.shape == (3, 0, V) and same is state


def test_bad_sources_are_named(unchecked):
    model, x = translator(), torch.zeros(3, 2, dtype=torch.long)
    bad = (SOURCE, torch.tensor([8, 0, 1])), (SOURCE, torch.tensor([1])), (SOURCE[:, :0], None)
    for source, lengths in bad:
        with pytest.raises(ValueError, match="one length a row, from 1 to S"):
            model.start(source, lengths)
    with pytest.raises(ValueError, match="begin with state = model.start"):
        model(x)
    with pytest.raises(ValueError, match="state was made for 3 rows: x has 1"):
        model(x[:1], model.start(SOURCE))
    with pytest.raises(ValueError, match="even width"):
        EncoderDecoder(7, V, 15, 1, 3)
