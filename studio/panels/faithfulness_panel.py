"""How closely the chosen head does what its prompt did, block by block."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.label import one_line, plain_label
from studio.widgets.plot_axis import PlotAxis
from studio.widgets.plot_pens import pen
from studio.widgets.tooltips import explained
from studio.widgets.vertical_scroll import VerticalScroll


class FaithfulnessPanel(QWidget):
    """Relative RMSE per block, 0 = the prompt itself, 1 = no better than no head; dashed: a paraphrase."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace = workspace
        self._axes = {"left": PlotAxis("left"), "bottom": PlotAxis("bottom", whole=True)}
        self.plot = pg.PlotWidget(axisItems=self._axes)
        self.plot.setAccessibleName(self.tr("Faithfulness per block"))
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # it has the rest
        self._axes["left"].name(self.tr("relative RMSE"))
        self._axes["bottom"].name(self.tr("block"))
        self._none = pg.InfiniteLine(1.0, angle=0)
        self.curve = pg.PlotDataItem(symbol="o", symbolSize=7, antialias=True)
        self.paraphrase = pg.PlotDataItem(antialias=True)
        for item in (self._none, self.paraphrase, self.curve):
            self.plot.addItem(item)
        self._title = plain_label("", "muted")
        self._title.setWordWrap(True)
        self._title.setToolTip(explained("faithfulness", "block"))
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._empty = QLabel(
            self.tr("Distill a prompt to see, block by block, how closely the head reproduces it.")
        )
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setContentsMargins(16, 4, 16, 8)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(4)
        self._title.setContentsMargins(16, 0, 8, 0)
        layout.addWidget(self._title)
        layout.addWidget(self.plot, 1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(VerticalScroll(page))
        workspace.channelsChanged.connect(self.refresh)
        workspace.faithfulnessChanged.connect(self.refresh)
        workspace.fitChanged.connect(self._describe_empty)
        self.restyle()

    def sizeHint(self) -> QSize:
        return QSize(256, 220)

    def restyle(self) -> None:
        """Takes the colours of the current theme."""
        colours = theme.current()
        self.plot.setBackground(colours.surface)
        for axis in self._axes.values():
            axis.restyle()
        self.plot.setMinimumHeight(theme.lines(6))
        above = round(theme.lines(0.5))  # half of a number may stand at the top
        self.plot.getPlotItem().layout.setContentsMargins(1, above, 1, 1)
        self.curve.setPen(pen(self.plot, colours.accent, 2))
        self.curve.setSymbolBrush(colours.accent)
        self.curve.setSymbolPen(colours.surface)
        self.paraphrase.setPen(pen(self.plot, colours.muted, 1.5, Qt.PenStyle.DashLine))
        self._none.setPen(pen(self.plot, colours.line))
        self.refresh()

    @Slot()
    def _describe_empty(self) -> None:
        running = self._workspace.fit.running
        self._empty.setText(
            self.tr("Available when distillation finishes.")
            if running
            else self.tr("Distill a prompt to see, block by block, how closely the head reproduces it.")
        )

    @Slot()
    def refresh(self) -> None:
        channel = self._workspace.channel(self._workspace.selected_key)
        found = self._workspace.faithfulness.get(channel.digest) if channel else None
        self._pages.setCurrentIndex(1 if found else 0)
        if found is None or channel is None:
            self._describe_empty()
            return
        blocks = sorted(found.blocks)
        values = [found.blocks[b] for b in blocks]
        self.curve.setData(blocks, values)
        other = found.paraphrase or {}
        self.paraphrase.setData(sorted(other), [other[b] for b in sorted(other)])
        words = self.tr("{0} – error: 0 = prompt, 1 = no effect")
        if other:
            words += self.tr("; dashed: paraphrase")
        self._title.setText(words.format(one_line(channel.name)))
        top = max([1.1, *(v * 1.05 for v in values), *(v * 1.05 for v in other.values())])
        self.plot.setXRange(min(blocks) - 0.3, max(blocks) + 0.3, padding=0)
        self.plot.setYRange(0, min(top, 2.0), padding=0)
