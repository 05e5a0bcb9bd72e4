"""Tokens for traces that no model generated."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.generation.trace import Token


def made_token(index: int, coefficients: np.ndarray, lengths: np.ndarray, **others: Any) -> Token:
    """A token of lane 0; others: fields in which it differs from " x" under one head of strength 1."""
    plain: dict[str, Any] = {
        "lane": 0,
        "id": 5,
        "text": " x",
        "logprob": -0.1,
        "rank": 1,
        "alternatives": (),
        "strengths": (1.0,),
    }
    return Token(index=index, coefficients=coefficients, lengths=lengths, **{**plain, **others})
