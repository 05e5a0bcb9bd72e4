"""A trace as it is stored: the same numbers and words back, and nothing made up of what is damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.generation.trace import Token, Trace
from engine.generation.trace_arrays import trace_from, trace_to_arrays, trace_to_json


def token(at: int, measured: bool) -> Token:
    row = np.arange(3, dtype=np.float32) + at
    return Token(
        lane=0,
        index=at,
        id=7 + at,
        text=f"é{at}",
        logprob=-0.5,
        rank=2,
        alternatives=((9, "a", 0.25),),
        strengths=(1.0, -0.5),
        coefficients=row,
        lengths=row + 3,
        prompt_effect=row + 1 if measured else None,
        distance_to_prompt=row + 2 if measured else None,
    )


@pytest.fixture
def trace() -> Trace:
    made = Trace(2, 3)
    for at in range(5):
        made.append(token(at, measured=at > 1))
    return made


@pytest.mark.parametrize("count", [0, 5])
def test_it_comes_back_and_grows_on(trace: Trace, count: int) -> None:
    before = trace if count else Trace(2, 3)
    back = trace_from(trace_to_arrays(before), trace_to_json(before))
    for _ in range(2):
        assert back.text == before.text and back.alternatives == before.alternatives
        for name, values in trace_to_arrays(before).items():
            assert np.array_equal(trace_to_arrays(back)[name], values, equal_nan=True), name
        for one in (before, back):
            for at in range(200):
                one.append(token(at, measured=True))


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
    arrays, words = trace_to_arrays(trace) | damage, trace_to_json(trace) | damage
    with pytest.raises((KeyError, IndexError, TypeError, ValueError)):
        trace_from(arrays, words)
