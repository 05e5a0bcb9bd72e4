"""A label that shows its text as it is: what a person or a model wrote is never taken for markup."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip


def plain_label(text: str, role: str = "") -> QLabel:
    """role: of studio.widgets.theme's style sheet."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label


def one_line(text: str, most: int = 60) -> str:
    """What a person typed, however long and in however many lines, as the beginning of one."""
    words = " ".join(text[: 8 * most].split())
    whole = len(text) <= 8 * most and len(words) <= most
    return words if whole else words[: most - 1].rstrip() + "…"


class ElidedLabel(QLabel):
    """Takes the room that is left, and no more: what does not fit is cut, and in the tooltip."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return QSize(1, super().sizeHint().height())

    minimumSizeHint = sizeHint

    def show_text(self, text: str, tip: str = "") -> None:
        """tip: what its tooltip says whether cut or not."""
        self.setText(text)
        self.setToolTip(tip)

    def fitting(self) -> str:
        """The words that there is room for."""
        room = self.contentsRect().width()
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and not self.toolTip():
            QToolTip.showText(event.globalPos(), self.text() if self.fitting() != self.text() else "", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self.style().drawItemText(
            painter, self.contentsRect(), self.alignment().value, self.palette(), self.isEnabled(),
            self.fitting(), self.foregroundRole(),
        )  # fmt: skip
        painter.end()
