"""The start: what was left last time comes back, after a word where the studio did not end in order."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from studio.app.controllers import Controllers
from studio.app.restore_dialog import RestoreDialog
from studio.library.autosave import Autosave
from studio.library.library_jobs import StoredSession
from studio.runtime.worker import Job, JobFailure
from studio.state.preferences import Preferences
from studio.state.workspace import Workspace


class SessionRestore(QObject):
    """Opens the library, decides what the window begins with, and loads its model."""

    asked = Signal()  # the dialog is open
    begun = Signal()  # the workspace is as it will be; the model loads

    def __init__(
        self,
        workspace: Workspace,
        controllers: Controllers,
        autosave: Autosave,
        preferences: Preferences,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._workspace, self._controllers, self._autosave = workspace, controllers, autosave
        self._preferences, self._window = preferences, window
        self._source: str | None = None
        self._begun = False
        self.dialog: RestoreDialog | None = None

    def start(self, source: str | None) -> None:
        """source: the model asked for by name; None takes that of the session, or Pocket."""
        self._source = source
        self._autosave.open(self._on_left, self._on_unreadable)

    def abandon(self) -> None:
        """The window closes before an answer was given: the question is asked again at the next start."""
        if self.dialog is not None:
            self.dialog.finished.disconnect()
            self.dialog = None

    def _on_left(self, left: StoredSession | None) -> None:
        if self._begun and (self._workspace.has_edits or left is None or left.empty):
            self._join(left)
        elif left is None or left.empty:
            self._fresh(left)
        elif not left.session.clean and left.values["has_edits"]:  # else there is nothing to ask about
            self.dialog = RestoreDialog(left, self._window)
            self.dialog.finished.connect(lambda answer: self._on_answer(left, answer))
            self.dialog.open()
            self.asked.emit()
        elif self._preferences.get("start") == "restore":
            self._restore(left)
        else:
            self._fresh(left)

    def _on_answer(self, left: StoredSession, answer: int) -> None:
        self.dialog = None
        if answer == RestoreDialog.FRESH:
            self._fresh(left)
        else:
            self._restore(left)

    def _on_unreadable(self, failed: JobFailure) -> None:
        kept = self.tr("Nothing is being saved until it can be opened; the studio keeps retrying.")
        self._autosave.give_up(replace(failed, remedy=f"{failed.remedy} {kept}"))
        if not self._begun:
            self._fresh(None)

    def _restore(self, left: StoredSession) -> None:
        values = dict(left.values)
        for key, turns in left.known.items():
            self._autosave.know(key, turns)
        if values["conversation"] not in left.known:
            # It goes on as another one: what could not be read is left where it lies.
            values["conversation"] = uuid4().hex
        if self._source is not None:
            values["source"] = self._source
        if values["channels"] or values["source"] == "pocket":
            self._controllers.without_ready_heads()
        self._workspace.restore(**values)
        if left.lost:
            what = self.tr("Part of the session could not be restored")
            lost = " ".join(left.lost)
            remedy = self.tr("The rest is restored; unreadable data stays untouched in the Library.")
            self._controllers.worker.failed.emit(JobFailure(what, lost, remedy, left.details))
        self._begin()

    def _fresh(self, left: StoredSession | None) -> None:
        """An empty page; the presets are no session's, but the person's."""
        if left is not None:
            self._workspace.restore(presets=left.values["presets"])
        if self._source is not None:
            self._workspace.restore(source=self._source)
        self._begin()

    def _join(self, left: StoredSession | None) -> None:
        """The library opened late, and what was done meanwhile goes on: the session of before makes room."""
        presets = left.values["presets"] if left is not None else ()
        if presets:
            joined = {preset.name: preset for preset in (*presets, *self._workspace.presets)}
            self._workspace.change(self.tr("earlier presets"), presets=tuple(joined.values()))
        if left is not None and not left.empty:
            label = self.tr("Saving the earlier session")
            archive = self._autosave.archive
            told = self.tr(
                "The library is open and everything is saved from now on. The earlier conversation "
                "is in the Library (View > Library), the rest of that session in {0}."
            )
            job = Job(label, lambda emit, cancel: archive.put_session_by())
            job.on_done = lambda path: self._controllers.noticed.emit(told.format(path))
            self._autosave.worker.submit(job)
        self._autosave.begin()

    def _begin(self) -> None:
        self._begun = True
        self._controllers.open_model(self._workspace.source)
        self._autosave.begin()
        self.begun.emit()
