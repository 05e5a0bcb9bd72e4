"""What a running job tells its caller: small frozen records, and the way to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.errors import Cancelled


class Cancel:
    """Asked for by one thread, noticed by another at its next checkpoint."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled when the job was asked to stop."""
        if self._event.is_set():
            raise Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """Stage `stage` is at `done` of `total`; eta in seconds, None while unknown."""

    stage: str
    done: int
    total: int
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Download(Progress):
    """Bytes `done` of `total`; rate in bytes a second over the last moments; stalled: nothing comes in."""

    rate: float = 0.0
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class PrefillStart:
    """The model is about to read the prompt of lane `lane`: so many tokens, without the `cut` first messages,
    for which there is no room."""

    lane: int
    prompt_tokens: int
    cut: int


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The training loss after `step` optimiser steps."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of the job is on the model at this moment: something short may run before it goes on."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The size of a steering prompt's effect: of the first responses, later of all of them.

    Attributes:
        kl: mean KL(prompted || unprompted) per token, in nats (engine/README.md, Eq. 14).
        verdict: the same in words.
        enough: False where the prompt changes next to nothing.
    """

    kl: float
    verdict: str
    enough: bool


@dataclass(frozen=True, slots=True)
class HeadReady:
    """A usable head: the first one instant, a later one refined (`final`)."""

    head: Any
    final: bool


Emit = Callable[[Any], None]


def ignore(event: Any) -> None:
    """The listener of a caller that wants only the result."""


class Meter:
    """Turns `step()` calls into Progress events with an ETA from the pace so far."""

    def __init__(self, emit: Emit, stage: str, total: int) -> None:
        self._emit, self._stage, self._total = emit, stage, total
        self._done, self._start = 0, time.perf_counter()
        emit(Progress(stage, 0, total))

    def step(self, n: int = 1) -> None:
        self._done += n
        spent = time.perf_counter() - self._start
        eta = spent / self._done * (self._total - self._done) if self._done else None
        self._emit(Progress(self._stage, self._done, self._total, eta))


def duration(seconds: float) -> str:
    """Seconds for a person; minutes from 100 s on, hours from 100 min on."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
