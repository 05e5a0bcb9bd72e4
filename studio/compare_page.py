"""The Compare page: lanes as columns under one question, and the blind vote."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.answer import AnswerView
from studio.channels import STRENGTH_LIMIT
from studio.columns import LEAST, MOST, Column
from studio.comparing import TIE, Comparing
from studio.label import one_line, plain_label
from studio.later import Later
from studio.number_box import NumberBox
from studio.switch import Switch
from studio.turns import Answer
from studio.wheel import turn_when_focused
from studio.workspace import Workspace

LETTERS = "ABCD"
LONGEST = 240  # characters of the question that are shown


class ComparePage(QWidget):
    """Columns scroll together; a token selected in one is told of in all."""

    def __init__(self, workspace: Workspace, comparing: Comparing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace, self._comparing = workspace, comparing
        self._later = Later(self)
        self.columns: list[ColumnView] = []
        self._scrolling = False
        self.asked = plain_label("")  # the question is typed where every question is, in the composer
        self.asked.setWordWrap(True)
        self.asked.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.blind = Switch(self.tr("Blind"))
        self.blind.setToolTip(self.tr("Shuffle the columns and hide who is who until you have voted"))
        self.blind.setAccessibleName(self.tr("Blind comparison"))
        self.blind.toggled.connect(workspace.set_blind)
        self.more = QToolButton()
        self.more.setText(self.tr("Add column"))
        self.more.clicked.connect(lambda: workspace.add_column(Column("prompt")))
        self.tie = QPushButton(self.tr("No difference"))
        self.tie.clicked.connect(lambda: comparing.vote(None))
        self.note = plain_label("", "muted")
        self.note.setWordWrap(True)
        top = QHBoxLayout()
        top.setSpacing(8)
        for widget, stretch in ((self.asked, 1), (self.blind, 0), (self.more, 0)):
            top.addWidget(widget, stretch)
        self._row = QHBoxLayout()
        self._row.setSpacing(16)
        foot = QHBoxLayout()
        foot.addWidget(self.note, 1)
        foot.addWidget(self.tie)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 8)
        layout.setSpacing(12)
        layout.addLayout(top)
        layout.addLayout(self._row, 1)
        layout.addLayout(foot)
        comparing.changed.connect(self.refresh)
        workspace.comparisonChanged.connect(self._on_comparison)
        workspace.channelsChanged.connect(self._on_channels)
        workspace.selectionChanged.connect(self._on_selection)
        workspace.answerGrew.connect(self._on_grown)
        self._on_comparison()

    @Slot()
    def _on_comparison(self) -> None:
        """As many columns as there are to be, each with who speaks in it."""
        wanted = self._workspace.comparison
        with QSignalBlocker(self.blind):
            self.blind.setChecked(wanted.blind)
        while len(self.columns) > len(wanted.columns):
            view = self.columns.pop()
            view.show_answer(None)
            self._row.removeWidget(view)
            view.hide()
            view.deleteLater()
        while len(self.columns) < len(wanted.columns):
            self._add()
        for view, column in zip(self.columns, wanted.columns, strict=True):
            view.show_column(column)
        self.refresh()

    def _add(self) -> None:
        workspace, place = self._workspace, len(self.columns)
        view = ColumnView(workspace, self._later)
        view.removeWanted.clicked.connect(lambda: workspace.remove_column(place))
        view.chosen.connect(lambda column: workspace.set_column(place, column))
        view.vote.clicked.connect(lambda: self._comparing.vote(place))
        view.area.verticalScrollBar().valueChanged.connect(lambda value: self._scroll_all(value))
        self.columns.append(view)
        self._row.addWidget(view, 1)

    @Slot()
    def refresh(self) -> None:
        """Names, answers and what can be pressed, as they are now."""
        at, running = self._comparing.round, self._comparing.running
        if at and len(at.answers) != len(self.columns):
            at = None  # a column was added or taken away
        hint = self.tr("Type a question below: every column answers it, with the same seed.")
        self.asked.setText(one_line(at.question, LONGEST) if at else hint)
        self.asked.setProperty("role", "strong" if at else "muted")
        self.asked.style().polish(self.asked)
        self.more.setEnabled(len(self.columns) < MOST and not running)
        hidden = bool(at and at.blind and at.choice is None)
        voting = bool(hidden and at and at.over)
        for place, view in enumerate(self.columns):
            view.show_answer(at.answers[place] if at else None)
            title = ""
            if at:
                title = self.tr("Answer {0}").format(LETTERS[place]) if hidden else at.names[place]
                if at.choice == at.names[place] and not hidden:
                    title = self.tr("{0}, your choice").format(title)
            view.title.setText(title)
            view.title.setToolTip(title)
            view.set_hidden(hidden)
            view.removeWanted.setEnabled(len(self.columns) > LEAST and not running)
            view.vote.setVisible(voting)
        self.tie.setVisible(voting)
        self.note.setText(self._words(voting))

    def _words(self, voting: bool) -> str:
        if voting:
            return self.tr("Which answer is better? Names come out with your vote.")
        tally = self._comparing.tally
        if tally:
            names = {TIE: self.tr("no difference")}
            told = ", ".join(f"{names.get(name, name)} {count}" for name, count in tally.most_common())
            return self.tr("Votes so far: {0}").format(told)
        return self.tr(
            "Same question, same seed, one scale of colours. Equal strength is not equal effect: for "
            "figures at equal coherence see the Lab."
        )

    @Slot()
    def _on_channels(self) -> None:
        for view, column in zip(self.columns, self._workspace.comparison.columns, strict=True):
            view.show_column(column)

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        for view in self.columns:
            if view.answer is answer and view.text is not None:
                view.text.grow()

    @Slot()
    def _on_selection(self) -> None:
        selection = self._workspace.selection
        mine = selection is not None and any(view.answer is selection.answer for view in self.columns)
        for view in self.columns:
            view.tell(selection.cursor if mine and selection else None)

    def _scroll_all(self, value: int) -> None:
        if self._scrolling:
            return  # a shorter column stops at its end and holds none of the others back
        self._scrolling = True
        for view in self.columns:
            view.area.verticalScrollBar().setValue(value)
        self._scrolling = False


class ColumnView(QFrame):
    """Who speaks, the answer, the token that is selected somewhere, and the vote."""

    chosen = Signal(object)  # Column: who shall speak

    def __init__(self, workspace: Workspace, later: Later) -> None:
        super().__init__()
        self._workspace, self._later = workspace, later
        self.column = Column("none")
        self.answer: Answer | None = None
        self.text: AnswerView | None = None
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Who speaks in this column"))
        self.choice.setMinimumContentsLength(4)  # four columns fit a window of 1280 with all docks
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.strength = NumberBox()
        self.strength.setRange(-STRENGTH_LIMIT, STRENGTH_LIMIT)
        self.strength.setSingleStep(0.1)
        self.strength.setValue(1.0)
        self.strength.setAccessibleName(self.tr("Strength in this column"))
        turn_when_focused(self.choice, self.strength)
        self.removeWanted = QToolButton()
        self.removeWanted.setText("×")
        self.removeWanted.setProperty("role", "quiet")
        self.removeWanted.setToolTip(self.tr("Remove this column"))
        self.removeWanted.setAccessibleName(self.removeWanted.toolTip())
        self.title = plain_label("", "muted")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.page = QWidget()
        self.page.setProperty("role", "panel")
        self._inside = QVBoxLayout(self.page)
        self._inside.setContentsMargins(0, 0, 4, 0)
        self._inside.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.page)
        self.told = plain_label("", "muted")
        self.told.setWordWrap(True)
        self.vote = QPushButton(self.tr("This one is better"))
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.choice, 1)
        head.addWidget(self.strength)
        head.addWidget(self.removeWanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self.title)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.told)
        layout.addWidget(self.vote)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.strength.valueChanged.connect(self._on_choice)

    def show_column(self, column: Column) -> None:
        """Who speaks, among all who could."""
        self.column = column
        with QSignalBlocker(self.choice), QSignalBlocker(self.strength):
            self.choice.clear()
            self.choice.addItem(self.tr("Unsteered"), ("none", 0))
            self.choice.addItem(self.tr("Prompt"), ("prompt", 0))
            self.choice.addItem(self.tr("Mixer"), ("mixer", 0))
            for channel in self._workspace.channels:
                if not channel.note:
                    self.choice.addItem(channel.name, ("head", channel.key))
                elif channel.key == column.key:
                    self.choice.addItem(self.tr("{0}, silent").format(channel.name), ("head", channel.key))
            data = [tuple(self.choice.itemData(i)) for i in range(self.choice.count())]
            wanted = (column.kind, column.key)
            self.choice.setCurrentIndex(data.index(wanted) if wanted in data else 0)
            if self.strength.value() != column.strength:  # else it is being typed
                self.strength.setValue(column.strength)
        self.strength.setVisible(column.kind == "head" and not self.choice.isHidden())

    def set_hidden(self, hidden: bool) -> None:
        """Blind: nothing tells who speaks."""
        self.choice.setVisible(not hidden)
        self.removeWanted.setVisible(not hidden)
        self.strength.setVisible(not hidden and self.column.kind == "head")
        if self.text is not None:
            self.text.set_plain(hidden)

    def show_answer(self, answer: Answer | None) -> None:
        if answer is self.answer:
            return
        if self.text is not None:
            self.text.leave()
            self._inside.removeWidget(self.text)
            self.text.hide()
            self.text.deleteLater()
            self.text = None
        self.answer = answer
        self.told.clear()
        if answer is not None:
            self.text = AnswerView(self._workspace, answer, self.page, self._later)
            self._inside.insertWidget(0, self.text)

    def tell(self, token: int | None) -> None:
        """What stands at this place in this column."""
        if token is None or self.answer is None or self.text is None or token >= len(self.answer):
            self.told.setText("")
        else:
            piece = self.answer.trace.pieces[token].replace("\n", "⏎")
            words = self.tr("token {0} “{1}”, applied coefficient {2:.2f}")
            self.told.setText(words.format(token, piece, self.text.value(token)))

    @Slot()
    def _on_choice(self) -> None:
        kind, key = self.choice.currentData()
        self.chosen.emit(Column(kind, key, self.strength.value() if kind == "head" else 1.0))
