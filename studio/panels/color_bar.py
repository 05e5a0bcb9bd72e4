"""The legend: the colour scale with its end values, its unit, and the colours of what lies beyond it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QLinearGradient, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.widgets import theme

BAR, TIP, GAP = 72, 8, 4  # pixels
SAMPLE = "-1000"  # what there is always room for beside it: the bar stays where it is as the scale grows


class ColorBar(QWidget):
    """A triangle at an end says that some of what is shown lies beyond it, and in which colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = np.zeros((2, 3), np.uint8)
        self._ends, self._unit, self.beyond = (0.0, 1.0), "", (0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_scale(self, table: np.ndarray, low: float, high: float, unit: str) -> None:
        """table [n, 3] of 0..255 colours from low to high."""
        self._table, self._ends, self._unit = table, (low, high), unit
        self._tell()
        self.updateGeometry()
        self.update()

    def set_beyond(self, below: int, above: int) -> None:
        """How many of the cells that are shown lie beyond either end."""
        if (below, above) != self.beyond:
            self.beyond = below, above
            self._tell()
            self.update()

    def _tell(self) -> None:
        low, high = self._ends
        told = self.tr("Scale from {0:g} to {1:g}, {2}").format(low, high, self._unit)
        self.setAccessibleName(told)
        lines = [self.tr("{0}. Shared by all panels and answers.").format(told)]
        if any(self.beyond):
            words = self.tr("Out of range: {0} below, {1} above")
            lines.append(words.format(*self.beyond))
        self.setToolTip("\n".join(lines))
        self.setAccessibleDescription(lines[-1])

    def sizeHint(self) -> QSize:
        height = max(20, QFontMetrics(self._small()).height() + GAP)
        return QSize(BAR + sum(self._sides()) + 2 * (TIP + GAP), height)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.85)
        return font

    def _words(self) -> tuple[str, str]:
        low, high = self._ends
        return f"{low:g}", f"{high:g} {self._unit}"

    def _sides(self) -> tuple[int, int]:
        """Room for the words on either side."""
        width = QFontMetrics(self._small()).horizontalAdvance
        low, high = self._words()
        return max(width(SAMPLE), width(low)), max(width(f"{SAMPLE} {self._unit}"), width(high))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, font = QPainter(self), self._small()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font)
        painter.setPen(theme.current().color("muted"))
        low, high = self._words()
        left, middle = self._sides()[0] + GAP + TIP, self.height() / 2
        right = left + BAR
        sides = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, 0, left - TIP - GAP, self.height()), sides[0] | sides[1], low)
        painter.drawText(QRectF(right + TIP + GAP, 0, self.width(), self.height()), sides[0], high)
        gradient = QLinearGradient(left, 0, right, 0)
        for index in range(0, len(self._table), max(1, len(self._table) // 16)):
            gradient.setColorAt(
                index / (len(self._table) - 1), QColor(*(int(c) for c in self._table[index][:3]))
            )
        gradient.setColorAt(1.0, QColor(*(int(c) for c in self._table[-1][:3])))
        painter.fillRect(QRectF(left, middle - 4, BAR, 8), gradient)
        painter.setPen(Qt.PenStyle.NoPen)
        for edge, way, count, colour in (
            (left, -TIP, self.beyond[0], "below"),
            (right, TIP, self.beyond[1], "above"),
        ):
            if count:
                painter.setBrush(theme.current().color(colour))
                corners = (edge, middle - 5), (edge, middle + 5), (edge + way, middle)
                painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
        painter.end()
