"""A button that says which blocks a head may steer, and lets one choose the first and the last."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QFormLayout, QMenu, QPushButton, QSpinBox, QToolButton, QWidget, QWidgetAction

from studio.state.mixer import Blocks
from studio.widgets.tooltips import explained


class BlockRangeButton(QToolButton):
    changed = Signal(object)  # (first, last), or None for all

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[int, ...] = ()
        self.setProperty("role", "flat")
        self.setToolTip(
            explained("block", about=self.tr("Steered blocks (changes apply from the next answer)"))
        )
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(16, 16, 16, 16)
        form.setSpacing(8)
        self.first, self.last = QSpinBox(), QSpinBox()
        for words, box in ((self.tr("First block"), self.first), (self.tr("Last block"), self.last)):
            box.setAccessibleName(words)
            box.setKeyboardTracking(False)
            box.valueChanged.connect(self._on_edited)
            form.addRow(words, box)
        every = QPushButton(self.tr("All blocks"))
        every.clicked.connect(lambda: self.changed.emit(None))
        form.addRow(every)
        action = QWidgetAction(menu)
        action.setDefaultWidget(page)
        menu.addAction(action)
        self.setMenu(menu)
        self.setStyleSheet("QToolButton::menu-indicator { image: none; }")

    def show_range(self, blocks: Sequence[int], chosen: Blocks | None) -> None:
        """blocks: those that the head has; chosen: the range, None for all of them."""
        self._all = tuple(blocks)
        low, high = chosen or (self._all[0], self._all[-1])
        for box, value in ((self.first, low), (self.last, high)):
            with QSignalBlocker(box):
                box.setRange(self._all[0], self._all[-1])
                box.setValue(value)
        self.setText(f"{low}–{high}" if high > low else str(low))
        self.setProperty("chosen", chosen is not None)
        self.style().polish(self)

    @Slot()
    def _on_edited(self) -> None:
        low, high = sorted((self.first.value(), self.last.value()))
        whole = (low, high) == (self._all[0], self._all[-1])
        self.changed.emit(None if whole else (low, high))
