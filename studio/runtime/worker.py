"""One thread that runs jobs in order and hands the window their events at most 60 times a second.

A job is a plain function `work(emit, cancel) -> result`. What it emits, and how it ended, comes back to the
callbacks of its `Job` on the GUI thread, in order and in batches. A job marked `urgent` may run inside a
pause of a long one: when the running job reports a LossPoint (between two training steps) or a Pause.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from engine.errors import Cancelled, EngineError
from engine.events import Cancel, Emit, LossPoint, Pause, Progress
from studio.widgets.translation import tr

log = logging.getLogger("studio.runtime.worker")

FRAME_MS = 25  # batches come no more often: smooth to the eye, and the GIL stays with the engine
WORTH_TELLING_S = 0.5  # shorter jobs are logged for developers only

Work = Callable[[Emit, Cancel], Any]


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job that could not be done, in words for a person; `details` is the traceback's text.

    job: its label, "" for what was no job.
    """

    what: str
    why: str
    remedy: str
    details: str
    job: str = ""


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any


@dataclass(frozen=True, slots=True)
class _Stopped:
    pass


def nothing(*_: object) -> None:
    """The callback of a caller that does not care."""


@dataclass(eq=False)
class Job:
    """One entry of the queue; the callbacks run on the GUI thread.

    urgent: may run in a pause of a long one; quiet: its failure is its owner's affair and no banner's;
    promised: a file that the person was told will be written: the window waits for it before it closes.
    """

    label: str
    work: Work
    on_events: Callable[[list[Any]], None] = nothing
    on_done: Callable[[Any], None] = nothing
    on_failed: Callable[[JobFailure], None] = nothing
    on_stopped: Callable[[], None] = nothing
    urgent: bool = False
    quiet: bool = False
    promised: bool = False
    cancel: Cancel = field(default_factory=Cancel)
    number: int = field(default_factory=itertools.count(1).__next__)


