"""What a long job shows of itself: the model slot, a distillation, and the figures of a finished head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.events import duration
from studio.widgets.translation import QT_TR_NOOP, shown, tr

# The engine's stages in the window's words: {0} is what is done, {1} the whole.
STAGES = {
    "loading the model": QT_TR_NOOP("Loading the model"),
    "responses": QT_TR_NOOP("Sampling answers {0} of {1}"),
    "targets": QT_TR_NOOP("Measuring the prompt's effect…"),
    "closed form": QT_TR_NOOP("Fitting block {0} of {1}"),
    "choosing the block": QT_TR_NOOP("Choosing the block {0} of {1}"),
    "fit": QT_TR_NOOP("Training step {0} of {1}"),
    "measuring": QT_TR_NOOP("Testing the head {0} of {1}"),
    "measurements": QT_TR_NOOP("{0} of {1} measurements"),
    "cells": QT_TR_NOOP("{0} of {1} measurements"),
}


def stage_words(stage: str, done: int, total: int) -> str:
    """Where a job is, for a person; a stage that is a sentence already stays as it is."""
    return shown(STAGES[stage]).format(done, total) if stage in STAGES else stage


def fit_words(fit: Fit) -> str:
    """Where a distillation is, and how long the rest of it takes."""
    words = stage_words(fit.stage, fit.done, fit.total)
    if fit.eta is None or fit.eta < 1:
        return words
    return tr("{0} – about {1} left in all").format(words, duration(fit.eta))


@dataclass(frozen=True)
class Fit:
    """A distillation as it runs and as it ended; effect, of `prompt`, in nats, eta in seconds; live: follows
    the typing; place: why the prompt went where it went, "" where that was not measured; weak: it was not
    distilled, as it changes next to nothing."""

    running: bool = False
    live: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    effect: float | None = None
    verdict: str = ""
    enough: bool = True
    losses: tuple[float, ...] = ()
    outcome: str = ""
    prompt: str = ""
    place: str = ""
    weak: bool = False


@dataclass(frozen=True)
class Faithfulness:
    """Relative RMSE per block, 1 = no better than no head; paraphrase: of another wording."""

    blocks: dict[int, float]
    paraphrase: dict[int, float] | None = None


@dataclass(frozen=True)
class Loading:
    """The model slot: `facts` (requests.ModelFacts) of the model that can be used, None for none; `coming`:
    the source of one that is being fetched or loaded, and how far that is."""

    facts: Any = None
    stage: str = ""
    done: int = 0
    total: int = 0
    coming: str = ""
