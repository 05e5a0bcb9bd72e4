"""A trace as plain arrays and words, and back: what the library and run files store of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.generation.trace import Trace

ARRAYS = ("ids", "logprobs", "ranks", "strengths", "coefficients", "lengths", "truth", "gap")


def arrays_of(trace: Trace) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(getattr(trace, name)) for name in ARRAYS}


def words_of(trace: Trace) -> dict[str, Any]:
    """Pieces and alternatives, as JSON values."""
    return {"pieces": trace.pieces, "alternatives": trace.alternatives}


def trace_of(arrays: Mapping[str, np.ndarray], words: Mapping[str, Any]) -> Trace:
    """Raises KeyError, IndexError, TypeError or ValueError for what is missing or of the wrong kind."""
    others = [
        tuple((int(token), str(text), float(share)) for token, text, share in row)
        for row in words["alternatives"]
    ]
    return Trace.of({name: arrays[name] for name in ARRAYS}, words["pieces"], others)
