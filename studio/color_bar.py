"""The legend: the colour scale with its end values."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio import theme

BAR = 96  # pixels


class ColorBar(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = np.zeros((2, 3), np.uint8)
        self._low, self._high = 0.0, 1.0
        self.setFixedSize(BAR + 88, 20)

    def set_scale(self, table: np.ndarray, low: float, high: float) -> None:
        """table [n, 3] of 0..255 colours from low to high."""
        self._table, self._low, self._high = table, low, high
        self.setAccessibleName(self.tr("Scale from {0:g} to {1:g}").format(low, high))
        self.update()

    def sizeHint(self) -> QSize:
        return self.size()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.85)
        painter.setFont(font)
        painter.setPen(theme.current().color("muted"))
        side = (self.width() - BAR) / 2
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, 0, side - 4, 20), middle | Qt.AlignmentFlag.AlignRight, f"{self._low:g}")
        painter.drawText(QRectF(side + BAR + 4, 0, side - 4, 20), middle, f"{self._high:g}")
        gradient = QLinearGradient(side, 0, side + BAR, 0)
        for index in range(0, len(self._table), max(1, len(self._table) // 16)):
            gradient.setColorAt(
                index / (len(self._table) - 1), QColor(*(int(c) for c in self._table[index][:3]))
            )
        gradient.setColorAt(1.0, QColor(*(int(c) for c in self._table[-1][:3])))
        painter.fillRect(QRectF(side, 6, BAR, 8), gradient)
        painter.end()
