"""Traces as bytes for the library: safetensors with a JSON header, exactly what was shown."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engine.decoding import checked_header, from_json
from engine.generation.result import SteeredTokens
from engine.generation.trace import Trace
from engine.generation.trace_arrays import trace_from, trace_to_arrays, trace_to_json
from engine.heads.head import Head


def pack(trace: Trace) -> bytes:
    """The whole trace; `unpack` gives the same numbers and words back."""
    return save(
        trace_to_arrays(trace), metadata={"trace": json.dumps(trace_to_json(trace), ensure_ascii=False)}
    )


def unpack(data: bytes) -> Trace | None:
    """None for bytes that hold no trace: its text is kept elsewhere, so nothing else is lost."""
    try:
        length = int.from_bytes(data[:8], "little")
        header = from_json(data[8 : 8 + length], longest=len(data))
        words = checked_header(header, len(data) - 8 - length).metadata["trace"]
        return trace_from(load(data), from_json(words))
    except (SafetensorError, ValueError, KeyError, IndexError, TypeError, OverflowError):
        return None


def said_of(trace: Trace, heads: Sequence[Head | None], before: Sequence[float]) -> SteeredTokens | None:
    """How the traced answer was made, so that it is steered again as it was; None when a head is lost.

    before: the strengths in force on the prompt, one per head.
    """
    if any(head is None for head in heads) or trace.strengths.shape[1] != len(heads):
        return None
    first = np.asarray(before, np.float32).reshape(1, len(heads))
    return SteeredTokens(
        tuple(trace.ids.tolist()),
        tuple(head for head in heads if head is not None),
        np.concatenate([first, trace.strengths]),
    )
