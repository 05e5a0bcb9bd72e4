"""The search for the strength at which the KL reaches its limit."""

from __future__ import annotations

from math import tanh

import pytest

from engine.distill.iso_kl import IsoKL, find_strength, predicted_strength


@pytest.mark.parametrize(
    ("found", "limit", "expected"),
    [
        ({1.0: 1.0}, 4.0, 2.0),  # one point: the square
        ({1.0: 1.0, 2.0: 2.0}, 3.0, 3.0),  # a straight line
        ({1.0: 1.0, 1.5: 2.25, 3.0: 9.0}, 4.0, 2.0),  # between the two nearest
        ({1.0: 1.0, 1.3: 1.0}, 2.0, 1.0),  # what does not grow reaches nothing
    ],
)
def test_the_power_law_through_the_nearest_points_is_followed_to_the_limit(found, limit, expected) -> None:
    assert predicted_strength(found, limit) == pytest.approx(expected)


@pytest.mark.parametrize(("known", "limit", "expected"), [({1.0: 5.0}, 1.0, 1.0), ({1.0: 0.01}, 9.0, 4.0)])
def test_the_answer_stays_within_the_range(known, limit, expected) -> None:
    assert (
        find_strength(lambda s: s, limit=limit, known=known, lowest=1.0, highest=4.0, evaluations=1).strength
        == expected
    )


@pytest.mark.parametrize(
    "kl",
    [
        lambda s: 0.3 * s * s,
        lambda s: 0.001 * s**1.2,
        lambda s: 40.0 * s * s,
        lambda s: 3.0 * tanh((s / 5) ** 4),  # flat, steep, flat
        lambda s: max(0.0, s - 7.0),  # nothing at all up to 7
    ],
)
def test_the_strength_found_was_measured_and_reaches_the_limit(kl) -> None:
    measured = {}

    def kl_at(strength: float) -> float:
        measured[strength] = kl(strength)
        return measured[strength]

    found = find_strength(kl_at, highest=1024.0)
    assert found.reached and found.kl == measured[found.strength] == pytest.approx(1.0, rel=0.05)
    assert len(measured) <= 16


def test_a_head_that_never_reaches_the_limit_ends_at_the_greatest_strength() -> None:
    assert find_strength(lambda s: 0.1 * tanh(s), highest=64.0) == IsoKL(64.0, 0.1 * tanh(64.0), False)
