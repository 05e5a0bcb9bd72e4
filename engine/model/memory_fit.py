"""Whether a model fits into memory, known before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ModelError
from engine.model.config import text_settings
from engine.model.memory import in_words

SIZES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}  # bytes per value
SMALL = 1 << 30  # bytes of weights in their files; smaller models run in float32

_TOKENS = 4096  # of a conversation that the cache is reckoned for
_SPARE = 0.05  # of the weights: what loading and the running itself take besides


@dataclass(frozen=True)
class Need:
    """Bytes that a model takes: its weights in the wanted dtype, and the cache of a long conversation."""

    weights: int
    cache: int

    @property
    def total(self) -> int:
        return round(self.weights * (1 + _SPARE)) + self.cache


def default_dtype(stored: int) -> str:
    """What a model of so many bytes of weights runs in unless the person says otherwise."""
    return "float32" if stored < SMALL else "bfloat16"


def need(config: dict[str, Any], values: int, dtype: str) -> Need:
    """What a model takes in a dtype; config: its config.json; values: how many numbers its weights are.

    int8 holds the matrices of the blocks, the embeddings and the cache stay in bfloat16.
    """
    text = text_settings(config)
    width = _first(text, ("hidden_size", "n_embd", "d_model"))
    blocks = _first(text, ("num_hidden_layers", "n_layer", "n_layers"))
    heads = _first(text, ("num_attention_heads", "n_head", "n_heads")) or 1
    shared = _first(text, ("num_key_value_heads", "num_kv_heads")) or heads
    context = _first(text, ("max_position_embeddings", "n_positions")) or _TOKENS
    each = _first(text, ("head_dim",)) or width // heads
    wide = max(SIZES[dtype], 2)
    cache = 2 * blocks * shared * each * min(context, _TOKENS) * wide
    plain = min(values, 2 * width * _first(text, ("vocab_size",))) if dtype == "int8" else 0
    return Need((values - plain) * SIZES[dtype] + plain * wide, cache)


def require_fit(
    name: str,
    config: dict[str, Any],
    values: int,
    dtype: str,
    free: int,
    offered: Sequence[str] = tuple(SIZES),
) -> None:
    """Raises ModelError when the model needs more than `free` bytes, with the dtype that would do, if any.

    offered: the dtypes that this machine can load.
    """
    total = need(config, values, dtype).total
    if total <= free:
        return
    smaller = {kind: need(config, values, kind).total for kind in offered if SIZES[kind] < SIZES[dtype]}
    fitting = next((kind for kind, size in smaller.items() if size <= free), None)
    remedy = (
        f"Load it in {fitting}: that needs {in_words(smaller[fitting])}."
        if fitting
        else "Close other programs, or choose a smaller model."
    )
    raise ModelError(
        f"The model {name} does not fit into memory",
        f"It needs {in_words(total)} in {dtype}, but only {in_words(free)} is free.",
        remedy,
    )


def _first(text: dict[str, Any], names: tuple[str, ...]) -> int:
    """The first of these settings that is a number; 0 for none."""
    return next((int(text[name]) for name in names if isinstance(text.get(name), int)), 0)
