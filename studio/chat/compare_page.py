"""The Compare page: answers to one question side by side, the blind vote, and who answers the next one."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.chat.answer_controller import AnswerController
from studio.chat.column_settings import ColumnSettings
from studio.chat.compare_column import CompareColumn
from studio.chat.compare_controller import CompareController
from studio.state.compare_round import LETTERS, CompareRound
from studio.state.conversation import Answer
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.idle_queue import IdleQueue
from studio.widgets.label import one_line, plain_label

LONGEST = 240  # characters of the question that are shown
LEAST_COLUMN = 12  # the width of an answer in lines of text; columns that would be narrower go below
SIDE = 16  # pixels beside the columns and between them


class ComparePage(QWidget):
    """Columns scroll together; a token selected in one is told of in all."""

    entry: QWidget  # where the question is typed
    shows_unsteered = False  # the columns say who else answers

    def __init__(
        self,
        workspace: Workspace,
        comparing: CompareController,
        answering: AnswerController,
        votes: QAction,
        parent: QWidget | None = None,
    ) -> None:
        """votes: shows those that were cast."""
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace, self._comparing, self._answering = workspace, comparing, answering
        self._later = IdleQueue(self)
        self.columns: list[CompareColumn] = []
        self._scrolling = False
        self.asked = plain_label("")  # the question is typed where every question is, in the composer
        self.asked.setWordWrap(True)
        self.asked.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.tie = QPushButton(self.tr("Tie"))
        self.tie.clicked.connect(lambda: comparing.vote(None))
        self.note = plain_label("", "muted")
        self.note.setWordWrap(True)
        self.votes = QToolButton()
        self.votes.setDefaultAction(votes)
        self.votes.setProperty("role", "small")
        self._grid = QGridLayout()
        self._grid.setSpacing(SIDE)
        self._across = 0  # columns side by side
        foot = QHBoxLayout()
        foot.addWidget(self.note, 1)
        foot.addWidget(self.votes)
        foot.addWidget(self.tie)
        self.next = ColumnSettings(workspace)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SIDE, 12, SIDE, 8)
        layout.setSpacing(8)
        layout.addWidget(self.asked)
        layout.addLayout(self._grid, 1)
        layout.addLayout(foot)
        layout.addWidget(self.next)
        comparing.changed.connect(self.refresh)
        workspace.selectionChanged.connect(self._on_selection)
        workspace.answerGrew.connect(self._on_grown)
        workspace.answerChanged.connect(self._tell)
        workspace.shownChanged.connect(self._on_shown)
        self.refresh()

    @property
    def send_label(self) -> str:
        return self.tr("Compare")

    @property
    def send_tip(self) -> str:
        return self.tr("Answer the question in every column with the same seed")

    @property
    def running(self) -> bool:
        return self._comparing.running

    @property
    def takes(self) -> bool:
        return not self._answering.talking

    def send(self, question: str) -> None:
        """Answers the question of the workspace, which it is, in every column."""
        self._comparing.run()

    def stop(self) -> None:
        self._comparing.stop()

    def look(self) -> None:
        self._comparing.look()

    @Slot()
    def refresh(self) -> None:
        """Names, answers and what can be pressed, as they are now."""
        at = self._comparing.round
        hint = self.tr("Ask a question below; every column answers it with the same seed.")
        self.asked.setText(one_line(at.question, LONGEST) if at else hint)
        self.asked.setProperty("role", "strong" if at else "muted")
        self.asked.style().polish(self.asked)
        answers = list(at.answers) if at else []
        if [view.answer for view in self.columns] != answers:
            self._show(answers)
        voting = bool(at and at.judgeable)
        voted = not voting and any(each.hasFocus() for each in (self.tie, *(v.vote for v in self.columns)))
        for place, view in enumerate(self.columns):
            assert at is not None
            if at.blind:
                name = self.tr("Answer {0}").format(LETTERS[place])
                view.name(name, "")
                view.vote.setAccessibleName(self.tr("Prefer {0}").format(name))
            else:
                view.name(at.names[place], self._comparing.made(place), at.choice == place)
            view.vote.setVisible(voting)
        self.tie.setVisible(voting)
        self.note.setText(self._words(at, voting))
        self.votes.setVisible(bool(self._comparing.votes))
        self.note.setVisible(bool(self.note.text()))
        if voted:  # the button is gone
            (self.votes if self.votes.isVisible() else self.entry).setFocus()

    def _show(self, answers: list[Answer]) -> None:
        """These answers in the columns, instead of those that are there."""
        for view in self.columns:
            self._grid.removeWidget(view)
            view.leave()
        self.columns = [CompareColumn(self._workspace, self._later, answer) for answer in answers]
        for place, view in enumerate(self.columns):
            view.vote.clicked.connect(lambda _=False, place=place: self._comparing.vote(place))
            view.area.verticalScrollBar().valueChanged.connect(self._scroll_all)
        self._across = 0
        self._arrange()
        self._on_selection()
        self._on_shown()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """As many columns side by side as can be read, the others below them."""
        width, least = self.width() - SIDE, theme.lines(LEAST_COLUMN) + SIDE
        across = max(1, min(len(self.columns), width // least))
        if across == self._across:
            return
        self._across = across
        for place, view in enumerate(self.columns):
            self._grid.addWidget(view, place // across, place % across)
        for line in range(max(len(self.columns), self._grid.columnCount())):
            self._grid.setColumnStretch(line, 1 if line < across else 0)

    def _words(self, at: CompareRound | None, voting: bool) -> str:
        if voting:
            return self.tr("Which answer is better? Voting reveals the names.")
        if at and at.blind and at.over:
            return self.tr("One answer is empty, so this round cannot be voted on. Ask again.")
        if at and at.blind:
            return self.tr("Vote when all columns have finished to reveal the names.")
        return self._comparing.told_votes()

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        for view in self.columns:
            if view.answer is answer:
                view.text.grow()

    @Slot()
    def _on_shown(self) -> None:
        for view in self.columns:
            view.mark_shown(view.answer is self._workspace.shown)

    @Slot()
    def _on_selection(self) -> None:
        selection = self._workspace.selection
        self._tell()
        for view in self.columns:
            if selection and view.answer is selection.answer:
                view.bring(selection.cursor)

    @Slot()
    def _tell(self) -> None:
        """Below every column the token at the selected place, or how far the answer is."""
        selection = self._workspace.selection
        mine = selection is not None and any(view.answer is selection.answer for view in self.columns)
        for view in self.columns:
            view.tell(selection.cursor if mine and selection else None)

    @Slot(int)
    def _scroll_all(self, value: int) -> None:
        if self._scrolling:
            return  # a shorter column stops at its end and holds none of the others back
        self._scrolling = True
        for view in self.columns:
            view.area.verticalScrollBar().setValue(value)
        self._scrolling = False
