"""The conversation: one block per turn, answers of two lanes side by side, following the live edge."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QWidget,
)

from studio.anchor import Anchor, Rows
from studio.answer import AnswerView
from studio.later import Later
from studio.room import Room
from studio.turns import STEERED, Answer, Turn
from studio.workspace import Workspace

GUTTER = 56  # width of the speakers' column


class Conversation(QScrollArea):
    """Shows the workspace's turns; while the end is in sight it stays in sight."""

    againWanted = Signal(object)  # Turn
    editWanted = Signal(object, str)  # Turn, its question as it shall be

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._views: dict[Turn, TurnView] = {}
        self._rooms: dict[Turn, Room] = {}
        self._later = Later(self)
        self._following = True
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName(self.tr("Conversation"))
        page = self._page = QWidget()
        page.setProperty("role", "panel")
        self._rows = Rows(page)
        self._rows.setContentsMargins(16, 16, 8, 16)
        self._rows.setSpacing(16)
        self._empty = QLabel()
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self._rows.addWidget(self._empty)
        self._rows.addStretch(1)
        self.setWidget(page)
        self._anchor = Anchor(self, page, self._rows)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range)
        bar.valueChanged.connect(self._on_scrolled)
        workspace.turnsChanged.connect(self._on_turns)
        workspace.answerGrew.connect(self._on_grown)
        workspace.answerChanged.connect(self._on_answer)
        workspace.selectionChanged.connect(self._on_selection)
        workspace.modelChanged.connect(self._describe_empty)
        self._describe_empty()

    def view(self, answer: Answer) -> AnswerView | None:
        """The widget that shows `answer`."""
        turn = self._views.get(answer.turn)
        return turn.views.get(answer.lane) if turn else None

    def follow(self) -> None:
        """Back to the newest text."""
        self._following = True
        self._anchor.lift()
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    @Slot()
    def _describe_empty(self) -> None:
        ready = self._workspace.loading.facts is not None
        self._empty.setText(
            self.tr(
                "A question is typed below. Press Enter: the answer streams here, every token shaded by the "
                "coefficient that was applied to it, with its heatmap underneath.\n\n"
                "Then move a slider in the mixer while it runs, or click a token to see its numbers."
            )
            if ready
            else self.tr("The model is being loaded. You can type already; what you send waits for it.")
        )

    @Slot()
    def _on_turns(self) -> None:
        wanted = self._workspace.turns
        for turn in [t for t in self._views if t not in wanted]:
            view = self._views.pop(turn)
            room = self._rooms.pop(turn)
            room.leave()
            self._rows.removeWidget(room)
            for answer_view in view.views.values():
                answer_view.leave()
            room.hide()
            room.deleteLater()
        for number, turn in enumerate(wanted):
            if turn not in self._views:
                view = self._views[turn] = TurnView(self._workspace, turn, self._later)
                view.againWanted.connect(lambda turn=turn: self.againWanted.emit(turn))
                view.editWanted.connect(lambda text, turn=turn: self.editWanted.emit(turn, text))
                self._rooms[turn] = Room(view, self._later)
                self._rows.insertWidget(number + 1, self._rooms[turn])
            self._views[turn].refresh()
        self._empty.setVisible(not wanted)
        if wanted and self._workspace.shown not in [a for t in wanted for a in t.answers]:
            self._workspace.show(wanted[-1].answers[0])
        elif not wanted:
            self._workspace.clear_selection()
            self._workspace.show(None)
        self._following = True
        self._anchor.lift()

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        view = self.view(answer)
        if view:
            view.grow()

    @Slot(object)
    def _on_answer(self, answer: Answer) -> None:
        turn = self._views.get(answer.turn)
        if turn:
            turn.refresh()

    @Slot()
    def _on_selection(self) -> None:
        selection = self._workspace.selection
        view = self.view(selection.answer) if selection else None
        if selection and view:
            spot = view.mapTo(self._page, view.line_of(selection.cursor).center().toPoint())
            self.ensureVisible(0, spot.y(), 0, 32)

    @Slot(int, int)
    def _on_range(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > 0)
        if self._following:
            self.verticalScrollBar().setValue(high)

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        self._following = value >= self.verticalScrollBar().maximum() - 4
        if self._following:
            self._anchor.lift()
        else:
            self._anchor.drop()


