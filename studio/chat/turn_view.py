"""One turn of the conversation: its question, its answers beside each other, what is known of each."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from studio.chat.answer_status import ending
from studio.chat.answer_view import AnswerView
from studio.chat.inline_editor import InlineEditor
from studio.chat.text_flow import line_height
from studio.state.conversation import STEERED, Answer, Turn, turns_in, used_heads
from studio.state.workspace import Workspace
from studio.widgets.idle_queue import IdleQueue
from studio.widgets.label import ElidedLabel, plain_label

GUTTER = 56  # width of the speakers' column


class TurnView(QFrame):
    """Questions and answers can be changed where they stand, while nothing is being answered."""

    againWanted = Signal()
    editWanted = Signal(str)  # the question as it shall be
    rewriteWanted = Signal(object, str)  # Answer, its text as it shall be
    continueWanted = Signal(object)  # Answer

    def __init__(
        self, workspace: Workspace, turn: Turn, later: IdleQueue, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._turn = turn
        self.columns: dict[str, AnswerColumn] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, GUTTER - 16)
        you = plain_label(self.tr("You"), "speaker")
        you.setContentsMargins(0, 2, 0, 0)  # on the line of the question, whose letters are larger
        grid.addWidget(you, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(self._asked(), 0, 1, 1, 2)
        grid.addWidget(plain_label(self.tr("Model"), "speaker"), 1, 0, Qt.AlignmentFlag.AlignTop)
        for place, answer in enumerate(turn.answers, start=1):
            column = self.columns[answer.lane] = AnswerColumn(workspace, answer, later)
            column.rewriteWanted.connect(self.rewriteWanted)
            column.continueWanted.connect(self.continueWanted)
            grid.addWidget(column, 1, place, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(place, 1)

    def leave(self) -> None:
        """The turn goes: nothing of it waits any more."""
        for column in self.columns.values():
            column.view.leave()

    def set_able(self, able: bool) -> None:
        """Whether the turn can be changed and answered now."""
        for button in (self.edit, self.again, self.field.take):
            button.setEnabled(able)
        for column in self.columns.values():
            column.set_able(able)

    def _asked(self) -> QHBoxLayout:
        self.question = plain_label(self._turn.question)
        self.question.setWordWrap(True)
        self.question.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.field = InlineEditor(self.tr("Edited question"), self.tr("Resend"))
        self.field.taken.connect(self._on_edited)
        self.field.left.connect(self._on_left)
        self.edit = _button(self.tr("Edit"), self.tr("Edit and resend"))
        self.edit.clicked.connect(self._on_edit)
        self.again = _button(
            self.tr("Regenerate"), self.tr("Regenerate this answer; later turns are removed")
        )
        self.again.clicked.connect(self.againWanted)
        asked = QHBoxLayout()
        asked.setSpacing(4)
        asked.addWidget(self.question, 1)
        asked.addWidget(self.field, 1)
        asked.addWidget(self.edit, 0, Qt.AlignmentFlag.AlignTop)
        asked.addWidget(self.again, 0, Qt.AlignmentFlag.AlignTop)
        return asked

    @Slot()
    def _on_edit(self) -> None:
        self.question.hide()
        self.field.begin(self._turn.question)

    @Slot()
    def _on_left(self) -> None:
        self.question.show()
        self.edit.setFocus()

    @Slot(str)
    def _on_edited(self, text: str) -> None:
        self.question.show()
        self.editWanted.emit(text)


class AnswerColumn(QWidget):
    """One lane's answer between a line that says how it was made and one that says what came of it."""

    rewriteWanted = Signal(object, str)  # Answer, its text as it shall be
    continueWanted = Signal(object)  # Answer

    def __init__(
        self, workspace: Workspace, answer: Answer, later: IdleQueue, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._answer = answer
        self.view = AnswerView(workspace, answer, later=later)
        self._head, self._facts, self.notice = (
            ElidedLabel("muted"),
            plain_label("", "muted"),
            plain_label("", "danger"),
        )
        self.notice.setWordWrap(True)
        self.field = InlineEditor(self.tr("Edited answer"), self.tr("Save"))
        self.field.taken.connect(self._on_rewritten)
        self.field.left.connect(self._on_left)
        tip = self.tr("Edit this answer; the conversation continues from your version")
        self.edit = _button(self.tr("Edit"), tip)
        self.edit.clicked.connect(self._on_edit)
        self.more = _button(self.tr("Continue"), self.tr("Go on from here: same seed and strengths"))
        self.more.clicked.connect(lambda: self.continueWanted.emit(self._answer))
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self._facts)
        below.addWidget(self.more)
        below.addWidget(self.edit)
        below.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        for widget in (self._head, self.notice, self.view, self.field):
            column.addWidget(widget)
        column.addLayout(below)
        self.refresh()

    def refresh(self) -> None:
        """Brings text and facts up to date."""
        answer = self._answer
        self.view.grow()
        self._head.setText(self._made())
        self._facts.setText(self._ended())
        self.notice.setText(self._unread())
        self.notice.setVisible(bool(answer.cut))
        self.edit.setVisible(answer.over and bool(answer.text))
        self.more.setVisible(answer.state == "length" and not any(a.edited for a in answer.turn.answers))

    def set_able(self, able: bool) -> None:
        self.edit.setEnabled(able)
        self.more.setEnabled(able)
        self.field.take.setEnabled(able)

    @Slot()
    def _on_edit(self) -> None:
        self.view.hide()
        self.field.begin(self._answer.text)

    @Slot()
    def _on_left(self) -> None:
        self.view.show()
        self.edit.setFocus()

    @Slot(str)
    def _on_rewritten(self, text: str) -> None:
        self.view.show()
        self.rewriteWanted.emit(self._answer, text)

    def _made(self) -> str:
        if self._answer.edited:
            return self.tr("Edited by you – not steered")
        if self._answer.lane != STEERED:
            return self.tr("Unsteered (same seed)")
        return " + ".join(each.words for each in used_heads(self._answer)) or self.tr("Unsteered")

    def _ended(self) -> str:
        return self.tr("No trace available") if self._answer.edited else ending(self._answer)

    def _unread(self) -> str:
        """What of the conversation the model did not read."""
        turns = turns_in(self._answer.cut)
        return self.tr("The first %n turn(s) did not fit the model's context and were left out.", "", turns)


def guessed_height(turn: Turn, font: QFont, width: int) -> int:
    """About how high the turn's widget will be at this width; quick, for what is not made yet."""
    metrics = QFontMetrics(font)

    def lines(text: str, width: int) -> int:
        characters = max(1, width // metrics.averageCharWidth())
        return sum(max(1, math.ceil(len(part) / characters)) for part in text.split("\n"))

    width -= GUTTER
    share = width // max(1, len(turn.answers))
    answers = max((lines(answer.text, share - 16) for answer in turn.answers), default=1)
    around = 3 * metrics.height() + 10  # what stands over and under an answer
    return lines(turn.question, width) * metrics.height() + answers * line_height(font) + around


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setProperty("role", "quiet")
    return button
