"""Trait against coherence, live: every strength tried a small point, every method's figure a large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QWidget

from studio import theme
from studio.lab_series import color_of, group
from studio.lab_work import Dot, Result
from studio.measuring import Measuring

SMALL, LARGE = 7, 13
REACH = 9  # pixels around a point that still hit it


class LabPlot(pg.PlotWidget):
    """Coherence to the right, trait upwards, both from 0 to 1. A click on a point chooses it."""

    chosen = Signal(object)  # Place

    def __init__(self, measuring: Measuring, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measuring = measuring
        self.setAccessibleName(self.tr("Trait against coherence"))
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.setMinimumWidth(220)
        self.dots: list[Dot] = []
        self.setRange(xRange=(0, 1.08), yRange=(0, 1.02), padding=0.02)  # room for a number beside 1.0
        measuring.grew.connect(self.refresh)
        measuring.changed.connect(self.refresh)
        self.restyle()

    def restyle(self) -> None:
        """Takes the colours of the current theme."""
        colours = theme.current()
        self.setBackground(colours.surface)
        font = QFont(self.font())
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        for name, text in (("left", self.tr("trait")), ("bottom", self.tr("coherence"))):
            axis = self.getAxis(name)
            axis.setPen(pg.mkPen(colours.line))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setTickFont(font)
            axis.setLabel(text, **{"color": colours.muted, "font-size": f"{font.pointSizeF():.1f}pt"})
            axis.setTicks([[(i / 5, f"{i / 5:.1f}") for i in range(6)], []])
        self.getAxis("bottom").setHeight(36)
        self.getAxis("left").setWidth(48)
        self.refresh()

    def refresh(self) -> None:
        self.clear()
        self.dots = []
        colours = theme.current()
        request = self._measuring.request
        if request is not None and request.kind == "match" and request.target != "prompt":
            pen = pg.mkPen(colours.muted, style=Qt.PenStyle.DotLine)
            self.addItem(pg.InfiniteLine(request.target, angle=90, pen=pen))
        for number, (_, results) in enumerate(group(self._measuring.results)):
            self._draw(number, results, colours)

    def _draw(self, number: int, results: Sequence[Result], colours: Any) -> None:
        """One method: a line through what was tried, and what is reported."""
        colour = QColor(color_of(number))
        reported = [result.dot for result in results if result.dot]
        tried = [dot for result in results for dot in result.tried]
        line = sorted(tried or reported, key=lambda dot: dot.place.strength)
        if len(line) > 1:
            self.addItem(
                pg.PlotDataItem(
                    [d.coherence for d in line], [d.trait for d in line],
                    pen=pg.mkPen(colour, width=1.5), antialias=True,
                )
            )  # fmt: skip
        matched = LARGE if tried or len(reported) == 1 else LARGE - 3
        for dots, size, brush in ((tried, SMALL, colours.surface), (reported, matched, colour)):
            if dots:
                self._scatter(dots, size, brush, colour)
        for result in results:
            if result.dot and result.trait_ci:
                low, high = result.trait_ci
                bar = pg.ErrorBarItem(
                    x=np.array([result.dot.coherence]), y=np.array([result.dot.trait]),
                    top=np.array([max(0, high - result.dot.trait)]),
                    bottom=np.array([max(0, result.dot.trait - low)]),
                    beam=0.015, pen=pg.mkPen(colour),
                )  # fmt: skip
                bar.setZValue(-1)
                self.addItem(bar)
        if reported:
            label = pg.TextItem(str(number + 1), color=colours.text, anchor=(-0.5, 0.5))
            label.setPos(reported[-1].coherence, reported[-1].trait)
            self.addItem(label)

    def _scatter(self, dots: Sequence[Dot], size: int, brush: Any, colour: QColor) -> None:
        self.dots += dots
        item = pg.ScatterPlotItem(
            [d.coherence for d in dots], [d.trait for d in dots], data=list(dots), size=size,
            brush=pg.mkBrush(brush), pen=pg.mkPen(colour, width=1.5), hoverable=True, tip=_tip,
        )  # fmt: skip
        self.addItem(item)

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            near = self.nearest(event.position())
            if near is not None:
                self.chosen.emit(near.place)
                event.accept()
                return
        super().mousePressEvent(event)

    def nearest(self, position: Any) -> Dot | None:
        """The point under the mouse, the last drawn where several are near."""
        box = self.getViewBox()

        def away(dot: Dot) -> float:
            at = self.mapFromScene(box.mapViewToScene(pg.Point(dot.coherence, dot.trait)))
            return (at.x() - position.x()) ** 2 + (at.y() - position.y()) ** 2

        found = [dot for dot in self.dots if away(dot) <= REACH**2]
        return min(reversed(found), key=away) if found else None


def _tip(x: float, y: float, data: Dot) -> str:
    return f"{data.place.words}, strength {data.place.strength:.2f}: trait {y:.2f}, coherence {x:.2f}"
