"""The time foretold: it grows with what is asked for, and costs little to tell."""

from __future__ import annotations

import pytest

from engine.distill import Request, time_estimate
from engine.distill.time_estimate import estimate
from tests.hooks import hooks
from tests.models import tiny

PIRATE = "Talk like a pirate."
INSTANT = Request(PIRATE)


@pytest.mark.parametrize(
    "more",
    [
        Request(PIRATE, responses=240),
        Request(PIRATE, recipe="refine"),
        Request(PIRATE, method="s-psr", recipe="instant", responses=96),
        Request(PIRATE, positions="question_and_response", responses=96),
    ],
)
def test_more_work_is_foretold_to_take_longer(pocket, more: Request) -> None:
    assert 0 < estimate(pocket, INSTANT) < estimate(pocket, more)
    assert estimate(pocket, more) < estimate(pocket, Request(PIRATE, recipe="paper"))


def test_a_model_is_timed_once(monkeypatch) -> None:
    model, timed = tiny.model(), []
    measured = time_estimate._measured
    monkeypatch.setattr(time_estimate, "_measured", lambda one: timed.append(one) or measured(one))
    for responses in (4, 8):
        assert estimate(model, Request(PIRATE, responses=responses, max_tokens=8)) > 0
    assert timed == [model]
    assert hooks(model) == 0
