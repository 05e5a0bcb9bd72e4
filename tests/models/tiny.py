"""Tiny random models and a small byte-level vocabulary, made in the test session: nothing is downloaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.heads.head import BlockHead, Gate, Head, HeadInfo, Positions
from engine.model.language_model import LanguageModel, wrap

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT = """The harbour is old and salty. Ships come and go with the tide, and the gulls are loud.
Tell me about the garden, the river, the mountain and the bakery! What else? Who are you?
User: Assistant: Thank you, my friend. The quick brown fox jumps over the lazy dog. Über café 日本語."""

_SIZE: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
}
_SLIDING = "sliding_attention"
_OWN: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {},
    "gemma2": {"head_dim": 8, "sliding_window": 16},
    "qwen2": {},
    "gpt_neox": {"rotary_pct": 0.5},
    "qwen3": {"head_dim": 8},
    "mistral": {"sliding_window": 8},
    "gemma3_text": {
        "head_dim": 8,
        "sliding_window": 8,
        "layer_types": [_SLIDING, "full_attention", _SLIDING],
    },
    "phi3": {"sliding_window": 8},
    "olmo2": {},
    "granite": {"residual_multiplier": 0.5, "logits_scaling": 2.0},
    "smollm3": {"no_rope_layers": [1, 1, 0]},
    "stablelm": {},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2, "bias": False},
    "mixtral": {"num_local_experts": 4},
    "qwen3_moe": {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
}
_STATES: dict[str, Any] = {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 16}
_ODD: dict[str, dict[str, Any]] = {  # trunks, caches and streams of their own
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 16, "do_layer_norm_before": False},
    "llama4_text": {
        "head_dim": 8,
        "intermediate_size_mlp": 48,
        "num_local_experts": 2,
        "no_rope_layers": [1, 1, 0],
    },
    "gemma3": {  # the text is one part of it, pictures the other
        "text_config": {**_SIZE, **_OWN["gemma3_text"]},
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        "mm_tokens_per_image": 4,
    },
    "mamba2": _STATES,
    "falcon_h1": {
        "head_dim": 8,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "mamba_n_groups": 1,
        "mamba_chunk_size": 16,
    },
    "gemma3n_text": {
        "head_dim": 8,
        "intermediate_size": [48] * 3,
        "vocab_size_per_layer_input": 400,
        "hidden_size_per_layer_input": 8,
        "altup_num_inputs": 2,
        "laurel_rank": 4,
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0] * 3,
        "layer_types": ["full_attention"] * 3,
    },
    "mamba": {"state_size": 8},
    "recurrent_gemma": {
        "head_dim": 8,
        "lru_width": 32,
        "attention_window_size": 8,
        "block_types": ["recurrent", "recurrent", "attention"],
    },
    "xlstm": {},
    "rwkv": {"attention_hidden_size": 32},
    "openai-gpt": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256},
}
ARCHITECTURES = ("llama", "gpt2", "gemma2", "qwen2", "gpt_neox")  # one of each way to build a block
EVERY = tuple(_OWN)


@cache
def tokenizer(template: str | None = TEMPLATE) -> Any:
    """A byte-level BPE vocabulary with a chat template that knows a system role."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    backend.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([TEXT] * 4, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<|pad|>", eos_token="<|end|>")
    made.chat_template = template
    return made


def network(architecture: str = "llama", **changes: Any) -> Any:
    """A random causal network with 3 blocks, 32 wide; changes: settings of its configuration."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(config(architecture, **changes))
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:
                weight.mul_(4.0)  # spreads the logits, so that greedy choices are no ties
    return made


def config(architecture: str, **changes: Any) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(architecture, **{**_SIZE, **{**_OWN, **_ODD}[architecture], **changes})


def model(architecture: str = "llama", template: str | None = TEMPLATE, **changes: Any) -> LanguageModel:
    return wrap(network(architecture, **changes), tokenizer(template), source=f"tiny-{architecture}")


def save(made: LanguageModel, folder: Path) -> Path:
    """The model as an ordinary folder on disk."""
    made.network.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return folder


def head(
    made: LanguageModel,
    *,
    seed: int = 0,
    rank: int = 1,
    gate: Gate = "relu",
    blocks: tuple[int, ...] | None = None,
    size: float = 1.0,
    positions: Positions = "response",
) -> Head:
    """A random head: about half of its gates fire, and its additions are about `size` long."""
    random = np.random.default_rng(seed)
    parts = {}
    for index in blocks if blocks is not None else range(len(made.blocks)):
        w, z = random.standard_normal((2, rank, made.width)).astype(np.float32)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        parts[index] = BlockHead(w * np.float32(0.1 * size), np.full(rank, 0.3 * size, np.float32), z)
    info = HeadInfo(
        name=f"head-{seed}", method="a-psr", prompt="Talk so.", model=made.identity, positions=positions
    )
    return Head(parts, gate, info)
