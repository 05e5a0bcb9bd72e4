"""A combo box that a screen reader can name."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QComboBox, QLabel


class NamedComboBox(QComboBox):
    """On some systems the name that is read out of a combo box is its value, and only a label beside it tells
    what it is about: `name` is such a label, which is not shown."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._label = QLabel(name)
        self._label.setBuddy(self)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ParentChange:
            self._label.setParent(self.parentWidget())
            self._label.hide()
        return super().event(event)
