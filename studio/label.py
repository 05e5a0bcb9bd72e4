"""A label that shows its text as it is: what a person or a model wrote is never taken for markup."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLabel, QSizePolicy


def plain_label(text: str, role: str = "") -> QLabel:
    """role: of studio.theme's style sheet."""
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


class CutLabel(QLabel):
    """One line, as wide as there is room; what is cut off can be read in its tooltip."""

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        if role:
            self.setProperty("role", role)

    def show_text(self, text: str, tip: str = "") -> None:
        """tip: what its tooltip says, by default the same."""
        self.setText(text)
        self.setToolTip(tip or text)

    def paintEvent(self, event: QEvent) -> None:
        painter = QPainter(self)
        room = self.contentsRect()
        cut = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        self.style().drawItemText(
            painter, room, flags, self.palette(), self.isEnabled(), cut, self.foregroundRole()
        )
        painter.end()
