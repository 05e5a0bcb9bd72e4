"""Who answers the next question of a comparison: a box for each column, and whether it is blind."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.state.compare_columns import LEAST, MOST, ColumnChoice
from studio.state.mixer import STRENGTH_LIMIT
from studio.state.workspace import Workspace
from studio.widgets.label import plain_label
from studio.widgets.named_combo_box import NamedComboBox
from studio.widgets.number_box import NumberBox
from studio.widgets.switch import Switch
from studio.widgets.tooltips import explained
from studio.widgets.wheel_guard import turn_when_focused
from studio.widgets.wrapping_row import WrappingRow

GAP = 8  # pixels between boxes


class ColumnSettings(WrappingRow):
    """Settings of what is to come: they say nothing of the answers that are shown."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "below")
        self._workspace = workspace
        self.boxes: list[ColumnBox] = []
        words = self.tr(
            "Columns for the next question (shared seed). Equal strengths do not mean equal "
            "effects; use the Lab to match them."
        )
        about = plain_label(words, "muted")
        about.setWordWrap(True)
        about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.blind = Switch(self.tr("Blind"))
        self.blind.setToolTip(self.tr("Shuffle the columns and hide their names until you vote"))
        self.blind.setAccessibleName(self.tr("Blind comparison"))
        self.blind.toggled.connect(workspace.set_blind)
        self.more = QToolButton()
        self.more.setText(self.tr("Add column"))
        self.more.setProperty("role", "small")
        self.more.clicked.connect(lambda: workspace.add_column(ColumnChoice("prompt")))
        head = QHBoxLayout()
        head.setSpacing(8)
        for widget, stretch in ((about, 1), (self.blind, 0), (self.more, 0)):
            head.addWidget(widget, stretch)
        self._grid = QGridLayout()
        self._grid.setSpacing(GAP)
        self._laid_out = 0, 0  # boxes in a line, and in all
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addLayout(self._grid)
        workspace.comparisonChanged.connect(self.refresh)
        workspace.channelsChanged.connect(self.refresh)
        self.refresh()
        self.begin_folding()

    @Slot()
    def refresh(self) -> None:
        """As many boxes as there are to be columns, each with who shall speak in it."""
        wanted = self._workspace.comparison
        with QSignalBlocker(self.blind):
            self.blind.setChecked(wanted.blind)
        while len(self.boxes) > len(wanted.columns):
            box = self.boxes.pop()
            self._grid.removeWidget(box)
            box.hide()
            box.deleteLater()
        while len(self.boxes) < len(wanted.columns):
            self._add()
        for box, column in zip(self.boxes, wanted.columns, strict=True):
            box.show_column(column)
            box.removeWanted.setEnabled(len(self.boxes) > LEAST)
        self.more.setEnabled(len(self.boxes) < MOST)

    def _add(self) -> None:
        workspace, place = self._workspace, len(self.boxes)
        box = ColumnBox(workspace, place + 1)
        box.removeWanted.clicked.connect(lambda: workspace.remove_column(place))
        box.chosen.connect(lambda column: workspace.set_column(place, column))
        self.boxes.append(box)
        self._grid.addWidget(box, 0, len(self.boxes) - 1)

    def least_width(self) -> int:
        return 2 * max(box.minimumSizeHint().width() for box in self.boxes) + GAP

    def fold(self) -> None:
        """Where one line leaves no room for the words in all boxes, there are two."""
        need = sum(box.minimumSizeHint().width() + GAP for box in self.boxes) - GAP
        across = len(self.boxes) if self.width() >= need else 2
        if (across, len(self.boxes)) == self._laid_out:
            return
        self._laid_out = across, len(self.boxes)
        for place, box in enumerate(self.boxes):
            self._grid.addWidget(box, place // across, place % across)  # moves it where it has a place
        for column in range(MOST):
            self._grid.setColumnStretch(column, int(column < across))


class ColumnBox(QWidget):
    """One column to come: who shall speak, how strong where it is one head, and a way to take it out."""

    chosen = Signal(object)  # Column

    def __init__(self, workspace: Workspace, number: int) -> None:
        """number: of the column, from 1."""
        super().__init__()
        self._workspace = workspace
        self.column = ColumnChoice("none")
        self.choice = NamedComboBox(self.tr("Source of column {0}").format(number))
        self.choice.setMinimumContentsLength(3)  # four heads fit a window of 1280 with all docks
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.strength = NumberBox()
        self.strength.setRange(-STRENGTH_LIMIT, STRENGTH_LIMIT)
        self.strength.setSingleStep(0.1)
        self.strength.setValue(1.0)
        self.strength.setButtonSymbols(NumberBox.ButtonSymbols.NoButtons)  # wheel and arrow keys step
        self.strength.setAccessibleName(self.tr("Strength in column {0}").format(number))
        turn_when_focused(self.choice, self.strength)
        self.removeWanted = QToolButton()
        self.removeWanted.setText("×")
        self.removeWanted.setProperty("role", "quiet")
        self.removeWanted.setAccessibleName(self.tr("Remove column {0}").format(number))
        self.removeWanted.setToolTip(self.removeWanted.accessibleName())
        self.strength.setToolTip(explained("strength"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.choice, 1)
        line.addWidget(self.strength)
        line.addWidget(self.removeWanted)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.strength.valueChanged.connect(self._on_choice)

    def show_column(self, column: ColumnChoice) -> None:
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
                    self.choice.addItem(self.tr("{0} (off)").format(channel.name), ("head", channel.key))
            data = [tuple(self.choice.itemData(i)) for i in range(self.choice.count())]
            wanted = (column.kind, column.key)
            self.choice.setCurrentIndex(data.index(wanted) if wanted in data else 0)
            if self.strength.value() != column.strength:  # else it is being typed
                self.strength.setValue(column.strength)
        self.strength.setVisible(column.kind == "head")

    @Slot()
    def _on_choice(self) -> None:
        kind, key = self.choice.currentData()
        self.chosen.emit(ColumnChoice(kind, key, self.strength.value() if kind == "head" else 1.0))
