"""How far the strength of a new head can be raised."""

from __future__ import annotations

from engine.distill import Request, distill


def test_a_suggested_range_reaches_strength_1_at_least(pocket) -> None:
    result = distill(pocket, Request("Talk like a pirate.", responses=16))
    low, high = result.strength_range
    assert low == 0.0 and 1.0 <= high <= 4.0
