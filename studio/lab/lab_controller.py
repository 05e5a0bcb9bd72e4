"""The Lab's runs: comparisons and sweeps as jobs, their results as they come, the answers behind a point."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import Cancel, Emit, Progress
from studio.lab.lab_jobs import Finished, LabRequest, LabResult, NotMeasured, ResultPlace, answers_at, measure
from studio.runtime.job_controller import JobController
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Job, Worker
from studio.state.workspace import Workspace


class LabController(JobController):
    """One run at a time.

    request, results, refused: of the last run, growing while it runs; finished: all of it, once it is whole;
    picture: which one is shown, a key of studio.lab.charts.PICTURES; block: the one that a picture of a
    single block shows, None for where there is most to see.
    """

    changed = Signal()  # a run began or ended
    grew = Signal()  # a result or a progress came
    opened = Signal(object, object)  # Place, its answers (engine.lab.transcript Spoken)

    def __init__(
        self,
        workspace: Workspace,
        host: ModelHost,
        worker: Worker,
        save: Callable[[], threading.Event],
        home: Path | None,
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk; its event is set when that is done. home: where answers and
        scores are kept, so that nothing is measured twice."""
        super().__init__(worker, save, parent)
        self._workspace, self._host = workspace, host
        self._store = None if home is None else home / "lab.sqlite"
        self._opening: Job | None = None
        self._model = ""  # key of the one that was measured
        self.request: LabRequest | None = None
        self.results: list[LabResult] = []
        self.refused: list[NotMeasured] = []
        self.progress: Progress | None = None
        self.finished: Finished | None = None
        self.picture = "pareto"
        self.block: int | None = None
        workspace.modelChanged.connect(self._on_model)

    @property
    def partial(self) -> bool:
        """Whether the last run ended before all was measured."""
        return self.request is not None and not self.running and self.finished is None

    def run(self, request: LabRequest) -> None:
        """Measures; what the store knows already comes at once."""
        facts = self._workspace.loading.facts
        if self.running or facts is None or not request.prompt.strip():
            return
        if self._opening:
            self._worker.withdraw(self._opening)  # it belongs to the run before
        self.request, self._model = request, facts.key
        self.results, self.refused, self.progress, self.finished, self.block = [], [], None, None, None

        def work(emit: Emit, cancel: Cancel) -> Finished:
            return measure(self._host.need_model(), request, self._ready_store(), emit, cancel)

        self._submit(
            self.tr("Lab run"),
            work,
            on_events=self._on_events,
            on_done=self._on_done,
            on_failed=lambda _: self._conclude(),
            on_stopped=self._conclude,
        )
        self.changed.emit()

    def show(self, picture: str, block: int | None = None) -> None:
        self.picture, self.block = picture, block
        self.grew.emit()

    def stop(self) -> None:
        """Stops the run; what was found stays, and is not measured again the next time."""
        self.interrupt()

    def open(self, place: ResultPlace) -> None:
        """Fetches the answers behind a figure; `opened` brings them. A later wish replaces an earlier one."""
        facts, request = self._workspace.loading.facts, self.request
        if request is None or facts is None:
            return
        if facts.key != self._model:
            self.noticed.emit(self.tr("These answers came from another model. Load that model to read them."))
            return
        if self._opening:
            self._worker.withdraw(self._opening)
        self._opening = self._worker.submit(
            Job(
                self.tr("Opening answers"),
                lambda emit, cancel: answers_at(
                    self._host.need_model(), request, place, self._ready_store(), emit, cancel
                ),
                on_done=partial(self.opened.emit, place),
                urgent=True,
            )
        )

    def _ready_store(self) -> Path | None:
        if self._store is not None:
            self._store.parent.mkdir(parents=True, exist_ok=True)
        return self._store

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, LabResult):
                self.results.append(event)
            elif isinstance(event, NotMeasured):
                self.refused.append(event)
            elif isinstance(event, Progress):
                self.progress = event
        self.grew.emit()

    def _on_done(self, finished: Finished) -> None:
        self.finished = finished
        self._conclude()

    def _conclude(self) -> None:
        self.progress = None
        self.changed.emit()

    @Slot()
    def _on_model(self) -> None:
        if self._workspace.loading.facts is None:
            self.stop()  # another one was asked for; it waits for nothing
