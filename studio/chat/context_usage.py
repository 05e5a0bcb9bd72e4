"""Keeps count of the model's context: what the next answer would take of it, a moment after every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Job, JobFailure, Worker
from studio.state.conversation import Answer
from studio.state.requests import ContextForecast, LaneRequest
from studio.state.workspace import Workspace
from studio.widgets.translation import tr

PAUSE_MS = 150  # after the last change
ASKING = "asking"  # whose failure an objection is: the next question that is sent settles it

Lanes = Callable[[], Sequence[LaneRequest]]


class ContextUsageController(QObject):
    """Lives on the GUI thread; the counting is a worker's of its own, by the model's own chat template."""

    measured = Signal(object)  # ContextUse, or None where there is no model to measure with

    def __init__(
        self, workspace: Workspace, host: ModelHost, worker: Worker, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace, self._host, self._worker = workspace, host, worker
        self._lanes: dict[object, Lanes] = {}  # by page, what is sent from there
        self._page: object = None
        self._jobs: list[Job] = []
        self._uses: dict[object, ContextForecast] = {}  # by page, where it is known of the work as it is
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

    def add_page(self, page: object, lanes: Lanes) -> None:
        """lanes: what is sent from `page`."""
        self._lanes[page] = lanes

    def show(self, page: object) -> None:
        """Tells at once what sending from this page would take: each page is counted, shown or not."""
        self._page = page
        if self._page in self._uses:
            self.measured.emit(self._uses[self._page])

    def objection(self) -> JobFailure | None:
        """Why the typed question cannot be answered, where that is known already."""
        use = self._uses.get(self._page)
        if use is None or not use.too_long:
            return None
        return JobFailure(
            self.tr("The question was not sent"),
            too_long(use),
            self.tr("Shorten it."),
            "",
            ASKING,
        )

    @Slot()
    def _on_change(self) -> None:
        self._uses.clear()
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
        for job in self._jobs:
            self._worker.withdraw(job)
        self._jobs = []
        if workspace.loading.facts is None:
            self.measured.emit(None)
            return
        for page in sorted(self._lanes, key=lambda page: page != self._page):  # the shown one first
            self._count(page)

    def _count(self, page: object) -> None:
        workspace = self._workspace
        requests, question, settings = self._lanes[page](), workspace.question, workspace.settings
        job = Job(
            self.tr("Counting tokens"),
            lambda emit, cancel: self._host.predict_usage(requests, question, settings, emit, cancel),
            quiet=True,  # what the model refuses is told when it is asked
        )
        job.on_done = lambda use: self._take(job, page, use)
        job.on_failed = lambda _: self._forget(job)
        self._jobs.append(self._worker.submit(job))

    def _take(self, job: Job, page: object, use: ContextForecast) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            if not self._pause.isActive():
                self._uses[page] = use
            if page == self._page:
                self.measured.emit(use)

    def _forget(self, job: Job) -> None:
        """What was shown stays until there is another count."""
        if job in self._jobs:
            self._jobs.remove(job)


def too_long(use: ContextForecast) -> str:
    """By how much the question does not fit, as a sentence."""
    words = tr(
        "Too long: {0:,} token(s) with the chat template, but the model's context is {1:,}.", "", use.prompt
    )
    return words.format(use.prompt, use.context)
