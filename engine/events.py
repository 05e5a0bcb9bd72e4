"""Events of a running job, small frozen records, and the way to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.errors import Cancelled


class Cancel:
    """A request to stop, set by one thread and checked by another that runs the job."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Asks the job to stop."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled when the job was asked to stop."""
        if self._event.is_set():
            raise Cancelled


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage of a job is.

    Attributes:
        stage: its name.
        done, total: steps.
        eta: seconds to the end of the stage; None while unknown.
    """

    stage: str
    done: int
    total: int
    eta: float | None = None


@dataclass(frozen=True, slots=True)
class Download(Progress):
    """How far a download is; `done` and `total` are bytes.

    Attributes:
        rate: bytes per second over the last seconds.
        stalled: whether no data arrives.
    """

    rate: float = 0.0
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class PrefillStart:
    """The model is about to read the prompt of a lane.

    Attributes:
        lane: index of the lane.
        prompt_tokens: length of the prompt.
        cut: how many of the first messages were left out because the context was too short.
    """

    lane: int
    prompt_tokens: int
    cut: int


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The training loss after `step` optimizer steps."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Pause:
    """The job has nothing attached to the model at this moment, so something short may use it in between."""


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
class PlaceScore:
    """What the prompt does from one place, over a few short responses.

    Attributes:
        effect: mean KL(prompted || plain), nats per token.
        usable: the share of the responses that are worth learning from, by the filter of the model's kind.
    """

    effect: float
    usable: float


@dataclass(frozen=True, slots=True)
class ChosenPlace:
    """Where the prompt goes.

    Attributes:
        place: the place.
        scores: what was measured of each place.
        why: the reason, in a sentence.
    """

    place: Literal["system", "before"]
    scores: Mapping[Literal["system", "before"], PlaceScore]
    why: str


@dataclass(frozen=True, slots=True)
class HeadReady:
    """A head that can be used, the instant one or the trained one that follows it."""

    head: Any


Emit = Callable[[Any], None]


def ignore(event: Any) -> None:
    """Takes an event and does nothing: for callers that want only the result."""


class Meter:
    """Emits Progress events as a stage advances, with a remaining time from the pace so far.

    Args:
        emit: takes the events.
        stage: name of the stage.
        total: its number of steps.
    """

    def __init__(self, emit: Emit, stage: str, total: int) -> None:
        self._emit, self._stage, self._total = emit, stage, total
        self._done, self._start = 0, time.perf_counter()
        emit(Progress(stage, 0, total))

    def step(self, n: int = 1) -> None:
        """Counts n steps as done."""
        self._done += n
        spent = time.perf_counter() - self._start
        eta = spent / self._done * (self._total - self._done) if self._done else None
        self._emit(Progress(self._stage, self._done, self._total, eta))


def duration(seconds: float) -> str:
    """A duration as text: seconds up to 100 s, minutes up to 100 min, else hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
