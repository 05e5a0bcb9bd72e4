"""Blocks x tokens: what was applied, and what else was measured, growing as the answer streams."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QGraphicsRectItem,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.panels.color_bar import ColorBar
from studio.state.color_scale import ColorScale
from studio.state.conversation import Answer
from studio.state.heatmap_quantities import QUANTITIES, Quantity, beyond
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.color_map import STEPS, table
from studio.widgets.label import ElidedLabel
from studio.widgets.named_combo_box import NamedComboBox
from studio.widgets.plot_axis import PlotAxis
from studio.widgets.plot_pens import pen
from studio.widgets.tooltips import explained
from studio.widgets.translation import shown

FIRST_CAPACITY = 256  # tokens; doubled when full
WINDOW = 64  # tokens in sight while following


class HeatmapGrid:
    """A preallocated [tokens, blocks] array that grows by doubling; `filled` is the part with data."""

    def __init__(self) -> None:
        self.count = 0
        self._array = np.zeros((FIRST_CAPACITY, 0), np.float32)

    @property
    def filled(self) -> np.ndarray:
        return self._array[: self.count]

    @property
    def capacity(self) -> int:
        return len(self._array)

    def extend(self, rows: np.ndarray) -> None:
        """rows [n, blocks]; the first ones decide the number of blocks."""
        if self._array.shape[1] != rows.shape[1]:
            self._array, self.count = np.zeros((FIRST_CAPACITY, rows.shape[1]), np.float32), 0
        need, size = self.count + len(rows), self.capacity
        while size < need:
            size *= 2
        if size != self.capacity:
            grown = np.zeros((size, rows.shape[1]), np.float32)
            grown[: self.count] = self.filled
            self._array = grown
        self._array[self.count : need] = rows
        self.count = need


class HeatmapPanel(QWidget):
    """Shows the workspace's `shown` answer; click selects a token, wheel zooms, drag pans."""

    blockPicked = Signal(int)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._workspace = workspace
        self._grid = HeatmapGrid()
        self._answer: Answer | None = None
        self._quantity = QUANTITIES[0]
        self.following = True
        self._moving = False
        self._axes = {
            "left": PlotAxis("left", whole=True, offset=0.5),
            "bottom": PlotAxis("bottom", whole=True),
        }
        self.plot = pg.PlotWidget(axisItems=self._axes)
        self._axes["left"].name(self.tr("block"))
        self._axes["bottom"].name(self.tr("token"))
        self.plot.setAccessibleName(self.tr("Heatmap, blocks by tokens"))
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.image = pg.ImageItem(axisOrder="col-major")
        self._frame = QGraphicsRectItem()
        self._halo = QGraphicsRectItem()  # dark around light: seen on every colour of the map
        for depth, item in ((10, self._halo), (11, self._frame)):
            item.setZValue(depth)
            item.hide()
        view = self.plot.getViewBox()
        view.addItem(self.image)
        view.addItem(self._halo)
        view.addItem(self._frame)
        view.setMouseEnabled(x=True, y=False)
        view.sigRangeChangedManually.connect(self._on_panned)
        view.setDefaultPadding(0)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        self.plot.scene().sigMouseMoved.connect(self._on_hover)
        self.choice = NamedComboBox(self.tr("Heatmap quantity"))
        for quantity in QUANTITIES:
            self.choice.addItem(shown(quantity.title), quantity.key)
            self.choice.setItemData(
                self.choice.count() - 1, shown(quantity.words), Qt.ItemDataRole.ToolTipRole
            )
        self.choice.setToolTip(explained("coefficient", "block", about=self.tr("What the cells show")))
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self._hover = ElidedLabel("muted")
        self.latest = QToolButton()
        self.latest.setText(self.tr("Latest"))
        self.latest.setProperty("role", "small")
        self.latest.setToolTip(self.tr("Scroll to the newest token and follow it"))
        self.latest.clicked.connect(self.follow)
        self.bar = ColorBar()
        self._empty = QLabel()
        self._empty.setProperty("role", "muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setContentsMargins(16, 0, 16, 0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 0, 16, 0)
        head.setSpacing(16)
        head.addWidget(self.choice)
        head.addWidget(self._hover, 1)
        head.addWidget(self.latest)
        head.addWidget(self.bar)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._lacking(), 1)
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        workspace.shownChanged.connect(self._on_shown)
        workspace.answerGrew.connect(self._on_grown)
        workspace.scales.changed.connect(self._on_scale)
        workspace.selectionChanged.connect(self._on_selection)
        self.restyle()
        self._on_shown()

    @property
    def tokens(self) -> int:
        """How many columns are drawn."""
        return self._grid.count

    def values(self) -> np.ndarray:
        """[tokens, blocks], the very numbers drawn."""
        return self._grid.filled

    @property
    def quantity(self) -> Quantity:
        return self._quantity

    @property
    def scale(self) -> ColorScale:
        """The scale that the cells are coloured by: the one of the quantity's unit."""
        return self._workspace.scales.by_unit[self._quantity.unit]

    def show_quantity(self, key: str) -> None:
        """Shows another quantity of the same answer."""
        self.choice.setCurrentIndex(self.choice.findData(key))

    def restyle(self) -> None:
        """Takes the colours of the current theme."""
        colours = theme.current()
        self.plot.setBackground(colours.surface)
        for axis in self._axes.values():
            axis.restyle()
        self.plot.setMinimumHeight(theme.lines(6))
        self._frame.setPen(pen(self.plot, "#ffffff", 2))
        self._halo.setPen(pen(self.plot, "#000000", 4))
        self._on_scale()

    @Slot()
    def follow(self) -> None:
        """Keeps the newest token in sight."""
        self.following = True
        self._reframe()

    @Slot()
    def _on_shown(self) -> None:
        self._answer = self._workspace.shown
        self.following = True
        edited = self._answer is not None and self._answer.edited
        words = self.tr("The next answer appears here: one column per token, one row per block.")
        if edited:
            words = self.tr("This answer was edited by you, so it was not steered.")
        elif self._workspace.hidden_until_vote:
            words = self.tr("Hidden until you vote, so it does not reveal the columns.")
        self._empty.setText(words)
        self._pages.setCurrentIndex(1 if self._answer and not edited else 0)
        self._refill()
        self._reframe()
        self._on_selection()

    @Slot()
    def _on_choice(self) -> None:
        self._quantity = QUANTITIES[self.choice.currentIndex()]
        self._refill()
        self._on_selection()

    def _refill(self) -> None:
        """All cells anew."""
        self._grid = HeatmapGrid()
        self.image.clear()
        self._hover.show_text(shown(self._quantity.words))
        self._show_lack(False)
        if self._answer and len(self._answer):
            self._grow()
        self._on_scale()

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        if answer is self._answer:
            self._grow()
            self._reframe()

    def _grow(self) -> None:
        trace = self._answer.trace  # type: ignore[union-attr]
        new = self._quantity.rows(trace, self._grid.count)
        if len(new) == 0:
            return
        self._show_lack(bool(np.isnan(new).all()))
        blocks = self._grid.filled.shape[1]
        self._grid.extend(new)
        if blocks != new.shape[1]:
            self._show_blocks(new.shape[1])
        self.image.setImage(self._grid.filled, autoLevels=False)
        self._tell_beyond()

    def _lacking(self) -> QWidget:
        """What stands there in place of a quantity that was not measured."""
        self._lack = QWidget()
        words = QLabel(self.tr("The prompt's own effect was not recorded for this answer."))
        words.setProperty("role", "muted")
        words.setWordWrap(True)
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.measure = QPushButton(self.tr("Record it for the next answers"))
        self.measure.clicked.connect(lambda: self._workspace.set_truth(True))
        self.measure.setEnabled(not self._workspace.truth)
        self._workspace.truthChanged.connect(lambda on: self.measure.setEnabled(not on))
        layout = QVBoxLayout(self._lack)
        layout.addStretch(1)
        layout.addWidget(words)
        layout.addWidget(self.measure, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(1)
        self._lack.hide()
        return self._lack

    def _show_lack(self, lacking: bool) -> None:
        self._lack.setVisible(lacking)
        self.plot.setVisible(not lacking)
        self.bar.setVisible(not lacking)

    def _show_blocks(self, blocks: int) -> None:
        self.plot.getViewBox().setYRange(0, blocks, padding=0)
        self.plot.getViewBox().setLimits(yMin=0, yMax=blocks)

    def _reframe(self) -> None:
        view = self.plot.getViewBox()
        count = self._grid.count
        view.setLimits(xMin=0, xMax=max(WINDOW, count), minXRange=4)
        if self.following:
            self._moving = True
            view.setXRange(max(0, count - WINDOW), max(WINDOW, count), padding=0)
            self._moving = False
        self.latest.setVisible(not self.following)

    def _on_panned(self, *_: object) -> None:
        if not self._moving:
            self.following = self.plot.getViewBox().viewRange()[0][1] >= self._grid.count - 0.5
            self.latest.setVisible(not self.following)

    @Slot()
    def _on_scale(self) -> None:
        colours, (low, high) = theme.current(), self.scale.levels
        colors = table(colours, self.scale.signed)
        step = (high - low) / (STEPS - 0.01)  # the ends themselves lie within
        outside = map(colours.color, ("below", "above"))
        below, above = ([[colour.red(), colour.green(), colour.blue()]] for colour in outside)
        self.image.setLookupTable(np.concatenate([below, colors, above]).astype(np.uint8))
        self.image.setLevels((low - step, low + (STEPS + 1) * step))
        self.bar.set_scale(colors, low, high, shown(self._quantity.unit))
        self._tell_beyond()

    def _tell_beyond(self) -> None:
        """Whether the legend needs its ends: cells that the scale does not hold."""
        self.bar.set_beyond(*beyond(self.scale, self._grid.filled))

    @Slot()
    def _on_selection(self) -> None:
        selection = self._workspace.selection
        if selection is None or selection.answer is not self._answer:
            self._frame.hide()
            self._halo.hide()
            return
        width = selection.stop - selection.start + 1
        for item in (self._halo, self._frame):
            item.setRect(QRectF(selection.start, 0, width, self._grid.filled.shape[1]))
            item.show()
        low, high = self.plot.getViewBox().viewRange()[0]
        if not low <= selection.cursor < high:
            self.following = False
            half = (high - low) / 2
            left = max(0.0, min(selection.cursor - half, max(WINDOW, self._grid.count) - 2 * half))
            self.plot.getViewBox().setXRange(left, left + 2 * half, padding=0)
        self.latest.setVisible(not self.following)

    def cell_at(self, scene_point: object) -> tuple[int, int] | None:
        """(token, block) under a point of the scene, or None."""
        point = self.plot.getViewBox().mapSceneToView(scene_point)
        token, block = int(np.floor(point.x())), int(np.floor(point.y()))
        if 0 <= token < self._grid.count and 0 <= block < self._grid.filled.shape[1]:
            return token, block
        return None

    def _on_click(self, event: object) -> None:
        cell = self.cell_at(event.scenePos())  # type: ignore[attr-defined]
        if cell and self._answer:
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)  # type: ignore[attr-defined]
            self._workspace.select(self._answer, cell[0], extend=extend)
            self.blockPicked.emit(cell[1])

    def _on_hover(self, scene_point: object) -> None:
        cell = self.cell_at(scene_point)
        if cell is None or self._answer is None:
            self._hover.show_text(shown(self._quantity.words))
            return
        token, block = cell
        words = self.tr("{0} {1:.3g} at token {2} “{3}”, block {4}")
        piece = self._answer.trace.pieces[token]
        value = float(self._grid.filled[token, block])
        self._hover.show_text(words.format(shown(self._quantity.words), value, token, piece, block))
