"""A small curve of the training loss, drawn by hand: no plot library before it is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from studio.widgets import theme


class LossCurve(QWidget):
    """Points from left to right, first and last value at the ends; logarithmic when all are positive."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[float] = []
        self.setAccessibleName(self.tr("Training loss"))

    def set_values(self, values: Sequence[float]) -> None:
        self._values = [v for v in values if math.isfinite(v)]
        if self._values:
            words = self.tr("Training loss from {0:.3g} to {1:.3g} in %n step(s)", "", len(self._values))
            self.setAccessibleDescription(words.format(self._values[0], self._values[-1]))
            self.setToolTip(self.accessibleDescription())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        if len(self._values) < 2:
            return
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        ends = [f"{self._values[0]:.3g}", f"{self._values[-1]:.3g}"]
        side = max(painter.fontMetrics().horizontalAdvance(e) for e in ends) + 8
        values = [math.log(v) for v in self._values] if min(self._values) > 0 else self._values
        low, high = min(values), max(values)
        span = (high - low) or 1.0
        area = QRectF(side, 4, max(1, self.width() - 2 * side), self.height() - 8)
        step = area.width() / (len(values) - 1)
        curve = [
            QPointF(area.left() + i * step, area.bottom() - (v - low) / span * area.height())
            for i, v in enumerate(values)
        ]
        painter.setPen(QPen(colours.color("accent"), 1.5))
        painter.drawPolyline(QPolygonF(curve))
        painter.setPen(colours.color("muted"))
        for text, point, flag in (
            (ends[0], curve[0], Qt.AlignmentFlag.AlignLeft),
            (ends[1], curve[-1], Qt.AlignmentFlag.AlignRight),
        ):
            y = min(max(point.y() - 8, 0), self.height() - 16)
            painter.drawText(QRectF(0, y, self.width(), 16), flag | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
