"""One token in numbers: what it was, what else could have come, what each block applied."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from studio import theme
from studio.workspace import Workspace


class Inspector(QScrollArea):
    """Follows the selection; several tokens show their mean coefficients and joined text."""

    forkWanted = Signal(object, int, int)  # Answer, token, the id to take there instead

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Token inspector"))
        self.piece = _label("", "strong")
        self.piece.setWordWrap(True)
        self._values = {name: _label("") for name in ("token", "id", "logprob", "rank", "strength")}
        names = {
            "token": self.tr("token"),
            "id": self.tr("id"),
            "logprob": self.tr("logprob"),
            "rank": self.tr("rank"),
            "strength": self.tr("strength"),
        }
        self._empty = _label(
            self.tr(
                "Click a token in the answer or in the heatmap. Arrow keys walk, Shift+click takes several."
            ),
            "muted",
        )
        self._empty.setWordWrap(True)
        self._facts = QWidget()
        grid = QGridLayout(self._facts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.piece, 0, 0, 1, 2)
        for row, (key, name) in enumerate(names.items(), start=1):
            grid.addWidget(_label(name, "muted"), row, 0)
            grid.addWidget(self._values[key], row, 1)
        grid.setColumnStretch(1, 1)
        for label in (self.piece, *self._values.values()):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bars = Bars(self.tr("applied coefficient per block"))
        self.truth = Bars(self.tr("what the prompt would have done"), hue="muted")
        self.alternatives = Bars(self.tr("alternatives"), hue="muted")  # colour is kept for coefficients
        self.alternatives.let_choose(self.tr("Click, or Enter: go on from here with this token"))
        self.alternatives.chosen.connect(self._on_alternative)
        page = QWidget()
        page.setProperty("role", "panel")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(16, 4, 16, 8)
        layout.setSpacing(8)
        layout.addWidget(self._empty)
        layout.addWidget(self._facts)
        layout.addWidget(self.bars)
        layout.addWidget(self.truth)
        layout.addWidget(self.alternatives)
        layout.addStretch(1)
        self.setWidget(page)
        workspace.selectionChanged.connect(self.refresh)
        workspace.scaleChanged.connect(self.refresh)
        self.refresh()

    def sizeHint(self) -> QSize:
        return QSize(256, 360)

    @Slot()
    def refresh(self) -> None:
        selection = self._workspace.selection
        for widget in (self._facts, self.bars, self.truth, self.alternatives):
            widget.setVisible(selection is not None)
        self._empty.setVisible(selection is None)
        if selection is None:
            return
        trace, at = selection.answer.trace, selection.cursor
        several = selection.start != selection.stop
        span = slice(selection.start, selection.stop + 1)
        pieces = trace.pieces[span]
        self.piece.setText("“" + "".join(pieces).replace("\n", "⏎") + "”")
        total = float(np.sum(trace.logprobs[span]))
        self._set("token", f"{selection.start}–{selection.stop}" if several else str(at))
        self._set("id", "" if several else str(int(trace.ids[at])))
        self._set("logprob", self.tr("{0:.3f} (sum)").format(total) if several else f"{total:.3f}")
        self._set("rank", "" if several else str(int(trace.ranks[at])))
        self._set(
            "strength", "" if several else ", ".join(f"{s:.2f}" for s in trace.strengths[at] if s) or "0"
        )
        rows = np.asarray(trace.coefficients[span]).mean(axis=0)
        scale = self._workspace.scale
        self.bars.set_rows(
            [(str(b), float(v) / scale.limit, f"{float(v):.2f}") for b, v in enumerate(rows)],
            signed=scale.signed,
        )
        told = np.asarray(trace.truth[span]).mean(axis=0)
        self.truth.setVisible(bool(np.isfinite(told).any()))
        self.truth.set_rows(
            [(str(b), float(v) / scale.limit, f"{float(v):.2f}") for b, v in enumerate(told)],
            signed=scale.signed,
        )
        others = [] if several else trace.alternatives[at]
        self.alternatives.setVisible(bool(others))
        self.alternatives.set_rows(
            [("“" + text.replace("\n", "⏎") + "”", float(p), f"{float(p):.3f}") for _, text, p in others]
        )

    @Slot(int)
    def _on_alternative(self, row: int) -> None:
        selection = self._workspace.selection
        if selection is not None:
            choice = selection.answer.trace.alternatives[selection.cursor][row][0]
            self.forkWanted.emit(selection.answer, selection.cursor, int(choice))

    def _set(self, key: str, text: str) -> None:
        self._values[key].setText(text or "—")


class Bars(QWidget):
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

    def set_rows(self, rows: list[tuple[str, float, str]], signed: bool = False) -> None:
        self._rows, self._signed = rows, signed
        self.setAccessibleDescription("; ".join(f"{name}: {number}" for name, _, number in rows))
        self._fit()
        self.update()

    def let_choose(self, tip: str) -> None:
        """Rows can be chosen: by a click, or by the arrow keys and Enter."""
        self._choosing = True
        self.setToolTip(tip)
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
        painter.drawText(QRectF(0, 0, self.width(), height), middle, self._title)
        names = min(88, max((metrics.horizontalAdvance(n) for n, _, _ in self._rows), default=0) + 8)
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
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names - 8)
            painter.drawText(QRectF(0, top, names, height), middle, cut)
            painter.drawText(QRectF(self.width() - numbers, top, numbers, height), middle | right, number)
            share = max(-1.0, min(1.0, share)) if math.isfinite(share) else 0.0
            length = abs(share) * reach
            left = zero if share > 0 else zero - length
            painter.fillRect(QRectF(names, top + height / 2, room, 1), colours.color("line"))
            painter.fillRect(
                QRectF(left, top + 4, length, height - 8),
                colours.color(self._hue or ("positive" if share > 0 else "negative")),
            )
        painter.end()


def _label(text: str, role: str = "") -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label
