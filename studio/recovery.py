"""The start: what was left last time comes back, after a word where the studio did not end in order."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from studio.archive import Left
from studio.autosave import Autosave
from studio.label import one_line
from studio.session import Session
from studio.settings import Preferences
from studio.worker import Failed
from studio.workspace import Workspace

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
        if left is None or left.empty:
            self._fresh()
        elif not left.session.clean and left.values["touched"]:  # else there is nothing to ask about
            self.dialog = RecoveryDialog(left, self._window)
            self.dialog.finished.connect(lambda answer: self._on_answer(left, bool(answer)))
            self.dialog.open()
            self.asked.emit()
        elif self._preferences.get("start") == "restore":
            self._restore(left)
        else:
            self._fresh()

    def _on_answer(self, left: Left, restore: bool) -> None:
        self.dialog = None
        if restore:
            self._restore(left)
        else:
            self._fresh()

    def _on_unreadable(self, failed: Failed) -> None:
        self._autosave.give_up()
        self._fresh()

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

    def _fresh(self) -> None:
        if self._source is not None:
            self._workspace.restore(source=self._source)
        self._begin()

    def _begin(self) -> None:
        self._session.open_model(self._workspace.source)
        self._autosave.begin()
        self.begun.emit()


class RecoveryDialog(QDialog):
    """Says what would come back, and what becomes of it otherwise."""

    def __init__(self, left: Left, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("The studio ended unexpectedly"))
        title = QLabel(self.tr("Go on where it ended?"))
        title.setProperty("role", "strong")
        self.text = QLabel("\n".join(f"•  {line}" for line in self._lines(left)))
        self.text.setWordWrap(True)
        self.note = QLabel(
            self.tr(
                "Starting fresh loses nothing: conversation, comparison and heads stay in the Library (View, "
                "Library), from where they can be opened again. Only the typed but unsent words go."
            )
        )
        self.note.setWordWrap(True)
        self.note.setProperty("role", "muted")
        buttons = QDialogButtonBox()
        self.restore = buttons.addButton(self.tr("Restore"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.fresh = buttons.addButton(self.tr("Start fresh"), QDialogButtonBox.ButtonRole.RejectRole)
        self.restore.setProperty("role", "primary")
        self.restore.setDefault(True)
        self.restore.setAccessibleName(self.tr("Restore the session"))
        self.fresh.setAccessibleName(self.tr("Start with an empty page"))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
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
            lines.append(self.tr("%n head(s) in the mixer: {0}", "", len(heads)).format(names))
        if values["prompt"].strip():
            lines.append(self.tr("the steering prompt “{0}”").format(one_line(values["prompt"])))
        if question and not (at and at.question == question):  # there it stays typed
            lines.append(self.tr("the question “{0}”, typed and not yet sent").format(one_line(question)))
        lines.append(self.tr("the model {0}").format(values["source"]))
        return lines + [self.tr("lost: {0}").format(words) for words in left.lost]


def _moment(saved: str) -> str:
    try:
        return f"{datetime.fromisoformat(saved).astimezone():%d %B %Y at %H:%M:%S}"
    except ValueError:  # damaged: as it stands there
        return saved
