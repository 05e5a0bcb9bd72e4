"""Objects of the engine that the studio holds and hands back, made here so that it is imported late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def make_strengths(values: Sequence[float]) -> Any:
    """Live strengths for one run (engine.generation.live_strengths.Strengths)."""
    from engine.generation.live_strengths import LiveStrengths

    return LiveStrengths(values)


def make_trace(token: Any) -> Any:
    """An empty engine.generation.trace.Trace in the shape of its first token."""
    from engine.generation.trace import Trace

    return Trace(len(token.strengths), len(token.coefficients))
