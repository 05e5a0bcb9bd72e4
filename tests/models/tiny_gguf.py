"""Tiny GGUF files, written by the package that llama.cpp's own converters write with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from engine.model.language_model import LanguageModel

_NORMAL, _CONTROL, _UNUSED = 1, 3, 5  # kinds of tokens
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def save(
    made: LanguageModel, path: Path, *, quantised: bool = False, facts: dict[str, Any] | None = None
) -> Path:
    """A model of the family Qwen2 as a GGUF file; quantised: its matrices in Q8_0; facts: more entries of the
    header, texts and numbers."""
    config, kind = made.network.config, "qwen2"
    writer = gguf.GGUFWriter(path, kind)
    writer.add_name("Harbour tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantised else gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer, made.tokenizer, config.vocab_size)
    for key, value in (facts or {}).items():
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(key, value)
    for name, weight in made.network.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = weight.float().numpy()
        q8 = quantised and array.ndim == 2 and array.shape[1] % 32 == 0
        kind_of = gguf.GGMLQuantizationType.Q8_0
        if q8:
            writer.add_tensor(_tensor(name), gguf.quantize(array, kind_of), raw_dtype=kind_of)
        else:
            writer.add_tensor(_tensor(name), array)
    return _close(writer, path)


def control_vector(path: Path, width: int = 32) -> Path:
    """Directions of three blocks, as llama.cpp's tools know them."""
    writer = gguf.GGUFWriter(path, "controlvector")
    writer.add_uint32("controlvector.layer_count", 2)  # as repeng stores it
    for block in (1, 2):
        writer.add_tensor(f"direction.{block}", np.full(width, 0.1, np.float32))
    return _close(writer, path)


def header(path: Path, architecture: str, **facts: Any) -> Path:
    """A file of a header and one small tensor; facts: its entries, texts and numbers, with __ for a dot."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in facts.items():
        (writer.add_string if isinstance(value, str) else writer.add_uint32)(key.replace("__", "."), value)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    return _close(writer, path)


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Any, size: int) -> None:
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    special = set(tokenizer.all_special_tokens) | {
        token.content for token in tokenizer.added_tokens_decoder.values()
    }
    by_id = {index: token for token, index in tokenizer.get_vocab().items()}
    tokens = [by_id.get(index, f"[PAD{index}]") for index in range(size)]
    kinds = [
        _UNUSED if index not in by_id else _CONTROL if token in special else _NORMAL
        for index, token in enumerate(tokens)
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(
        [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    )
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _tensor(name: str) -> str:
    stem, _, end = name.rpartition(".")
    if stem.startswith("model.layers."):
        _, _, number, part = stem.split(".", 3)
        return f"blk.{number}.{_NAMES[part]}.{end}"
    return f"{_NAMES[stem]}.{end}"


def _close(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
