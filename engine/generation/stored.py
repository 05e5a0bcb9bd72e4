"""A trace as plain arrays and words, and back: what the library and run files store of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.generation.trace import Token, Trace

ARRAYS = ("ids", "logprobs", "ranks", "strengths", "coefficients", "lengths", "truth", "gap")


def arrays_of(trace: Trace) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(getattr(trace, name)) for name in ARRAYS}


def words_of(trace: Trace) -> dict[str, Any]:
    """Pieces and alternatives, as JSON values."""
    return {"pieces": trace.pieces, "alternatives": trace.alternatives}


def trace_of(arrays: Mapping[str, np.ndarray], words: Mapping[str, Any]) -> Trace:
    """Raises KeyError, IndexError, TypeError or ValueError for what is missing or of the wrong kind."""
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
