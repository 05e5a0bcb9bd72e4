"""Traces as bytes for the library: safetensors with a JSON header, exactly what was shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engine.generation.lanes import Said
from engine.generation.trace import Token, Trace
from engine.heads.head import Head

_ARRAYS = ("ids", "logprobs", "ranks", "strengths", "coefficients", "lengths", "truth", "gap")


def pack(trace: Trace) -> bytes:
    """The whole trace; `unpack` gives the same numbers and words back."""
    arrays = {name: np.ascontiguousarray(getattr(trace, name)) for name in _ARRAYS}
    words = {"pieces": trace.pieces, "alternatives": trace.alternatives}
    return save(arrays, metadata={"trace": json.dumps(words, ensure_ascii=False)})


def unpack(data: bytes) -> Trace | None:
    """None for bytes that hold no trace: its text is kept elsewhere, so nothing else is lost."""
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        words = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["trace"])
        return _built(arrays, words)
    except (SafetensorError, ValueError, KeyError, IndexError, TypeError):
        return None


def said_of(trace: Trace, heads: Sequence[Head | None], before: Sequence[float]) -> Said | None:
    """How the traced answer was made, so that it is steered again as it was; None when a head is lost.

    before: the strengths in force on the prompt, one per head.
    """
    if any(head is None for head in heads) or trace.strengths.shape[1] != len(heads):
        return None
    first = np.asarray(before, np.float32).reshape(1, len(heads))
    return Said(
        tuple(trace.ids.tolist()),
        tuple(head for head in heads if head is not None),
        np.concatenate([first, trace.strengths]),
    )


def _built(arrays: dict[str, np.ndarray], words: dict[str, Any]) -> Trace:
    trace = Trace(arrays["strengths"].shape[1], arrays["coefficients"].shape[1])
    rows = zip(words["pieces"], words["alternatives"], strict=True)
    measured = [bool(np.isfinite(row).all()) for row in arrays["truth"]]
    for at, (piece, others) in enumerate(rows):
        trace.append(
            Token(
                0,
                at,
                int(arrays["ids"][at]),
                piece,
                float(arrays["logprobs"][at]),
                int(arrays["ranks"][at]),
                tuple((int(i), str(text), float(p)) for i, text, p in others),
                tuple(arrays["strengths"][at].tolist()),
                arrays["coefficients"][at],
                arrays["lengths"][at],
                arrays["truth"][at] if measured[at] else None,
                arrays["gap"][at] if measured[at] else None,
            )
        )
    return trace
