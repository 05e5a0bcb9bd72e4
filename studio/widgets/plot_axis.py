"""A plot's axis in the colours and the size of the studio's text: where room ends, it names fewer places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QApplication

from studio.widgets import theme
from studio.widgets.plot_pens import pen

GAP = 8  # pixels between two names beside each other
STEPS = (1, 2, 5, 10)


class PlotAxis(pg.AxisItem):
    def __init__(self, orientation: str, *, whole: bool = False, offset: float = 0.0) -> None:
        """whole: names whole numbers alone; offset: where their places lie beside them, as in the middle of a
        cell."""
        super().__init__(orientation)
        self.whole, self._offset = whole, offset
        self.enableAutoSIPrefix(False)
        self.setStyle(tickLength=-4, tickTextOffset=4)

    def restyle(self) -> None:
        """Takes colours and text size of the current theme."""
        colours = theme.current()
        font = QFont(QApplication.font())  # a widget's own follows it a moment later
        font.setPointSizeF(font.pointSizeF() * theme.SMALL_POINTS / theme.BASE_POINTS)
        self._metrics = QFontMetricsF(font)
        self.setPen(pen(self.getViewWidget(), colours.line))
        self.setTextPen(pg.mkPen(colours.muted))
        self.setTickFont(font)
        self.labelStyle = {"color": colours.muted, "font-size": f"{font.pointSizeF():.1f}pt"}
        line = math.ceil(self._metrics.height())
        if self.orientation == "left":
            self.setWidth(line + math.ceil(self._metrics.horizontalAdvance("00.0")) + GAP)
        else:
            self.setHeight(2 * line + GAP)
        self.name(self.labelText)

    def name(self, words: str) -> None:
        """What is counted along it."""
        self.setLabel(words, **self.labelStyle)
        self.resizeEvent()

    def resizeEvent(self, event: Any = None) -> None:
        super().resizeEvent(event)
        if self.label is not None:
            length = self.size().height() if self.orientation == "left" else self.size().width()
            need = self.label.boundingRect().width() - 2 * self.label.document().documentMargin()
            self.label.setVisible(bool(self.labelText) and need <= length)

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks, as far apart as their names need; (distance, offset)."""
        if self.orientation == "left":
            need = (1.0 if self.whole else 1.8) * self._metrics.height()
        else:
            ends = self.tickStrings([minVal, maxVal], 1.0, (maxVal - minVal) / 10 or 1.0)
            need = max(self._metrics.horizontalAdvance(end) for end in ends) + GAP
        step = _round((maxVal - minVal) * need / max(1.0, size))
        return [(max(1.0, step) if self.whole else step, self._offset)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        if self.whole:
            return [str(round(value - self._offset)) for value in values]
        found: list[str] = super().tickStrings(values, scale, spacing)
        return found


def _round(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in STEPS if step * power >= least * 0.999)