class Worker(QObject):
    """The queue, its thread, and the mailbox between that thread and the window."""

    failed = Signal(object)  # Failed, for every job that failed and is not quiet
    succeeded = Signal(str)  # label of every job that was done and is not quiet
    progressed = Signal(object)  # Progress, the last one of a job's batch
    busyChanged = Signal(bool)
    settled = Signal()  # the last promised job is over
    _wake = Signal()

    def __init__(
        self,
        may_pause: Callable[[], bool] = lambda: True,
        parent: QObject | None = None,
        name: str = "engine",
    ) -> None:
        """may_pause: asked in the worker thread whether an urgent job may run right now."""
        super().__init__(parent)
        self._may_pause = may_pause
        self._queue: deque[Job] = deque()
        self._running: list[Job] = []  # a stack: an urgent job lies on the one it interrupts
        self._changed = threading.Condition()
        self._closing = self._finishing = False
        self._mail: deque[tuple[Job, Any]] = deque()
        self._woken = False
        self._open_jobs = self._promises = 0
        self._frame = QTimer(self)
        self._frame.setSingleShot(True)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.setInterval(FRAME_MS)
        self._frame.timeout.connect(self.drain)
        self._wake.connect(self._on_wake, Qt.ConnectionType.QueuedConnection)
        self._thread = _Thread(self._loop)
        self._thread.setObjectName(name)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> Job:
        """Puts `job` at the end of the queue (GUI thread)."""
        self._open_jobs += 1
        self._promises += job.promised
        if self._open_jobs == 1:
            self.busyChanged.emit(True)
        with self._changed:
            self._queue.append(job)
            self._changed.notify()
        return job

    def withdraw(self, job: Job) -> None:
        """Cancels `job` whether it waits or runs; on_stopped (or on_done) follows, soon if it waits."""
        job.cancel.set()
        with self._changed:
            waits = job in self._queue
            if waits:
                self._queue.remove(job)
        if waits:
            self._post(job, _Stopped())

    def hurry(self) -> None:
        """Cancels everything but what was promised, which then comes soon."""
        with self._changed:
            others = [job for job in (*self._queue, *self._running) if not job.promised]
        for job in others:
            self.withdraw(job)

    @property
    def promises(self) -> bool:
        """Whether a promised job is not over yet."""
        return self._promises > 0

    @property
    def busy(self) -> bool:
        return self._open_jobs > 0

    @property
    def doing(self) -> str:
        """What runs or comes next, in words; "" when there is nothing to do."""
        with self._changed:
            job = next(iter((*self._running, *self._queue)), None)
        return job.label if job else ""

    @property
    def alive(self) -> bool:
        return self._thread.isRunning()

    def close(self) -> None:
        """Cancels everything, waits for the running job to notice, ends the thread. No callback follows."""
        with self._changed:
            self._closing = True
            for job in (*self._queue, *self._running):
                job.cancel.set()
            self._queue.clear()
            self._changed.notify()
        self._thread.wait()
        self._frame.stop()
        self._mail.clear()

    def finish(self) -> None:
        """Runs what waits to its end, then ends the thread. No callback follows."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        self._thread.wait()
        self._frame.stop()
        self._mail.clear()

    # The worker's side.

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not (self._closing or self._finishing):
                    self._changed.wait()
                if self._closing or not self._queue:
                    return
                job = self._queue.popleft()
            self._run(job)
            del job  # the waiting thread must not pin the last job's model or heads

    def _run(self, job: Job) -> None:
        with self._changed:
            self._running.append(job)
        try:
            self._post(job, self._outcome(job))
        finally:
            with self._changed:
                self._running.pop()

    def _outcome(self, job: Job) -> _Done | _Stopped | JobFailure:
        def emit(event: Any) -> None:
            self._post(job, event)
            if isinstance(event, LossPoint | Pause):
                self._pause(job)

        begun = time.perf_counter()
        try:
            job.cancel.check()
            result = job.work(emit, job.cancel)
            spent = time.perf_counter() - begun
            log.log(
                logging.INFO if spent >= WORTH_TELLING_S else logging.DEBUG, "%s: %.2f s", job.label, spent
            )
            return _Done(result)
        except Cancelled:
            log.info("%s: stopped after %.2f s", job.label, time.perf_counter() - begun)
            return _Stopped()
        except EngineError as error:
            log.info("%s failed. %s", job.label, error)
            return JobFailure(error.what, error.why, error.remedy, traceback.format_exc(), job.label)
        except Exception as error:
            log.exception("%s failed", job.label)
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            remedy = tr("This is a bug. Please copy the details and report it.")
            return JobFailure(
                tr("{0} failed").format(job.label), why, remedy, traceback.format_exc(), job.label
            )

    def _pause(self, job: Job) -> None:
        while not job.urgent:
            with self._changed:
                waiting = next((j for j in self._queue if j.urgent), None)
                if waiting is None or self._closing or not self._may_pause():
                    return
                self._queue.remove(waiting)
            self._run(waiting)

    def _post(self, job: Job, event: Any) -> None:
        with self._changed:
            self._mail.append((job, event))
            wake, self._woken = not self._woken, True
        if wake:
            self._wake.emit()

    # The window's side.

    @Slot()
    def _on_wake(self) -> None:
        if not self._frame.isActive():
            self._frame.start()

    @Slot()
    def drain(self) -> None:
        """Delivers everything that has come, one call per job and batch."""
        with self._changed:
            mail = list(self._mail)
            self._mail.clear()
            self._woken = False
        for job, group in itertools.groupby(mail, key=lambda item: item[0]):
            self._deliver(job, [event for _, event in group])

    def _deliver(self, job: Job, events: list[Any]) -> None:
        end = events.pop() if isinstance(events[-1], _Done | _Stopped | JobFailure) else None
        if events:
            job.on_events(events)
            for event in reversed(events):
                if isinstance(event, Progress):
                    self.progressed.emit(event)
                    break
        if end is None:
            return
        self._open_jobs -= 1
        self._promises -= job.promised
        if isinstance(end, _Done):
            job.on_done(end.result)
            if not job.quiet:
                self.succeeded.emit(job.label)
        elif isinstance(end, _Stopped):
            job.on_stopped()
        else:
            job.on_failed(end)
            if not job.quiet:
                self.failed.emit(end)
        if job.promised and not self._promises:
            self.settled.emit()
        if not self._open_jobs:
            self.busyChanged.emit(False)


class _Thread(QThread):
    def __init__(self, body: Callable[[], None]) -> None:
        super().__init__()
        self._body = body

    def run(self) -> None:
        self._body()
