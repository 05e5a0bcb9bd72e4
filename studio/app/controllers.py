"""From wishes to jobs and back: the model, answers, distillations and head files of one window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from studio.chat.answer_controller import AnswerController
from studio.chat.context_usage import ContextUsageController
from studio.runtime.distill_controller import DistillController
from studio.runtime.model_jobs import ModelHost
from studio.runtime.model_loader import ModelLoader
from studio.runtime.step_compiler import StepCompiler
from studio.runtime.worker import Job, JobFailure, Worker
from studio.state.faithfulness import keep_faithfulness
from studio.state.requests import Imported, Loaded, ModelFacts
from studio.state.workspace import Misfit, MixerChannel, Workspace
from studio.widgets.translation import tr


class Controllers(QObject):
    """Lives on the GUI thread; never waits for a job."""

    noticed = Signal(str)  # a sentence worth telling, no failure
    modelOpened = Signal(str)  # its source
    headFileUsed = Signal(str)  # path read or written
    taken = Signal(object)  # a head that the person brought is in the mixer

    def __init__(
        self,
        workspace: Workspace,
        save: Callable[[], threading.Event],
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk; its event is set when that is done."""
        super().__init__(parent)
        self.workspace = workspace
        self._bundled: tuple[MixerChannel, ...] = ()  # Pocket's own heads as they were laid out
        self._put_by: tuple[MixerChannel, ...] = ()  # while another model is there
        self.host = ModelHost()
        self.worker = Worker(self.host.may_pause, self)
        self.answering = AnswerController(workspace, self.host, self.worker, save, self)
        self.counter = Worker(parent=self, name="counting")  # apart: one types while an answer streams
        self.metering = ContextUsageController(workspace, self.host, self.counter, self)
        self.distilling = DistillController(workspace, self.host, self.worker, save, self)
        self.answering.noticed.connect(self.noticed)
        self.distilling.noticed.connect(self.noticed)
        self.answering.talkingChanged.connect(self.distilling.set_talking)
        self.compiling = StepCompiler(self.host, self.worker, self)
        self.compiling.noticed.connect(self.noticed)
        self.answering.talkingChanged.connect(self.compiling.on_talking)
        self.opening = ModelLoader(workspace, self.host, self.worker, self)
        self.opening.noticed.connect(self.noticed)
        self.opening.leaving.connect(self.answering.interrupt)
        self.opening.leaving.connect(self.distilling.leave)
        self.opening.arrived.connect(self._on_arrived)
        self.opening.stayed.connect(self.answering.drop)
        self.opening.opened.connect(self.modelOpened)
        self.modelOpened.connect(self.compiling.on_model)
        self.modelOpened.connect(self.answering.resume)

    @property
    def talking(self) -> bool:
        return self.answering.talking

    @property
    def fitting(self) -> bool:
        return self.distilling.running

    # The model.

    def start(self) -> None:
        """Starts the engine's thread, which begins with importing the engine."""
        self.worker.start()
        self.counter.start()
        self.opening.start()
        self.worker.submit(Job(self.tr("Starting the engine"), self.host.warm))

    def open_model(self, source: str) -> None:
        """Loads `source` in place of the model that is there; a failure leaves that one."""
        self.opening.open(source)

    def without_ready_heads(self) -> None:
        """The mixer is a restored one: Pocket's own heads are not laid out."""
        self.opening.with_heads = False

    @Slot(object)
    def _on_arrived(self, loaded: Loaded) -> None:
        workspace = self.workspace
        self._lay_out(loaded)
        for channel in workspace.channels:
            keep_faithfulness(workspace, channel.head)
        self._note_misfits(loaded.facts)
        workspace.methods = loaded.methods
        workspace.settle_sampling(loaded.facts.sampling)
        for sentence in loaded.unread:
            what = self.tr("A bundled head could not be read")
            self.worker.failed.emit(
                JobFailure(what, sentence, self.tr("The other heads still work."), sentence)
            )

    def _lay_out(self, loaded: Loaded) -> None:
        """Pocket's own heads are in the mixer with it alone, unless the person changed them."""
        workspace, rows = self.workspace, self.workspace.channels
        if loaded.heads and not rows:
            self.opening.with_heads = False
            workspace.mixer.add_bundled_heads(loaded.heads)
            self._bundled = workspace.channels
        elif loaded.facts.is_pocket:
            back, self._put_by = self._put_by, ()
            if back and not any(row in rows for row in back):
                workspace.set_without_step(channels=(*back, *rows))
        elif self._bundled and all(self._may_go(row, loaded.facts) for row in self._bundled):
            self._put_by = self._bundled
            workspace.set_without_step(channels=tuple(row for row in rows if row not in self._bundled))

    def _may_go(self, row: MixerChannel, facts: ModelFacts) -> bool:
        """Whether the row is as it was laid out, no column compares it, and this model could never use it."""
        compared = self.workspace.comparison
        misfit = _misfit(row.head, facts)
        unchanged = row in self.workspace.channels and compared.without_head(row.key) == compared
        return unchanged and misfit is not None and not misfit.model

    def _note_misfits(self, facts: ModelFacts) -> None:
        """Which heads stay silent with this model: for good, or until the person says otherwise."""
        self.workspace.set_misfit_check(lambda head: _misfit(head, facts))
        silent = [c for c in self.workspace.channels if c.note]
        told = (
            (self.tr("These heads were not made for {0} and are switched off: {1}."), False),
            (
                self.tr(
                    "Made for a model of the same shape as {0}, and off until you choose Use anyway: {1}."
                ),
                True,
            ),
        )
        groups = [(words, [c for c in silent if c.acceptable is whether]) for words, whether in told]
        sentences = [words.format(facts.name, _names(rows)) for words, rows in groups if rows]
        if sentences:
            self.noticed.emit(" ".join(sentences))

    # Files and small things.

    def load_head(self, path: Path) -> None:
        self.worker.submit(
            Job(
                self.tr("Loading a head"),
                lambda emit, cancel: self.host.load_head(path, emit, cancel),
                on_done=lambda loaded: self._on_head_loaded(path, loaded),
            )
        )

    def _on_head_loaded(self, path: Path, loaded: Any) -> None:
        self.headFileUsed.emit(str(path))
        if isinstance(loaded, Imported):
            self.take(loaded.head)
            words = self.tr("Imported as {0}. {1}").format(loaded.format, " ".join(loaded.losses))
            self.noticed.emit(words)
        else:
            self.take(loaded)

    def take(self, head: Any) -> None:
        """Puts a head into the mixer, on; one that was made for another model lies there silent."""
        keep_faithfulness(self.workspace, head)
        row = self.workspace.channel(self.workspace.mixer.add_head(head))
        self.taken.emit(head)
        if row is not None and row.note:
            words = self.tr("“{0}” added to the mixer, switched off: {1}.")
            self.noticed.emit(words.format(row.name, row.note))

    def save_head(self, channel: MixerChannel, path: Path) -> None:
        head = channel.head.renamed(channel.name)
        self.worker.submit(
            Job(
                self.tr("Saving the head"),
                lambda emit, cancel: self.host.save_head(head, path),
                on_done=self._on_head_saved,
                promised=True,
            )
        )

    def _on_head_saved(self, path: Path) -> None:
        self.headFileUsed.emit(str(path))
        self.noticed.emit(self.tr("Saved {0}").format(path))

    def close(self) -> None:
        """Cancels everything and waits for the worker to end."""
        self.compiling.close()
        self.opening.close()
        for worker in (self.counter, self.worker):
            worker.close()


def _misfit(head: Any, facts: ModelFacts) -> Misfit | None:
    made = head.info.model
    if facts.identity.is_of(made):
        return None
    why = tr("made for {0}").format(made.id)
    return Misfit(why, facts.key if facts.identity.same_shape(made) else "")


def _names(channels: Sequence[MixerChannel], most: int = 5) -> str:
    names = [c.name for c in channels]
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
