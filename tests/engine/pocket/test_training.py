"""Pocket's training: it learns, it goes on where it was stopped, and it writes a folder that loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import Cancelled, InputError
from engine.events import Cancel, LossPoint, Progress
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.loading import load
from engine.pocket.training import TrainingPlan, train

PLAN = TrainingPlan(steps=40, batch=4, warm_up=4)


class StopAt:
    """A listener that asks for the end once `step` optimiser steps are told of."""

    def __init__(self, step: int) -> None:
        self.step, self.cancel = step, Cancel()

    def __call__(self, event: Any) -> None:
        if isinstance(event, LossPoint) and event.step >= self.step:
            self.cancel.set()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("whole")
    events: list[Any] = []
    train(folder / "model", folder / "work", PLAN, emit=events.append)
    return folder / "model", events


def test_the_loss_falls_and_progress_has_an_eta(whole) -> None:
    losses = [e.loss for e in whole[1] if isinstance(e, LossPoint)]
    assert len(losses) == 2 and losses[-1] < losses[0]
    last = [e for e in whole[1] if isinstance(e, Progress)][-1]
    assert (last.done, last.total) == (40, 40) and last.eta == 0


def test_the_folder_loads_as_any_model_and_answers(whole) -> None:
    model = load(str(whole[0]))
    assert 2_000_000 < sum(p.numel() for p in model.network.parameters()) <= 6_000_000
    lane = Lane([Message("user", "Hello!")], system="Be polite.")
    assert len(generate(model, [lane], Sampling(max_tokens=5))[0].trace) == 5


def test_a_stopped_training_goes_on_to_the_very_same_weights(whole, tmp_path) -> None:
    listener = StopAt(20)
    with pytest.raises(Cancelled):
        train(tmp_path / "model", tmp_path / "work", PLAN, cancel=listener.cancel, emit=listener)
    assert not (tmp_path / "model").exists()
    with pytest.raises(InputError, match="other settings"):
        train(tmp_path / "model", tmp_path / "work", TrainingPlan(steps=41, batch=4, warm_up=4))
    train(tmp_path / "model", tmp_path / "work", PLAN)
    one, two = ((folder / "model.safetensors").read_bytes() for folder in (whole[0], tmp_path / "model"))
    assert one == two
