"""One block's coefficients over all tokens of an answer, as a strip of columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.state.conversation import Answer
from studio.state.workspace import Workspace
from studio.widgets import theme

HEIGHT = 32  # pixels of the strip
TIP = 2  # dark, at the end of a column that would be higher


class BlockStrip(QWidget):
    """On the shared scale, the selected tokens framed; a click selects the token under it."""

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._answer: Answer | None = None
        self.block = 0
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(self.tr("Click to select a token. Click a block above to show it here."))
        workspace.answerGrew.connect(self._on_grown)

    def set_row(self, answer: Answer, block: int) -> None:
        self._answer, self.block = answer, block
        self.setAccessibleName(self._title())
        values = self.values()
        if len(values):
            words = self.tr("%n token(s), from {0:.2f} to {1:.2f}", "", len(values))
            self.setAccessibleDescription(words.format(values.min(), values.max()))
        self.update()

    def values(self) -> np.ndarray:
        """What is drawn, one number per token."""
        if self._answer is None or not len(self._answer):
            return np.zeros(0, np.float32)
        return np.asarray(self._answer.trace.coefficients[:, self.block])

    def sizeHint(self) -> QSize:
        return QSize(200, self._head() + HEIGHT)

    def token_at(self, x: float) -> int:
        """The token drawn at `x` pixels from the left."""
        count = len(self.values())
        return max(0, min(count - 1, int(x * count / max(1, self.width()))))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._answer is not None and len(self._answer):
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._workspace.select(self._answer, self.token_at(event.position().x()), extend=extend)

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        if answer is self._answer:
            self.update()

    def _title(self) -> str:
        return self.tr("block {0}, all tokens").format(self.block)

    def _head(self) -> int:
        return self.fontMetrics().height() + 3

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, colours, values = QPainter(self), theme.current(), self.values()
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        painter.setPen(colours.color("muted"))
        title = painter.fontMetrics().elidedText(self._title(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), self._head()), Qt.AlignmentFlag.AlignVCenter, title)
        scale, top = self._workspace.scales.activation, float(self._head())
        zero = top + (HEIGHT / 2 if scale.signed else HEIGHT - 1)
        reach = HEIGHT / 2 if scale.signed else HEIGHT - 4
        painter.fillRect(QRectF(0, zero, self.width(), 1), colours.color("line"))
        for left, width, value in _columns(values, self.width()):
            height = min(1.0, abs(value) / scale.limit) * reach
            up = zero - height if value > 0 else zero
            painter.fillRect(
                QRectF(left, up, width, height), colours.color("positive" if value > 0 else "negative")
            )
            if scale.exceeded_by(value):
                edge = up if value > 0 else up + height - TIP
                painter.fillRect(QRectF(left, edge, width, TIP), colours.color("text"))
        selection = self._workspace.selection
        if selection and selection.answer is self._answer and len(values):
            step = self.width() / len(values)
            wide = max(2.0, (selection.stop - selection.start + 1) * step)
            painter.setPen(QPen(colours.color("selection"), 1))
            painter.drawRect(
                QRectF(min(selection.start * step, self.width() - wide), top, wide - 1, HEIGHT - 1)
            )
        painter.end()


def _columns(values: np.ndarray, width: int) -> list[tuple[float, float, float]]:
    """(left, width, value) of every column; where tokens are thinner than a pixel, the strongest of each."""
    if len(values) <= width:
        step = width / max(1, len(values))
        return [(i * step, max(1.0, step - 1), float(v)) for i, v in enumerate(values) if v]
    borders = np.linspace(0, len(values), width + 1).astype(int)
    parts = [values[a:b] for a, b in pairwise(borders)]
    return [(float(x), 1.0, float(part[abs(part).argmax()])) for x, part in enumerate(parts)]
