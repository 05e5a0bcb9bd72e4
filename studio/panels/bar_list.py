"""Rows of name, bar and number, drawn by hand; one of them can be chosen where that is wanted."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.widgets import theme

TIP = 3  # pixels, dark, at the end of a bar that would be longer


class BarList(QWidget):
    """Rows of name, bar and number; lengths are shares of 1, negative ones go left when signed."""

    chosen = Signal(int)  # row, once `let_choose` was called

    def __init__(self, title: str, hue: str = "", parent: QWidget | None = None) -> None:
        """hue: a colour of the theme; by default that of the coefficient's sign."""
        super().__init__(parent)
        self._title, self._hue = title, hue
        self._rows: list[tuple[str, float, str]] = []
        self._signed = False
        self._choosing, self._at = False, 0
        self.setAccessibleName(title)
        self.setToolTip(title)

    def set_title(self, title: str) -> None:
        self._title = title
        self.setAccessibleName(title)

    def set_rows(self, rows: list[tuple[str, float, str]], signed: bool = False) -> None:
        self._rows, self._signed = rows, signed
        self.setAccessibleDescription("; ".join(f"{name}: {number}" for name, _, number in rows))
        self._fit()
        self.update()

    def let_choose(self, tip: str) -> None:
        """Rows can be chosen: by a click, or by the arrow keys and Enter."""
        self._choosing = True
        self.setToolTip(f"{self._title}\n{tip}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = int((event.position().y() - 4) // self._row()) - 1
        if self._choosing and event.button() == Qt.MouseButton.LeftButton and 0 <= row < len(self._rows):
            self._at = row
            self.chosen.emit(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if self._choosing and self._rows and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._at = max(0, min(len(self._rows) - 1, self._at + (1 if key == Qt.Key.Key_Down else -1)))
            self.update()
        elif self._choosing and self._rows and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(min(self._at, len(self._rows) - 1))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        self.setFixedHeight(self._row() * (len(self._rows) + 1) + 6)

    def _row(self) -> int:
        return self.fontMetrics().height() + 3

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.current()
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        metrics, height = painter.fontMetrics(), self._row()
        painter.setPen(colours.color("muted"))
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, 0, self.width(), height), middle, _cut(metrics, self._title, self.width()))
        names = min(
            self.width() // 3, max((metrics.horizontalAdvance(n) for n, _, _ in self._rows), default=0) + 8
        )
        numbers = max((metrics.horizontalAdvance(n) for _, _, n in self._rows), default=0) + 8
        room = max(8.0, self.width() - names - numbers)
        zero = names + (room / 2 if self._signed else 0)
        reach = room / 2 if self._signed else room
        for index, (name, share, number) in enumerate(self._rows):
            top = height * (index + 1) + 4
            if self._choosing and self.hasFocus() and index == self._at:
                painter.setPen(colours.color("accent"))
                painter.drawRect(QRectF(0, top, self.width() - 1, height - 1))
            painter.setPen(colours.color("text"))
            painter.drawText(QRectF(0, top, names, height), middle, _cut(metrics, name, names - 8))
            painter.drawText(QRectF(self.width() - numbers, top, numbers, height), middle | right, number)
            share = share if math.isfinite(share) else 0.0
            length = min(1.0, abs(share)) * reach
            left = zero if share > 0 else zero - length
            painter.fillRect(QRectF(names, top + height / 2, room, 1), colours.color("line"))
            painter.fillRect(
                QRectF(left, top + 4, length, height - 8),
                colours.color(self._hue or ("positive" if share > 0 else "negative")),
            )
            if abs(share) > 1:
                tip = left + length - TIP if share > 0 else left
                painter.fillRect(QRectF(tip, top + 4, TIP, height - 8), colours.color("text"))
        painter.end()


def _cut(metrics: QFontMetrics, words: str, room: int) -> str:
    return metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
