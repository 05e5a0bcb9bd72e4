"""A trace as named arrays and JSON values, and back: what the library and run files store of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.generation.trace import Trace

STORED_NAMES = {
    "ids": "ids",
    "logprobs": "logprobs",
    "ranks": "ranks",
    "strengths": "strengths",
    "coefficients": "coefficients",
    "lengths": "lengths",
    "prompt_effect": "truth",
    "distance_to_prompt": "gap",
}
"""Array of a Trace -> its published name in stored arrays, JSON keys and CSV columns."""


def trace_to_arrays(trace: Trace) -> dict[str, np.ndarray]:
    """The arrays of a trace by their published names; shapes as in Trace."""
    return {stored: np.ascontiguousarray(getattr(trace, name)) for name, stored in STORED_NAMES.items()}


def trace_to_json(trace: Trace) -> dict[str, Any]:
    """The rest of a trace as JSON values: `pieces`, and `alternatives` as [id, text, probability]."""
    return {"pieces": trace.pieces, "alternatives": trace.alternatives}


def trace_from(arrays: Mapping[str, np.ndarray], words: Mapping[str, Any]) -> Trace:
    """The trace that was taken apart by `trace_to_arrays` and `trace_to_json`.

    Raises:
        KeyError, IndexError, TypeError, ValueError: something is missing or of the wrong kind.
    """
    alternatives = [
        tuple((int(token), str(text), float(share)) for token, text, share in row)
        for row in words["alternatives"]
    ]
    named = {name: arrays[stored] for name, stored in STORED_NAMES.items()}
    return Trace.of(named, words["pieces"], alternatives)
