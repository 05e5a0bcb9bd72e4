"""The start: what was left last time comes back, after a word where the studio did not end in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from studio.app.controllers import Session
from studio.library.autosave import Autosave
from studio.library.library_jobs import Left
from studio.runtime.worker import Failed, Job
from studio.state.compare_columns import Comparison
from studio.state.conversation import Settings
from studio.state.preferences import Preferences
from studio.state.requests import FitOptions
from studio.state.workspace import Workspace
from studio.widgets.label import one_line, plain_label

FIRST_QUESTION = "Tell me about the harbour."
FIRST_PROMPT = "Talk like a pirate."


class Recovery(QObject):
    """Opens the library, decides what the window begins with, and loads its model."""

    asked = Signal()  # the dialog is open
    begun = Signal()  # the workspace is as it will be; the model loads

    def __init__(
        self,
        workspace: Workspace,
        session: Session,
        autosave: Autosave,
        preferences: Preferences,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._workspace, self._session, self._autosave = workspace, session, autosave
        self._preferences, self._window = preferences, window
        self._source: str | None = None
        self._begun = False
        self.dialog: RecoveryDialog | None = None

    def start(self, source: str | None) -> None:
        """source: the model asked for by name; None takes that of the session, or Pocket."""
        self._source = source
        self._autosave.open(self._on_left, self._on_unreadable)

    def abandon(self) -> None:
        """The window closes before an answer was given: the question is asked again at the next start."""
        if self.dialog is not None:
            self.dialog.finished.disconnect()
            self.dialog = None

    def _on_left(self, left: Left | None) -> None:
        if self._begun and (self._workspace.touched or left is None or left.empty):
            self._join(left)
        elif left is None or left.empty:
            self._fresh(left)
        elif not left.session.clean and left.values["touched"]:  # else there is nothing to ask about
            self.dialog = RecoveryDialog(left, self._window)
            self.dialog.finished.connect(lambda answer: self._on_answer(left, answer))
            self.dialog.open()
            self.asked.emit()
        elif self._preferences.get("start") == "restore":
            self._restore(left)
        else:
            self._fresh(left)

    def _on_answer(self, left: Left, answer: int) -> None:
        self.dialog = None
        if answer == RecoveryDialog.FRESH:
            self._fresh(left)
        else:
            self._restore(left)

    def _on_unreadable(self, failed: Failed) -> None:
        kept = self.tr("Until it can be opened, which is tried again and again, nothing that you do is kept.")
        self._autosave.give_up(replace(failed, remedy=f"{failed.remedy} {kept}"))
        if not self._begun:
            self._fresh(None)

    def _restore(self, left: Left) -> None:
        values = dict(left.values)
        for key, turns in left.known.items():
            self._autosave.know(key, turns)
        if values["conversation"] not in left.known:
            # It goes on as another one: what could not be read is left where it lies.
            values["conversation"] = uuid4().hex
        if self._source is not None:
            values["source"] = self._source
        self._session.without_ready_heads()
        self._workspace.restore(**values)
        if left.lost:
            what = self.tr("A part of the session could not be restored")
            lost = " ".join(left.lost)
            remedy = self.tr("The rest is here; the library keeps what cannot be read as it is.")
            self._session.worker.failed.emit(Failed(what, lost, remedy, left.details))
        self._begin()

    def _fresh(self, left: Left | None) -> None:
        """An empty page; the presets are no session's, but the person's."""
        if left is not None:
            self._workspace.restore(presets=left.values["presets"])
        if self._source is not None:
            self._workspace.restore(source=self._source)
        self._begin()

    def _join(self, left: Left | None) -> None:
        """The library opened late, and what was done meanwhile goes on: the session of before makes room."""
        presets = left.values["presets"] if left is not None else ()
        if presets:
            joined = {preset.name: preset for preset in (*presets, *self._workspace.presets)}
            self._workspace.change(self.tr("presets of before"), presets=tuple(joined.values()))
        if left is not None and not left.empty:
            label = self.tr("Keeping the session of before")
            archive = self._autosave.archive
            told = self.tr(
                "The library could be opened, and all is kept from now on. Of the session before, the "
                "conversation is in the Library (View, Library), the rest in {0}."
            )
            job = Job(label, lambda emit, cancel: archive.put_session_by())
            job.on_done = lambda path: self._session.noticed.emit(told.format(path))
            self._autosave.worker.submit(job)
        self._autosave.begin()

    def _begin(self) -> None:
        self._begun = True
        self._session.open_model(self._workspace.source)
        self._autosave.begin()
        self.begun.emit()


class RecoveryDialog(QDialog):
    """Says what would come back, and what becomes of it otherwise. Nothing goes but by the press of its
    button: to close it in any other way restores."""

    FRESH = 2  # how it finished, beside Accepted and Rejected

    def __init__(self, left: Left, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("The studio ended unexpectedly"))
        title = QLabel(self.tr("Go on where it ended?"))
        title.setProperty("role", "strong")
        self.text = plain_label("\n".join(f"•  {line}" for line in self._lines(left)))
        self.text.setWordWrap(True)
        self.note = plain_label(self._note(left), "muted")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox()
        self.restore = buttons.addButton(self.tr("Restore"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.fresh = buttons.addButton(self.tr("Start fresh"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.restore.setProperty("role", "primary")
        self.restore.setDefault(True)
        self.restore.setAccessibleName(self.tr("Restore the session"))
        self.fresh.setAccessibleName(self.tr("Start with an empty page"))
        buttons.accepted.connect(self.accept)
        self.fresh.clicked.connect(lambda: self.done(self.FRESH))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(16)
        for widget in (title, self.text, self.note, buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(480)

    def _lines(self, left: Left) -> list[str]:
        values = left.values
        lines = [self.tr("saved on {0}").format(_moment(left.session.saved))]
        turns, heads = values["turns"], values["channels"]
        if turns:
            words = self.tr("a conversation of %n turn(s), the last: “{0}”", "", len(turns))
            lines.append(words.format(one_line(turns[-1].question)))
        at, question = values["round"], values["question"].strip()
        if at:
            words = self.tr("a comparison of %n answer(s): “{0}”", "", len(at.answers))
            lines.append(words.format(one_line(at.question)))
        if heads:
            names = ", ".join(c.name for c in heads[:4]) + (" …" if len(heads) > 4 else "")
            words = self.tr("%n head(s) in the mixer, as strong as they were: {0}", "", len(heads))
            lines.append(words.format(names))
        if values["presets"]:
            lines.append(self.tr("%n preset(s) of strengths", "", len(values["presets"])))
        if values["prompt"].strip():
            lines.append(self.tr("the steering prompt “{0}”").format(one_line(values["prompt"])))
        if question and not (at and at.question == question):  # there it stays typed
            lines.append(self.tr("the question “{0}”, typed and not yet sent").format(one_line(question)))
        if values["settings"] != Settings():
            lines.append(self.tr("the sampling settings"))
        if values["fit_options"] != FitOptions():
            lines.append(self.tr("the way of distilling"))
        if values["comparison"] != Comparison():
            lines.append(self.tr("the columns of the Compare page"))
        lines.append(self.tr("the model {0}").format(values["source"]))
        return lines + [self.tr("lost: {0}").format(words) for words in left.lost]

    def _note(self, left: Left) -> str:
        """What a fresh start takes away, and what it leaves."""
        values = left.values
        going = [
            words
            for words, there in (
                (self.tr("the strengths in the mixer"), values["channels"]),
                (self.tr("the live head"), any(c.slot.draft for c in values["channels"])),
                (self.tr("the steering prompt"), values["prompt"].strip() not in ("", FIRST_PROMPT)),
                (self.tr("the typed question"), values["question"].strip() not in ("", FIRST_QUESTION)),
                (self.tr("the sampling settings"), values["settings"] != Settings()),
                (self.tr("the way of distilling"), values["fit_options"] != FitOptions()),
                (self.tr("the columns of the Compare page"), values["comparison"] != Comparison()),
            )
            if there
        ]
        stays = self.tr(
            "Conversation, comparison and heads stay in the Library (View, Library), from where they can be "
            "opened again, and presets in the mixer."
        )
        if not going:
            return stays
        gone = self.tr("Starting fresh gives up for good: {0}.").format(", ".join(going))
        return f"{gone} {stays}"


def _moment(saved: str) -> str:
    try:
        return f"{datetime.fromisoformat(saved).astimezone():%d %B %Y at %H:%M:%S}"
    except ValueError:  # damaged: as it stands there
        return saved
