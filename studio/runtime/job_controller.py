"""The common part of the controllers: one job at a time, submitted, remembered, stopped, and over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import Cancel, Emit
from studio.runtime.worker import Job, JobFailure, Work, Worker, nothing

SAVING_S = 5.0  # the longest that a job waits for the workspace to be on the disk


class JobController(QObject):
    """Lives on the GUI thread and never waits for a job. A job is over before its outcome is handled."""

    noticed = Signal(str)  # a sentence for the status line

    def __init__(
        self,
        worker: Worker,
        save: Callable[[], threading.Event] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk, which every job waits for; its event is set when that is
        done. None: nothing is saved before a job."""
        super().__init__(parent)
        self._worker, self._save = worker, save
        self._job: Job | None = None
        self._stopping = False  # the job was asked to end, and has not yet

    @property
    def running(self) -> bool:
        return self._job is not None

    @Slot()
    def interrupt(self) -> None:
        """Stops the job, which then ends by `on_stopped`, or by `on_done` with what there is."""
        if self._job is not None:
            self._stopping = True
            self._worker.withdraw(self._job)

    def _submit(
        self,
        label: str,
        work: Work,
        *,
        on_done: Callable[[Any], None],
        on_failed: Callable[[JobFailure], None],
        on_stopped: Callable[[], None],
        on_events: Callable[[list[Any]], None] = nothing,
        urgent: bool = False,
        quiet: bool = False,
    ) -> None:
        """Runs `work` next; urgent and quiet: see Job."""
        saved = self._save() if self._save is not None else None

        def after_saving(emit: Emit, cancel: Cancel) -> Any:
            if saved is not None:
                saved.wait(SAVING_S)
            return work(emit, cancel)

        job = Job(label, after_saving, urgent=urgent, quiet=quiet)
        job.on_events = lambda events: on_events(events) if job is self._job else None
        job.on_done = lambda result: self._end(job, on_done, result)
        job.on_failed = lambda failed: self._end(job, on_failed, failed)
        job.on_stopped = lambda: self._end(job, on_stopped)
        self._stopping = False
        self._job = self._worker.submit(job)

    def _abandon(self) -> None:
        """Stops the job and forgets it: none of its callbacks is called any more."""
        if self._job is not None:
            self._worker.withdraw(self._job)
            self._job, self._stopping = None, False

    def _end(self, job: Job, handle: Callable[..., None], *outcome: Any) -> None:
        if job is self._job:
            self._job, self._stopping = None, False
            handle(*outcome)
