"""A loaded language model: the network, its tokenizer, its blocks and the facts about it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import ModelError
from engine.model.blocks import find_blocks, find_trunk
from engine.model.identity import POCKET, ModelIdentity, template_hash
from engine.model.memory import release
from engine.model.placement import devices_of
from engine.model.quantised import held_bytes, plain_tensors
from engine.model.turn_end import turn_ends


@dataclass(eq=False)
class LanguageModel:
    """A model ready to run: in eval mode, its parameters frozen.

    trunk: the part of the network that yields the states that logits are made of; blocks: its decoder blocks
    in order; devices: where each of them puts its output; width: d, of the
    residual stream; vocabulary: the number of logits; context: the most positions the model can take, None
    when it says nothing; device: where token ids go in and logits come out; dtype: that it computes in;
    precision: that of its matrices, "int8" or "4 bits" where they are quantised; eos_ids: the tokens that end
    an answer; stops: the strings that end one, where its template has no token for that; bytes: the size of
    the weights in memory; cache_argument: what the network calls its cache.
    """

    network: Any
    tokenizer: Any
    trunk: Any
    blocks: list[nn.Module]
    devices: list[torch.device]
    width: int
    vocabulary: int
    context: int | None
    device: torch.device
    dtype: torch.dtype
    precision: str
    name: str
    source: str
    revision: str | None
    identity: ModelIdentity
    eos_ids: frozenset[int]
    stops: tuple[str, ...]
    bytes: int
    cache_argument: str

    @property
    def is_pocket(self) -> bool:
        """Whether it is the bundled model. What follows from that is in engine.distill.model_kind."""
        return self.identity.id == POCKET

    @property
    def loaded(self) -> bool:
        return self.network is not None

    def unload(self) -> None:
        """Gives the memory back. The object only keeps its facts; running it is an error from then on."""
        self.network, self.tokenizer, self.trunk, self.blocks = None, None, None, []
        release()


def wrap(
    network: nn.Module,
    tokenizer: Any,
    *,
    source: str,
    name: str | None = None,
    revision: str | None = None,
) -> LanguageModel:
    """Makes a LanguageModel of a causal network and its tokenizer; puts the network in eval mode, frozen.

    Raises ModelError when the network has no decoder blocks, no head that yields logits or takes no cache.
    """
    net: Any = network
    network.eval().requires_grad_(False)
    blocks = find_blocks(network)
    head = net.get_output_embeddings() if hasattr(net, "get_output_embeddings") else None
    if head is None:
        raise ModelError(
            "This model cannot be used", "It yields no next-token logits.", "Choose a causal language model."
        )
    config = net.config.get_text_config(decoder=True)
    inputs = net.get_input_embeddings()
    dtype = inputs.weight.dtype
    template = getattr(tokenizer, "chat_template", None)
    ends, stops = turn_ends(tokenizer)
    identity = ModelIdentity(
        id=source,
        revision=revision,
        architecture=type(network).__name__,
        width=config.hidden_size,
        blocks=len(blocks),
        vocabulary=head.weight.shape[0],
        template=template_hash(template if isinstance(template, str) else repr(template or "")),
    )
    return LanguageModel(
        network=network,
        tokenizer=tokenizer,
        trunk=find_trunk(network),
        blocks=blocks,
        devices=devices_of(blocks),
        width=config.hidden_size,
        vocabulary=head.weight.shape[0],
        context=getattr(config, "max_position_embeddings", None),
        device=devices_of([inputs])[0],
        dtype=dtype,
        precision=_quantised(blocks) or str(dtype).removeprefix("torch."),
        name=name or ("Pocket" if source == POCKET else Path(source).name),
        source=source,
        revision=revision,
        identity=identity,
        eos_ids=_eos_ids(net, tokenizer) | ends,
        stops=stops,
        bytes=held_bytes(network),
        cache_argument=_cache_argument(network),
    )


def _cache_argument(network: nn.Module) -> str:
    """Models called it past_key_values up to transformers 5.23; those with code of their own still may."""
    accepted = inspect.signature(type(network).forward).parameters
    for name in ("cache", "past_key_values"):
        if name in accepted:
            return name
    raise ModelError(
        "This model cannot be steered",
        "It has no key-value cache, so every token would be its first.",
        "Choose a decoder-only language model, for instance a Llama, Qwen, Gemma or GPT.",
    )


def _quantised(blocks: list[nn.Module]) -> str | None:
    """What the matrices are held in where they are quantised; a byte without a sign holds two values."""
    kinds = {part.dtype for weight in blocks[0].parameters() for part in plain_tensors(weight.data)}
    return "int8" if torch.int8 in kinds else "4 bits" if torch.uint8 in kinds else None


def _eos_ids(network: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that one of the three places, which often disagree, calls an end."""
    found: set[int] = set()
    for owner in (getattr(network, "generation_config", None), network.config, tokenizer):
        value = getattr(owner, "eos_token_id", None)
        found.update(value if isinstance(value, (list, tuple)) else () if value is None else (value,))
    return frozenset(found)
