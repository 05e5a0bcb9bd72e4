"""The button that ends what the button in the same place began."""

from __future__ import annotations

from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QPushButton


class StopButton(QPushButton):
    """The second click of a double click on the other is not meant for this one."""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