class TurnView(QFrame):
    """A question, its answers beside each other, and one line of facts under each."""

    againWanted = Signal()
    editWanted = Signal(str)

    def __init__(self, workspace: Workspace, turn: Turn, later: Later, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._turn, self._later = workspace, turn, later
        self.views: dict[str, AnswerView] = {}
        self._facts: dict[str, QLabel] = {}
        self._heads: dict[str, QLabel] = {}
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, GUTTER - 16)
        grid.addWidget(_label(self.tr("you"), "speaker"), 0, 0, Qt.AlignmentFlag.AlignTop)
        self.question = _label(turn.question)
        self.question.setWordWrap(True)
        self.question.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.line = QLineEdit(turn.question)
        self.line.setAccessibleName(self.tr("The question as it shall be"))
        self.line.returnPressed.connect(self._on_edited)
        self.line.installEventFilter(self)
        self.line.hide()
        self.edit = _button(self.tr("Edit"), self.tr("Change this question and have it answered"))
        self.edit.clicked.connect(self._on_edit)
        self.again = _button(self.tr("Again"), self.tr("Answer this question again; later turns go"))
        self.again.clicked.connect(self.againWanted)
        asked = QHBoxLayout()
        asked.setSpacing(4)
        asked.addWidget(self.question, 1)
        asked.addWidget(self.line, 1)
        asked.addWidget(self.edit, 0, Qt.AlignmentFlag.AlignTop)
        asked.addWidget(self.again, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(asked, 0, 1, 1, 2)
        grid.setRowMinimumHeight(1, 4)
        grid.addWidget(_label(self.tr("model"), "speaker"), 3, 0, Qt.AlignmentFlag.AlignTop)

    def refresh(self) -> None:
        """Adds a column for each new answer and brings the facts up to date."""
        for column, answer in enumerate(self._turn.answers, start=1):
            if answer.lane not in self.views:
                view = self.views[answer.lane] = AnswerView(self._workspace, answer, later=self._later)
                self._heads[answer.lane], self._facts[answer.lane] = _label("", "muted"), _label("", "muted")
                self._grid.addWidget(self._heads[answer.lane], 2, column)
                self._grid.addWidget(view, 3, column, Qt.AlignmentFlag.AlignTop)
                self._grid.addWidget(self._facts[answer.lane], 4, column)
                self._grid.setColumnStretch(column, 1)
            self.views[answer.lane].grow()
            self._heads[answer.lane].setText(self._title(answer))
            self._facts[answer.lane].setText(self._summary(answer))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc gives the question back as it was."""
        escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if (
            watched is self.line
            and escape
            and event.type() in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride)
        ):
            self._set_editing(False)
            event.accept()
            return True
        return super().eventFilter(watched, event)

    @Slot()
    def _on_edit(self) -> None:
        self.line.setText(self._turn.question)
        self._set_editing(True)
        self.line.setFocus()

    @Slot()
    def _on_edited(self) -> None:
        self._set_editing(False)
        self.editWanted.emit(self.line.text())

    def _set_editing(self, editing: bool) -> None:
        self.line.setVisible(editing)
        self.question.setVisible(not editing)

    def _title(self, answer: Answer) -> str:
        if answer.lane != STEERED:
            return self.tr("unsteered, same seed")
        heads = " + ".join(f"{name} {strength:.2f}" for name, _, strength in self._turn.mix)
        return heads or self.tr("no head on")

    def _summary(self, answer: Answer) -> str:
        ends = {
            "waiting": self.tr("waiting…"),
            "running": self.tr("answering…"),
            "eos": self.tr("complete"),
            "stop": self.tr("complete"),
            "length": self.tr("cut at the token limit"),
            "cancelled": self.tr("stopped"),
            "failed": self.tr("failed"),
        }
        end = ends.get(answer.state, answer.state)
        return self.tr("{0} tokens, {1}").format(len(answer), end) if answer.over else end


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setProperty("role", "quiet")
    return button


def _label(text: str, role: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label
