"""The shipped weights meet every bar of their check."""

from __future__ import annotations

import pytest

from engine.pocket.check import check
from engine.pocket.styles import STYLES


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_bundled_model_meets_every_bar_on_a_seed_of_its_own() -> None:
    report = check(answers=16, seed=3)
    assert report["styles"].keys() == set(STYLES)
    assert [f for f in report["figures"] if not f["passed"]] == []
