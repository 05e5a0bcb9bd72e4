"""The Lab page's picture, live: what `lab_pictures` makes of the results, its points to be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from studio.lab.chart_data import Chart, ChartInput, ChartPoint, ChartSeries
from studio.lab.charts import PICTURES
from studio.lab.lab_controller import LabController
from studio.lab.label_placement import around, place
from studio.lab.method_colors import color_of
from studio.widgets import theme
from studio.widgets.plot_axis import PlotAxis
from studio.widgets.plot_pens import pen
from studio.widgets.translation import tr

REACH = 9  # pixels around a point that still hit it
_MARGIN = 0.06  # of width and height: a point at the end of an axis is seen whole
_BETWEEN = 8  # pixels that names keep from each other
_NOWHERE = np.empty((0, 4))
_BELOW = 0.05  # of the height: where a method is named whose line runs out at the top


class LabPlot(pg.PlotWidget):
    """One picture at a time. A click on a point chooses it."""

    chosen = Signal(object)  # Place
    captioned = Signal(str)

    def __init__(self, measuring: LabController, parent: QWidget | None = None) -> None:
        self._axes = {"left": PlotAxis("left"), "bottom": PlotAxis("bottom")}
        super().__init__(parent, axisItems=self._axes)
        self._measuring = measuring
        self.setAccessibleName(self.tr("Chart of the results"))
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.marks: list[ChartPoint] = []
        measuring.grew.connect(self.refresh)
        measuring.changed.connect(self.refresh)
        self.restyle()

    def restyle(self) -> None:
        """Takes the colours of the current theme."""
        colours = theme.current()
        self.setBackground(colours.surface)
        for axis in self._axes.values():
            axis.restyle()
        self.setMinimumSize(theme.lines(14), theme.lines(8))
        self.refresh()

    def refresh(self) -> None:
        request, results = self._measuring.request, self._measuring.results
        self.clear()
        self.marks = []
        if request is None:
            picture = Chart(self.tr("coherence"), self.tr("trait"), x_range=(0, 1.08), y_range=(0, 1.02))
        else:
            picture = PICTURES[self._measuring.picture](ChartInput(request, results, self._measuring.block))
        colours = theme.current()
        for name, text in (("left", picture.y), ("bottom", picture.x)):
            self._axes[name].name(text)
        self.captioned.emit(picture.caption)
        if not picture.series:
            picture = replace(picture, x_range=(0, 1), y_range=(0, 1), blocks=False)
        self._span(picture)
        if picture.empty and not picture.series and results:
            words = pg.TextItem(picture.empty, color=colours.muted, anchor=(0.5, 0.5))
            words.setTextWidth(200)
            words.setPos(0.5, 0.5)
            self.addItem(words)
        self._ground(picture, colours)
        for series in picture.series:
            self._draw(series, colours)
        self._name(picture.series, colours)

    def _span(self, picture: Chart) -> None:
        """The ranges and ticks: those of the picture, else what holds all points, from 0 upwards."""
        marks = [mark for series in picture.series for mark in series.marks]
        xs = [mark.x for mark in marks] + [x for x, *_ in (*picture.reference, *picture.band)]
        ys = [y for mark in marks for y in (mark.y, mark.high or 0.0)]
        ys += [y for _, y in picture.reference] + [high for *_, high in picture.band]
        low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
        room = 0.4 if picture.blocks else 0.06 * max(high - low, 0.5)
        x_range = picture.x_range or (low - room, high + room)
        y_range = picture.y_range or (0.0, 1.06 * max([1.0, *ys]))
        self.setRange(xRange=x_range, yRange=y_range, padding=_MARGIN)
        self._axes["bottom"].whole = picture.blocks

    def _ground(self, picture: Chart, colours: Any) -> None:
        """What lies behind the methods: the prompt's own, guides."""
        dotted = pen(self, colours.muted, style=Qt.PenStyle.DotLine)
        for at, angle in ((picture.across, 0), (picture.up, 90)):
            if at is not None:
                self.addItem(pg.InfiniteLine(at, angle=angle, pen=dotted))
        if picture.band:
            x, low, high = (list(values) for values in zip(*picture.band))
            edges = [pg.PlotDataItem(x, y, pen=pen(self, colours.line)) for y in (low, high)]
            for item in (*edges, pg.FillBetweenItem(*edges, brush=colours.color("muted", 0.25))):
                self.addItem(item)
        if picture.reference:
            x, y = (list(values) for values in zip(*picture.reference))
            dashed = pen(self, colours.muted, 2, Qt.PenStyle.DashLine)
            self.addItem(pg.PlotDataItem(x, y, pen=dashed, antialias=True))

    def _draw(self, series: ChartSeries, colours: Any) -> None:
        colour = QColor(color_of(series.number))
        x, y = [mark.x for mark in series.marks], [mark.y for mark in series.marks]
        style = Qt.PenStyle.DashLine if series.dashed else Qt.PenStyle.SolidLine
        if series.joined and len(x) > 1:
            line = pen(self, colour, 1.5, style)
            self.addItem(pg.PlotDataItem(x, y, pen=line, antialias=True))
        for mark in series.marks:
            if mark.low is not None and mark.high is not None:
                bar = pg.ErrorBarItem(
                    x=np.array([mark.x]), y=np.array([mark.y]), top=np.array([max(0, mark.high - mark.y)]),
                    bottom=np.array([max(0, mark.y - mark.low)]), beam=0.015, pen=pen(self, colour, 1.5),
                )  # fmt: skip
                bar.setZValue(-1)
                self.addItem(bar)
        self.marks += series.marks
        if series.outline:
            return
        self.addItem(
            pg.ScatterPlotItem(
                x, y, data=[(mark, series.told) for mark in series.marks], size=series.size,
                brush=pg.mkBrush(colour if series.filled else colours.surface),
                pen=pen(self, colour, 1.5), hoverable=True, tip=_tip,
            )
        )  # fmt: skip

    def _name(self, shown: Sequence[ChartSeries], colours: Any) -> None:
        """A method's number, or its words, beside one of its points, where nothing else is in the way."""
        box = self.getViewBox()
        (left, right), (bottom, top) = self.viewRange()
        frame = (box.width(), box.height())
        scale = np.array(frame) / (right - left, top - bottom)

        def pixels(series: ChartSeries) -> np.ndarray:
            highest = top - _BELOW * (top - bottom) if series.outline else top
            return np.array([(m.x - left, top - min(m.y, highest)) for m in series.marks]) * scale

        drawn = [(series, pixels(series)) for series in shown if series.marks]
        names = [_NOWHERE]
        for named, points in drawn:
            if not named.named:
                continue
            words = named.words or str(named.number + 1)
            label = pg.TextItem(words, colours.text, fill=colours.color("surface", 0.75))
            label.setZValue(10)
            label.textItem.document().setDocumentMargin(1)
            wide, high = label.boundingRect().size().toTuple()
            own = points[::-1]  # from the right
            if named.outline:  # it is told apart where it is high
                own = own[own[:, 1] <= (own[:, 1].min() + frame[1]) / 2]
            others = [around(at, s.size / 2) for s, at in drawn if s is not named and not s.outline]
            spot = place(
                own, 0 if named.outline else named.size / 2, (wide, high), np.vstack([*others, *names]), frame
            )
            x, y = own[spot.at]
            at = np.array([(x + spot.left, y + spot.top)])
            # Names over each other are worse than a name over a point.
            names.append(np.hstack([at - _BETWEEN, at + np.array([wide, high]) + _BETWEEN]))
            label.setAnchor((-spot.left / wide, -spot.top / high))
            label.setPos(left + x / scale[0], top - y / scale[1])
            self.addItem(label)

    def sizeHint(self) -> QSize:
        """The least: it takes what room there is, and asks the page for no more."""
        return self.minimumSize()

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            near = self.nearest(event.position())
            if near is not None:
                self.chosen.emit(near.place)
                event.accept()
                return
        super().mousePressEvent(event)

    def nearest(self, position: Any) -> ChartPoint | None:
        """The point under the mouse, the last drawn where several are near."""
        box = self.getViewBox()

        def away(mark: ChartPoint) -> float:
            at = self.mapFromScene(box.mapViewToScene(pg.Point(mark.x, mark.y)))
            return (at.x() - position.x()) ** 2 + (at.y() - position.y()) ** 2

        found = [mark for mark in self.marks if away(mark) <= REACH**2]
        return min(reversed(found), key=away) if found else None


def _tip(x: float, y: float, data: tuple[ChartPoint, str]) -> str:
    mark, told = data
    return tr("{0}, strength {1:.2f}: {2} {3:.2f}").format(mark.place.words, mark.place.strength, told, y)
