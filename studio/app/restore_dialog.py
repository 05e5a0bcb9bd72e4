"""The dialog after a crash: what would be restored, and what a fresh start gives up."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from studio.app.first_words import FIRST_PROMPT, FIRST_QUESTION
from studio.library.library_jobs import StoredSession
from studio.state.compare_columns import Comparison
from studio.state.requests import FitOptions
from studio.widgets.label import one_line, plain_label


class RestoreDialog(QDialog):
    """Says what would come back, and what becomes of it otherwise. Nothing goes but by the press of its
    button: to close it in any other way restores."""

    FRESH = 2  # how it finished, beside Accepted and Rejected

    def __init__(self, left: StoredSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Steering Studio quit unexpectedly"))
        title = QLabel(self.tr("Restore your last session?"))
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

    def _lines(self, left: StoredSession) -> list[str]:
        values = left.values
        lines = [self.tr("saved on {0}").format(_moment(left.session.saved))]
        turns, heads = values["turns"], values["channels"]
        if turns:
            words = self.tr("a conversation of %n turn(s), the last one “{0}”", "", len(turns))
            lines.append(words.format(one_line(turns[-1].question)))
        at, question = values["round"], values["question"].strip()
        if at:
            words = self.tr("a comparison of %n answer(s): “{0}”", "", len(at.answers))
            lines.append(words.format(one_line(at.question)))
        if heads:
            names = ", ".join(c.name for c in heads[:4]) + (" …" if len(heads) > 4 else "")
            words = self.tr("%n head(s) in the mixer with their strengths: {0}", "", len(heads))
            lines.append(words.format(names))
        if values["presets"]:
            lines.append(self.tr("%n preset(s)", "", len(values["presets"])))
        if values["prompt"].strip():
            lines.append(self.tr("the steering prompt “{0}”").format(one_line(values["prompt"])))
        if question and not (at and at.question == question):  # there it stays typed
            lines.append(self.tr("the unsent question “{0}”").format(one_line(question)))
        if values["settings"].changed:
            lines.append(self.tr("the sampling settings"))
        if values["fit_options"] != FitOptions():
            lines.append(self.tr("the distillation options"))
        if values["comparison"] != Comparison():
            lines.append(self.tr("the columns of the Compare page"))
        lines.append(self.tr("the model {0}").format(values["source"]))
        return lines + [self.tr("not restored: {0}").format(words) for words in left.lost]

    def _note(self, left: StoredSession) -> str:
        """What a fresh start takes away, and what it leaves."""
        values = left.values
        going = [
            words
            for words, there in (
                (self.tr("the strengths in the mixer"), values["channels"]),
                (self.tr("the preview head"), any(c.slot.draft for c in values["channels"])),
                (self.tr("the steering prompt"), values["prompt"].strip() not in ("", FIRST_PROMPT)),
                (self.tr("the unsent question"), values["question"].strip() not in ("", FIRST_QUESTION)),
                (self.tr("the sampling settings"), values["settings"].changed),
                (self.tr("the distillation options"), values["fit_options"] != FitOptions()),
                (self.tr("the columns of the Compare page"), values["comparison"] != Comparison()),
            )
            if there
        ]
        stays = self.tr(
            "Conversations, comparisons and heads stay in the Library (View > Library), presets in the mixer."
        )
        if not going:
            return stays
        gone = self.tr("Starting fresh permanently discards: {0}.").format(", ".join(going))
        return f"{gone} {stays}"


def _moment(saved: str) -> str:
    try:
        return f"{datetime.fromisoformat(saved).astimezone():%d %B %Y at %H:%M:%S}"
    except ValueError:  # damaged: as it stands there
        return saved
