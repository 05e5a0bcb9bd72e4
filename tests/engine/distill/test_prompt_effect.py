"""Where a head's strength should end: the law that is drawn through the points measured."""

from __future__ import annotations

import pytest

from engine.distill import Request, distill
from engine.distill.prompt_effect import reached


@pytest.mark.parametrize(
    ("found", "limit", "expected"),
    [
        ({1.0: 1.0}, 4.0, 2.0),  # one point: the square
        ({1.0: 1.0, 2.0: 2.0}, 3.0, 3.0),  # a straight line
        ({1.0: 1.0, 1.5: 2.25, 3.0: 9.0}, 4.0, 2.0),  # between the two nearest
        ({1.0: 5.0}, 1.0, 1.0),  # never below 1,
        ({1.0: 0.01}, 9.0, 4.0),  # nor above 4
        ({1.0: 1.0, 1.3: 1.0}, 2.0, 1.0),  # what does not grow reaches nothing
    ],
)
def test_the_law_through_the_nearest_points_is_followed_to_the_limit(found, limit, expected) -> None:
    assert reached(found, limit) == pytest.approx(expected)


def test_a_suggested_range_reaches_strength_1_at_least(pocket) -> None:
    result = distill(pocket, Request("Talk like a pirate.", responses=16))
    low, high = result.strength_range
    assert low == 0.0 and 1.0 <= high <= 4.0
