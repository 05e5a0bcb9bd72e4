"""A trace as it is stored: the same numbers and words back, and nothing made up of what is damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.generation.trace import Token, Trace
from engine.generation.trace_arrays import arrays_of, trace_of, words_of


def token(at: int, truth: bool) -> Token:
    row = np.arange(3, dtype=np.float32) + at
    told = (row + 1, row + 2) if truth else (None, None)
    return Token(0, at, 7 + at, f"é{at}", -0.5, 2, ((9, "a", 0.25),), (1.0, -0.5), row, row + 3, *told)


@pytest.fixture
def trace() -> Trace:
    made = Trace(2, 3)
    for at in range(5):
        made.append(token(at, truth=at > 1))
    return made


@pytest.mark.parametrize("count", [0, 5])
def test_it_comes_back_and_grows_on(trace: Trace, count: int) -> None:
    before = trace if count else Trace(2, 3)
    back = trace_of(arrays_of(before), words_of(before))
    for _ in range(2):
        assert back.text == before.text and back.alternatives == before.alternatives
        for name, values in arrays_of(before).items():
            assert np.array_equal(getattr(back, name), values, equal_nan=True), name
        for one in (before, back):
            for at in range(200):
                one.append(token(at, truth=True))


@pytest.mark.parametrize(
    "damage",
    [
        {"ids": np.arange(4)},
        {"coefficients": np.zeros((5, 2), np.float32)},
        {"strengths": np.zeros(5, np.float32)},
        {"pieces": ["a"] * 4},
        {"pieces": [1] * 5},
        {"alternatives": [[[9, "a"]]] * 5},
    ],
)
def test_what_is_damaged_is_none(trace: Trace, damage: dict[str, Any]) -> None:
    arrays, words = arrays_of(trace) | damage, words_of(trace) | damage
    with pytest.raises((KeyError, IndexError, TypeError, ValueError)):
        trace_of(arrays, words)
