"""Pocket's tokenizer and architecture: an ordinary Llama small enough to ship."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from engine.pocket.dialogues import dialogue

VOCABULARY = 2048
CONTEXT = 1024
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("system", "user", "assistant")

CHAT_TEMPLATE = (
    "{{ '<|begin|>' }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(seed: int) -> Any:
    """A byte-level BPE tokenizer trained on generated dialogues; every text can be encoded exactly."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    rng = random.Random(f"tokenizer {seed}")
    texts: list[str] = []
    for _ in range(20_000):
        d = dialogue(rng)
        texts += [d.system or "", *(text for turn in d.turns for text in turn)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [BEGIN, END, PAD, *(f"<|{role}|>" for role in ROLES)]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def build_network(tokenizer: Any) -> Any:
    """A Llama of 3.0 M parameters with random weights (seed torch before the call)."""
    from transformers.models.llama import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def save(folder: Path, network: Any, tokenizer: Any) -> None:
    """Writes an ordinary Hugging Face folder, weights in bfloat16."""
    import copy

    import torch

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    network.generation_config.update(do_sample=False)  # what recommended_sampling reads
    copy.deepcopy(network).to(torch.bfloat16).cpu().save_pretrained(folder)
