"""Keeps count of the model's context: what the next answer would take of it, a moment after every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Signal, Slot

from studio.jobs import Bench
from studio.lane_requests import lane_requests
from studio.requests import ContextUse, LaneRequest
from studio.turns import STEERED, UNSTEERED, Answer
from studio.worker import Failed, Job, Worker
from studio.workspace import Workspace

PAUSE_MS = 150  # after the last change

Lanes = Callable[[], Sequence[LaneRequest]]


class Metering(QObject):
    """Lives on the GUI thread; the counting is the worker's, by the model's own chat template."""

    measured = Signal(object)  # ContextUse, or None where there is no model to measure with

    def __init__(
        self, workspace: Workspace, bench: Bench, worker: Worker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._bench, self._worker = workspace, bench, worker
        self._job: Job | None = None
        self._lanes: Lanes = self._conversation
        self._use: ContextUse | None = None  # None while it is not known
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._measure)
        for signal in (
            workspace.questionChanged,
            workspace.turnsChanged,
            workspace.settingsChanged,
            workspace.compareChanged,
            workspace.truthChanged,
            workspace.promptChanged,
            workspace.channelsChanged,
            workspace.comparisonChanged,
        ):
            signal.connect(self._on_change)
        workspace.modelChanged.connect(self._on_model)
        workspace.answerChanged.connect(self._on_answer)

    def count(self, lanes: Lanes | None) -> None:
        """What is sent from now on is what `lanes` says; None: the conversation goes on."""
        lanes = lanes or self._conversation
        if lanes != self._lanes:
            self._lanes = lanes
            self._on_change()

    def objection(self) -> Failed | None:
        """Why the typed question cannot be answered, where that is known already."""
        if self._use is None or not self._use.too_long:
            return None
        return Failed(
            self.tr("The question was not sent"),
            too_long(self._use),
            self.tr("Shorten it."),
            "",
        )

    @Slot()
    def _on_change(self) -> None:
        self._use = None
        self._pause.start()

    @Slot()
    def _on_model(self) -> None:
        """At once: there is nothing to show yet, and an answer may begin before a pause is over."""
        self._on_change()
        self._pause.stop()
        self._measure()

    @Slot(object)
    def _on_answer(self, answer: Answer) -> None:
        if answer.over:
            self._on_change()

    @Slot()
    def _measure(self) -> None:
        workspace = self._workspace
        if self._job:
            self._worker.withdraw(self._job)
            self._job = None
        if workspace.loading.facts is None:
            self.measured.emit(None)
            return
        if any(not answer.over for turn in workspace.turns[-1:] for answer in turn.answers):
            return  # its end is a change of its own
        requests, question, settings = self._lanes(), workspace.question, workspace.settings
        job = Job(
            self.tr("Counting tokens"),
            lambda emit, cancel: self._bench.foresee(requests, question, settings, emit, cancel),
            urgent=True,
            quiet=True,  # what the model refuses is told when it is asked
        )
        job.on_done = lambda use: self._take(job, use)
        job.on_failed = lambda _: self._forget(job)
        self._job = self._worker.submit(job)

    def _conversation(self) -> Sequence[LaneRequest]:
        workspace = self._workspace
        lanes = (STEERED, UNSTEERED) if workspace.compare else (STEERED,)
        return lane_requests(workspace, workspace.turns, workspace.question, lanes)

    def _take(self, job: Job, use: ContextUse) -> None:
        if job is self._job:
            self._job = None
            self._use = None if self._pause.isActive() else use
            self.measured.emit(use)

    def _forget(self, job: Job) -> None:
        """What was shown stays until there is another count."""
        if job is self._job:
            self._job = None


def too_long(use: ContextUse) -> str:
    """By how much the question does not fit, as a sentence."""
    words = QCoreApplication.translate(
        "Metering", "With the model's own marks it has {0:,} tokens, and the model can take {1:,}."
    )
    return words.format(use.prompt, use.context)
