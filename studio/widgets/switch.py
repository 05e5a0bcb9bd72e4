"""A check box drawn as a switch, legible in both themes."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox

from studio.widgets import theme

GAP = 8


class Switch(QCheckBox):
    """Behaves as QCheckBox in every way: keyboard, screen readers, signals."""

    def sizeHint(self) -> QSize:
        words = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self.text()) if self.text() else QSize()
        track = self._track()
        wide = track.width() + 2 + (words.width() + GAP if self.text() else 0)
        return QSize(wide, max(track.height() + 4, words.height()))

    minimumSizeHint = sizeHint

    def _track(self) -> QSize:
        """As large as the text beside it."""
        high = self.fontMetrics().height() + 1
        return QSize(high * 7 // 4, high)

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = self._track()
        top = (self.height() - size.height()) / 2
        track = QRectF(1, top, size.width(), size.height()).adjusted(0.5, 0.5, -0.5, -0.5)
        on = self.isChecked()
        fill = "accent" if on else "surface"
        painter.setBrush(colours.color(fill if self.isEnabled() else "line"))
        painter.setPen(QPen(colours.color("accent" if on and self.isEnabled() else "muted"), 1.2))
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        side = track.height() - 6
        left = track.right() - side - 3 if on else track.left() + 3
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.color("on_accent" if on and self.isEnabled() else "muted"))
        painter.drawEllipse(QRectF(left, track.top() + 3, side, side))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.color("text"), 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(track.adjusted(-1, -1, 1, 1), track.height() / 2, track.height() / 2)
        if self.text():
            painter.setPen(colours.color("text" if self.isEnabled() else "disabled"))
            left = size.width() + 2 + GAP
            room = QRectF(left, 0, self.width() - left, self.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic, self.text())
        painter.end()
