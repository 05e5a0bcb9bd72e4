"""From wishes to jobs and back: the model, answers, distillations and head files of one window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import Download, Progress
from studio.answering import Answering
from studio.compiling import Compiling
from studio.distilling import Distilling, keep_faithfulness
from studio.header import size_of
from studio.jobs import Bench
from studio.metering import Metering
from studio.progress import Loading
from studio.requests import Imported, Loaded, ModelFacts, OtherModels
from studio.worker import Failed, Job, Worker
from studio.workspace import Channel, Workspace


class Session(QObject):
    """Lives on the GUI thread; never waits for a job."""

    noticed = Signal(str)  # a sentence worth telling, no failure
    headRefused = Signal(object)  # OtherModels: usable if the person says so
    modelOpened = Signal(str)  # its source
    headFileUsed = Signal(str)  # path read or written

    def __init__(
        self,
        workspace: Workspace,
        save: Callable[[], threading.Event],
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk; its event is set when that is done."""
        super().__init__(parent)
        self.workspace = workspace
        self.bench = Bench()
        self.worker = Worker(self.bench.may_pause, self)
        self.answering = Answering(workspace, self.bench, self.worker, save, self)
        self.metering = Metering(workspace, self.bench, self.worker, self)
        self.distilling = Distilling(workspace, self.bench, self.worker, self)
        self.answering.noticed.connect(self.noticed)
        self.distilling.noticed.connect(self.noticed)
        self.answering.talkingChanged.connect(self.distilling.set_talking)
        self.compiling = Compiling(self.bench, self.worker, self)
        self.compiling.noticed.connect(self.noticed)
        self.answering.talkingChanged.connect(self.compiling.on_talking)
        self.modelOpened.connect(self.compiling.on_model)
        self._facts: ModelFacts | None = None  # of the model on the bench
        self._loading: Job | None = None
        self._ready_heads = True  # Pocket's own are laid out once, unless a session brought others
        workspace.sourceChanged.connect(self._on_source)

    @property
    def talking(self) -> bool:
        return self.answering.talking

    @property
    def fitting(self) -> bool:
        return self.distilling.fitting

    # The model.

    def start(self) -> None:
        """Starts the engine's thread, which begins with importing the engine."""
        self.worker.start()
        self.worker.submit(Job(self.tr("Starting the engine"), self.bench.warm))

    def open_model(self, source: str) -> None:
        """Loads `source` in place of the model that is there; a failure leaves that one."""
        self.answering.interrupt()
        if self._loading:
            self.worker.withdraw(self._loading)
        with_heads = self._ready_heads and not self.workspace.channels
        self.workspace.set_loading(Loading(stage=self.tr("Loading {0}").format(source)))
        job = Job(
            self.tr("Loading the model"),
            lambda emit, cancel: self.bench.load(source, with_heads, emit, cancel),
            self._on_loading,
            self._on_loaded,
        )
        job.on_failed = lambda failed: self._on_not_loaded(job, failed.what)
        job.on_stopped = lambda: self._on_not_loaded(job, self.tr("Loading was cancelled"))
        self._loading = self.worker.submit(job)

    def cancel_loading(self) -> None:
        """Stops the loading; the model before it comes back."""
        if self._loading:
            self.worker.withdraw(self._loading)

    def without_ready_heads(self) -> None:
        """The mixer is a restored one: Pocket's own heads are not laid out."""
        self._ready_heads = False

    def _on_loading(self, events: list[Any]) -> None:
        last = events[-1]
        if isinstance(last, Progress):
            stage = self._described(last) if isinstance(last, Download) else last.stage
            self.workspace.set_loading(Loading(None, stage, last.done, last.total))

    def _described(self, at: Download) -> str:
        """How a download is doing, in words."""
        amount = self.tr("downloading {0} of {1}").format(size_of(at.done), size_of(at.total))
        if at.stalled:
            return self.tr("{0}, nothing comes in").format(amount)
        rate = self.tr("{0}, {1} a second").format(amount, size_of(at.rate or 0))
        return self.tr("{0}, {1:.0f} s left").format(rate, at.eta) if at.eta else rate

    def _on_loaded(self, loaded: Loaded) -> None:
        workspace, facts = self.workspace, loaded.facts
        self._loading, self._facts = None, facts
        self._lay_out(loaded.heads)
        for channel in workspace.channels:
            keep_faithfulness(workspace, channel.head)
        self._note_misfits(facts)
        workspace.methods = loaded.methods
        workspace.set_loading(Loading(facts))
        if workspace.source != facts.source:
            workspace.set_source(facts.source)
        self.modelOpened.emit(facts.source)
        for sentence in loaded.unread:
            what = self.tr("A bundled head could not be read")
            self.worker.failed.emit(Failed(what, sentence, self.tr("The other heads work."), sentence))
        self.answering.resume()

    def _lay_out(self, heads: tuple[Any, ...]) -> None:
        if heads and not self.workspace.channels:
            self._ready_heads = False
            self.workspace.lay_out(heads)

    def _on_not_loaded(self, job: Job, what: str) -> None:
        if job is not self._loading:
            return  # a later wish is on its way
        self._loading = None
        self.answering.drop()
        if self._facts is None:
            self.workspace.set_loading(Loading(stage=self.tr("No model")))
            return
        self.workspace.set_loading(Loading(self._facts))
        self.noticed.emit(self.tr("{0}; {1} is still there.").format(what, self._facts.name))

    def _note_misfits(self, facts: ModelFacts) -> None:
        notes = {
            c.key: self.tr("made for {0}").format(c.head.info.model.id)
            for c in self.workspace.channels
            if not facts.identity.same_shape(c.head.info.model)
        }
        self.workspace.note(notes)
        if notes:
            words = self.tr("{0} heads do not fit {1}; they stay in the mixer, silent.")
            self.noticed.emit(words.format(len(notes), facts.name))

    @Slot()
    def _on_source(self) -> None:
        """Undo and redo over a change of the model."""
        if self._facts is not None and self._facts.source != self.workspace.source and not self._loading:
            self.open_model(self.workspace.source)

    # Files and small things.

    def load_head(self, path: Path) -> None:
        self.worker.submit(
            Job(
                self.tr("Loading a head"),
                lambda emit, cancel: self.bench.load_head(path, emit, cancel),
                on_done=lambda loaded: self._on_head_loaded(path, loaded),
            )
        )

    def _on_head_loaded(self, path: Path, loaded: Any) -> None:
        self.headFileUsed.emit(str(path))
        if isinstance(loaded, OtherModels):
            self.headRefused.emit(loaded)
        elif isinstance(loaded, Imported):
            self.take(loaded.head)
            words = self.tr("Read as {0}. {1}").format(loaded.format, " ".join(loaded.losses))
            self.noticed.emit(words)
        else:
            self.take(loaded)

    def take(self, head: Any) -> None:
        """Puts a head into the mixer, on; one that does not fit the model lies there silent."""
        keep_faithfulness(self.workspace, head)
        fits = self._facts is None or self._facts.identity.same_shape(head.info.model)
        note = "" if fits else self.tr("made for {0}").format(head.info.model.id)
        self.workspace.add_head(head, note=note)

    def save_head(self, channel: Channel, path: Path) -> None:
        head = channel.head.renamed(channel.name)
        self.worker.submit(
            Job(
                self.tr("Saving the head"),
                lambda emit, cancel: self.bench.save_head(head, path),
                on_done=self._on_head_saved,
            )
        )

    def _on_head_saved(self, path: Path) -> None:
        self.headFileUsed.emit(str(path))
        self.noticed.emit(self.tr("Saved {0}").format(path))

    def close(self) -> None:
        """Cancels everything and waits for the worker to end."""
        self.compiling.close()
        self.worker.close()
