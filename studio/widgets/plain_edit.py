"""A text field without an undo of its own: Ctrl+Z there reaches the one undo stack of the studio."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPlainTextEdit, QWidget


class PlainEdit(QPlainTextEdit):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)

    def take(self, text: str) -> None:
        """Shows `text`; the cursor goes where it differs from what was there."""
        old = self.toPlainText()
        if text == old:
            return
        tail = _alike(old[::-1], text[::-1])
        self.blockSignals(True)
        self.setPlainText(text)
        self.blockSignals(False)
        cursor = self.textCursor()
        cursor.setPosition(max(_alike(old, text), len(text) - tail))
        self.setTextCursor(cursor)
        self.updateGeometry()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Files are not words: dropped here, they go on to the window."""
        return not source.hasUrls() and super().canInsertFromMimeData(source)

    def event(self, event: QEvent) -> bool:
        mine = (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and any(event.matches(key) for key in mine)
        ):
            event.ignore()  # an ordinary shortcut, then: the window's
            return False
        return super().event(event)


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
