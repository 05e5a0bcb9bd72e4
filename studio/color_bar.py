"""The legend: the colour scale with its end values."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio import theme

BAR, HEIGHT, GAP = 96, 8, 4  # pixels
SAMPLE = "-1000"  # what there is always room for beside it: the bar stays where it is as the scale grows


class ColorBar(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = np.zeros((2, 3), np.uint8)
        self._low, self._high = 0.0, 1.0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_scale(self, table: np.ndarray, low: float, high: float) -> None:
        """table [n, 3] of 0..255 colours from low to high."""
        self._table, self._low, self._high = table, low, high
        self.setAccessibleName(self.tr("Scale from {0:g} to {1:g}").format(low, high))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(BAR + 2 * (self._side() + GAP), QFontMetrics(self._small()).height() + GAP)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.85)
        return font

    def _side(self) -> int:
        """Room for either number."""
        metrics = QFontMetrics(self._small())
        return max(metrics.horizontalAdvance(n) for n in (SAMPLE, f"{self._low:g}", f"{self._high:g}"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._small())
        painter.setPen(theme.current().color("muted"))
        side, left = self._side(), self._side() + GAP
        middle = Qt.AlignmentFlag.AlignVCenter
        room = QRectF(0, 0, side, self.height())
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignRight, f"{self._low:g}")
        painter.drawText(room.translated(left + BAR + GAP, 0), middle, f"{self._high:g}")
        gradient = QLinearGradient(left, 0, left + BAR, 0)
        for index in range(0, len(self._table), max(1, len(self._table) // 16)):
            gradient.setColorAt(
                index / (len(self._table) - 1), QColor(*(int(c) for c in self._table[index][:3]))
            )
        gradient.setColorAt(1.0, QColor(*(int(c) for c in self._table[-1][:3])))
        painter.fillRect(QRectF(left, (self.height() - HEIGHT) / 2, BAR, HEIGHT), gradient)
        painter.end()
