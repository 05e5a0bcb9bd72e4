"""Another model in place of the present one: fetched while that one goes on answering, then read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import Download, Progress, duration
from engine.model.memory import in_words
from studio.runtime.model_jobs import ModelHost
from studio.runtime.model_sources import short_name
from studio.runtime.worker import Job, JobFailure, Worker
from studio.state.progress import Loading, stage_words
from studio.state.requests import Loaded, ModelFacts
from studio.state.workspace import Workspace


class ModelLoader(QObject):
    """Lives on the GUI thread; never waits for a job. The last wish counts, also that of undo and redo."""

    noticed = Signal(str)
    leaving = Signal()  # the present model is about to go
    arrived = Signal(object)  # Loaded: a model is on the bench, nobody else has been told
    opened = Signal(str)  # source of the model that can be used now
    stayed = Signal()  # nothing came of the last wish

    def __init__(
        self, workspace: Workspace, host: ModelHost, worker: Worker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._host, self._worker = workspace, host, worker
        self.fetcher = Worker(parent=self, name="fetching")
        self.facts: ModelFacts | None = None  # of the model on the bench
        self.dtype: str | None = None  # that the next model runs in; None: as its size asks for
        self.device: str | None = None  # on which the next model runs; None: a GPU where there is one
        self.with_heads = True  # Pocket's own are asked for until they, or those of a session, are laid out
        self._job: Job | None = None  # of the last wish: finding, then reading
        self._reading: set[Job] = set()  # those that read a model and have not ended, withdrawn or not
        self._wanted: str | None = None  # source of the last wish, once there was one
        workspace.sourceChanged.connect(self._on_source)

    def start(self) -> None:
        self.fetcher.start()

    def close(self) -> None:
        self.fetcher.close()

    def open(self, source: str) -> None:
        """Loads `source` in place of the model that is there; a failure leaves that one."""
        self.cancel()
        self._wanted, dtype, device = source, self.dtype, self.device
        job = Job(
            self.tr("Finding the model"),
            lambda emit, cancel: self._host.find(source, dtype, device, emit, cancel),
        )
        job.on_done = lambda found: self._on_found(job, source, found)
        # The very first one waits for the engine, which is imported in that thread.
        self._submit(job, self.fetcher if self.facts is not None else self._worker)
        self._tell(self.tr("Loading {0}").format(short_name(source)))

    def cancel(self) -> None:
        """Stops fetching or loading; the model before it stays, or comes back."""
        if self._job:
            self._job.cancel.set()
            if self._job in self._reading and self.facts is not None:
                self._tell(self.tr("Returning to {0}").format(self.facts.name))

    def _submit(self, job: Job, worker: Worker) -> None:
        job.on_events = partial(self._on_events, job)
        job.on_failed = lambda failed: self._on_failed(job, failed)
        job.on_stopped = lambda: self._give_up(job, self.tr("Loading cancelled"))
        self._job = worker.submit(job)

    def _on_events(self, job: Job, events: list[Any]) -> None:
        last = events[-1]
        if job is self._job and isinstance(last, Progress):
            stage = (
                self._described(last)
                if isinstance(last, Download)
                else stage_words(last.stage, last.done, last.total)
            )
            self._tell(stage, last.done, last.total)

    def _described(self, at: Download) -> str:
        """How a download is doing, in words."""
        amount = self.tr("Downloading {0} of {1}").format(in_words(at.done), in_words(at.total))
        if at.stalled:
            return self.tr("{0}, stalled").format(amount)
        rate = self.tr("{0}, {1}/s").format(amount, in_words(round(at.rate)))
        return self.tr("{0}, {1} left").format(rate, duration(at.eta)) if at.eta else rate

    def _on_found(self, job: Job, source: str, found: Any) -> None:
        """It is here and fits: from now on the present model cannot be used any more."""
        if job is not self._job:
            return
        if job.cancel:  # just as it was found
            self._give_up(job, self.tr("Loading cancelled"))
            return
        if self.facts is not None:
            self.leaving.emit()
        doing = self._worker.doing
        heads = self.with_heads and not self._workspace.channels
        reading = Job(
            self.tr("Loading the model"),
            lambda emit, cancel: self._host.load(source, found, heads, emit, cancel),
        )
        reading.on_done = lambda loaded: self._on_loaded(reading, loaded)
        self._reading.add(reading)
        self._submit(reading, self._worker)
        words = self.tr("Waiting for: {0}").format(doing) if doing else ""
        self._tell(words or self.tr("Loading {0}").format(short_name(source)))

    def _on_loaded(self, job: Job, loaded: Loaded) -> None:
        self.facts = loaded.facts
        self.arrived.emit(loaded)
        if not self._ends(job):
            return
        asked, self._wanted = self._wanted, self.facts.source  # a hub model's names its commit from now on
        self._workspace.set_loading(Loading(self.facts))
        if self._workspace.source == asked:  # by undo, redo or the start: the step, if any, is there
            self._workspace.settle_source(self.facts.source)
        else:
            self._workspace.set_source(self.facts.source)
        self.opened.emit(self.facts.source)

    def _on_failed(self, job: Job, failed: JobFailure) -> None:
        self._give_up(job, failed.what)

    def _give_up(self, job: Job, what: str) -> None:
        if not self._host.ready:
            self.facts = None  # not even the one before could be read again
        if not self._ends(job):
            return
        self._workspace.set_loading(Loading(self.facts))
        self.stayed.emit()
        if self.facts is None:
            self._wanted = self._workspace.source
            return
        self._wanted = self.facts.source
        self._workspace.settle_source(self._wanted)  # undo may have asked for another
        self.noticed.emit(self.tr("{0}; {1} is still loaded.").format(what, self.facts.name))

    def _tell(self, stage: str, done: int = 0, total: int = 0) -> None:
        """How far the last wish is; the present model is there for as long as no other is being read."""
        facts = self.facts if not self._reading else None
        self._workspace.set_loading(Loading(facts, stage, done, total, self._wanted or ""))

    def _ends(self, job: Job) -> bool:
        """Whether the last wish ends with this job; a later one may be on its way."""
        self._reading.discard(job)
        if job is self._job:
            self._job = None
            return True
        facts = self.facts if not self._reading else None
        self._workspace.set_loading(replace(self._workspace.loading, facts=facts))
        return False

    @Slot()
    def _on_source(self) -> None:
        """Undo and redo over a change of the model."""
        if self._wanted is not None and self._workspace.source != self._wanted:
            self.open(self._workspace.source)
