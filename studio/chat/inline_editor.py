"""Text that is changed where it stands: a field that grows with it, a button to take it, Esc to leave it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from studio.widgets.growing_edit import GrowingEdit

LINES = 12  # the most that are seen at once


class InlineEditor(QWidget):
    """Hidden until `begin`. Ctrl+Enter takes the text, Esc leaves it as it was; so do the buttons."""

    taken = Signal(str)
    left = Signal()

    def __init__(self, name: str, take: str, parent: QWidget | None = None) -> None:
        """name: of the field, for a screen reader; take: what the button says."""
        super().__init__(parent)
        self.text = _Field()
        self.text.setAccessibleName(name)
        self.text.agreed.connect(self._on_taken)
        self.text.escaped.connect(self._on_left)
        self.take, self.leave = QPushButton(take), QPushButton(self.tr("Cancel"))
        for button, tip, act in (
            (self.take, self.tr("{0} (Ctrl+Enter)").format(take), self._on_taken),
            (self.leave, self.tr("Discard the changes (Esc)"), self._on_left),
        ):
            button.setToolTip(tip)
            button.clicked.connect(act)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.take)
        buttons.addWidget(self.leave)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.text)
        column.addLayout(buttons)
        self.hide()

    def begin(self, text: str) -> None:
        """Shows `text` to be changed, the cursor at its end."""
        self.text.setPlainText(text)
        self.show()
        self.text.moveCursor(self.text.textCursor().MoveOperation.End)
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _on_taken(self) -> None:
        if self.text.toPlainText().strip() and self.take.isEnabled():
            self.hide()
            self.taken.emit(self.text.toPlainText())

    @Slot()
    def _on_left(self) -> None:
        self.hide()
        self.left.emit()


class _Field(QPlainTextEdit):
    """Its undo is its own: what is typed here is no change of the workspace until it is taken."""

    agreed = Signal()
    escaped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        GrowingEdit(self, LINES)

    def event(self, event: QEvent) -> bool:
        """The keys that the window has for Send and Stop mean this field while one types in it."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and _sense(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        sense = _sense(event)
        if sense == "take":
            self.agreed.emit()
        elif sense == "leave":
            self.escaped.emit()
        else:
            super().keyPressEvent(event)


def _sense(event: QKeyEvent) -> str:
    if event.key() == Qt.Key.Key_Escape:
        return "leave"
    control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
    return "take" if control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) else ""
