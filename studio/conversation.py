"""The conversation: one block per turn, answers of two lanes side by side, following the live edge."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QScrollArea, QWidget

from studio.anchor import Anchor, Rows
from studio.answer import AnswerView
from studio.later import Later
from studio.room import Room
from studio.turn_view import AnswerColumn, TurnView
from studio.turns import Answer, Turn
from studio.workspace import Workspace


class Conversation(QScrollArea):
    """Shows the workspace's turns; while the end is in sight it stays in sight."""

    againWanted = Signal(object)  # Turn
    editWanted = Signal(object, str)  # Turn, its question as it shall be
    rewriteWanted = Signal(object, str)  # Answer, its text as it shall be

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._views: dict[Turn, TurnView] = {}
        self._rooms: dict[Turn, Room] = {}
        self._later = Later(self)
        self._following, self._able = True, False
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

    def column(self, answer: Answer) -> AnswerColumn | None:
        """The widget that shows `answer` and what is known of it."""
        turn = self._views.get(answer.turn)
        return turn.columns.get(answer.lane) if turn else None

    def view(self, answer: Answer) -> AnswerView | None:
        """The answer's text in it."""
        column = self.column(answer)
        return column.view if column else None

    def follow(self) -> None:
        """Back to the newest text."""
        self._following = True
        self._anchor.lift()
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def set_able(self, able: bool) -> None:
        """Whether turns can be edited and answered again now."""
        self._able = able
        for view in self._views.values():
            view.set_able(able)

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
            for column in view.columns.values():
                column.view.leave()
            room.hide()
            room.deleteLater()
        for place, turn in enumerate(wanted):
            if turn not in self._views:
                view = self._views[turn] = TurnView(self._workspace, turn, self._later)
                view.againWanted.connect(lambda turn=turn: self.againWanted.emit(turn))
                view.editWanted.connect(lambda text, turn=turn: self.editWanted.emit(turn, text))
                view.rewriteWanted.connect(self.rewriteWanted)
                view.set_able(self._able)
                self._rooms[turn] = Room(view, self._later)
                self._rows.insertWidget(place + 1, self._rooms[turn])
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
