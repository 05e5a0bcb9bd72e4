"""One answer as text: every token shaded and underlined by its applied coefficient, drawn line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from studio import theme
from studio.flow import Flow
from studio.later import Later
from studio.turns import Answer
from studio.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np  # not before the first paint

SHORT = 200  # tokens; so few are broken into lines at once, in sight or not
BAR_STEPS = 4  # underline thickness in pixels at the limit of the scale


class AnswerView(QWidget):
    """Grows with its answer. Click selects, Shift+click extends, arrow keys walk, Ctrl+C copies."""

    def __init__(
        self, workspace: Workspace, answer: Answer, parent: QWidget | None = None, later: Later | None = None
    ) -> None:
        """later: shared with the other answers of the page, so that their long ones take turns."""
        super().__init__(parent)
        self._later = later or Later(self)
        self.answer = answer
        self._workspace = workspace
        self._values: list[float] = []
        self._plain = False
        self._flow = Flow(self.font(), self.width())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Answer, {0}").format(answer.lane))
        workspace.scaleChanged.connect(self.update)
        workspace.selectionChanged.connect(self._on_selection)
        self.grow()

    def set_plain(self, plain: bool) -> None:
        """Plain text: no colours, nothing to select; for those who must not know how it was made."""
        if plain != self._plain:
            self._plain = plain
            self.update()

    def grow(self) -> None:
        """Takes in the tokens that came since the last call."""
        start, trace = len(self._values), self.answer.trace
        pieces = self.answer.pieces[start:] if trace is None else trace.pieces[start : len(trace)]
        if not pieces:
            return
        self._values += [0.0] if trace is None else strongest(trace.coefficients[start : len(trace)])
        before = self._flow.height
        changed = self._flow.append(list(pieces))
        if self._flow.height != before:
            self.updateGeometry()
            self.setFixedHeight(self._flow.height + 1)
        self.update(0, changed * self._flow.line_height, self.width(), self._flow.height)

    def sizeHint(self) -> QSize:
        return QSize(200, self._flow.height + 1)

    def value(self, token: int) -> float:
        """The token's coefficient at the block where it is strongest."""
        return self._values[token]

    def line_of(self, token: int) -> QRectF:
        """Where the token's line lies in this widget."""
        return QRectF(
            0, self._flow.home(token) * self._flow.line_height, self.width(), self._flow.line_height
        )

    def spot(self, token: int) -> QPoint:
        """A point on the token's text in this widget."""
        index = self._flow.home(token)
        line = self._flow.shaped(index)
        pairs = zip(line.spans, line.edges, strict=True)
        left, right = next(edges for span, edges in pairs if span.token == token)
        return QPointF((left + right) / 2, (index + 0.5) * self._flow.line_height).toPoint()

    def resizeEvent(self, event: object) -> None:
        if self.width() != self._flow.width:
            self._refit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        changes = (QEvent.Type.FontChange, QEvent.Type.StyleChange)
        if event.type() in changes and hasattr(self, "_flow") and self.font() != self._flow.font:
            self._refit()

    def _refit(self) -> None:
        """Breaks the lines anew: at once in sight, else when the others have had their turn."""
        if len(self._values) > SHORT and self.visibleRegion().isEmpty():
            self._later.add(self.rebuild)
        else:
            self.rebuild()

    def rebuild(self) -> None:
        """Breaks all lines anew for the width and font that are now."""
        self._later.drop(self.rebuild)
        self._flow = Flow(QFont(self.font()), self.width())
        self._flow.append(self.answer.pieces[: len(self._values)])
        self.setFixedHeight(self._flow.height + 1)
        self.update()

    def paintEvent(self, event: QEvent) -> None:
        painter = QPainter(self)
        area = event.rect()  # type: ignore[attr-defined]
        height = self._flow.line_height
        first = max(0, area.top() // height)
        last = min(len(self._flow.lines) - 1, area.bottom() // height)
        for index in range(first, last + 1):
            self._paint_line(painter, index)
        painter.end()

    def _paint_line(self, painter: QPainter, index: int) -> None:
        flow, colours, scale = self._flow, theme.current(), self._workspace.scale
        line = flow.shaped(index)
        top = index * flow.line_height
        selection = self._workspace.selection
        chosen = selection if selection and selection.answer is self.answer else None
        for span, (left, right) in zip(line.spans, line.edges, strict=True):
            if flow.home(span.token) > index:
                continue  # only the space that hangs over the end of this line
            value = self._values[span.token]
            weight = scale.weight(value)
            box = QRectF(left, top + 1, right - left, flow.line_height - 3)
            if weight > 0.01 and right > left and not self._plain:
                hue = "positive" if value > 0 else "negative"
                painter.fillRect(box, colours.color(hue, colours.shade * weight))
                thick = round(weight * BAR_STEPS)
                painter.fillRect(
                    QRectF(left + 0.5, top + flow.line_height - 2 - thick, right - left - 1, thick),
                    colours.color(hue),
                )
            if chosen and chosen.start <= span.token <= chosen.stop:
                painter.setPen(QPen(colours.color("selection"), 2 if span.token == chosen.cursor else 1))
                painter.drawRect(
                    box.adjusted(0, 0, 0, 1) if right > left else QRectF(left, top + 1, 2, box.height())
                )
        painter.setPen(colours.color("text"))
        if line.layout is not None:
            line.layout.draw(painter, QPointF(0, top + 2))

    # Hands and eyes.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._plain:
            return
        token = self._flow.token_at(event.position().x(), event.position().y())
        if token is None or event.button() != Qt.MouseButton.LeftButton:
            self._workspace.clear_selection()
            return
        extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._workspace.select(self.answer, token, extend=extend)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        token = self._flow.token_at(event.position().x(), event.position().y())
        if token is not None and not self._plain:
            self._workspace.select(self.answer, token, extend=True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        selection = self._workspace.selection
        cursor = selection.cursor if selection and selection.answer is self.answer else None
        target = self._walk(Qt.Key(event.key()), cursor)
        if target is None or self._plain:
            super().keyPressEvent(event)
            return
        extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._workspace.select(self.answer, target, extend=extend)

    def _walk(self, key: Qt.Key, cursor: int | None) -> int | None:
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            return 0 if cursor is None else max(0, cursor + (1 if key == Qt.Key.Key_Right else -1))
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            return 0 if key == Qt.Key.Key_Home else len(self.answer) - 1
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and cursor is not None:
            home = self._flow.home(cursor)
            line = self._flow.shaped(home)
            x = next(left for span, (left, _) in zip(line.spans, line.edges) if span.token == cursor)
            return self._flow.nearest(home + (1 if key == Qt.Key.Key_Down else -1), x + 1)
        return None

    def copy(self) -> None:
        """The selected tokens' text, or the whole answer, to the clipboard."""
        selection = self._workspace.selection
        text = self.answer.text
        if selection and selection.answer is self.answer and selection.start != selection.stop:
            text = "".join(self.answer.trace.pieces[selection.start : selection.stop + 1])
        QGuiApplication.clipboard().setText(text)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            token = self._flow.token_at(event.pos().x(), event.pos().y())
            if token is None or self._plain:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self.describe(token), self)
            return True
        return super().event(event)

    def describe(self, token: int) -> str:
        """The numbers of one token, for tooltip and screen reader."""
        trace = self.answer.trace
        if trace is None:
            return self.tr("These words were written by a person: nothing was applied to them.")
        row = trace.coefficients[token]
        block = int(abs(row).argmax())
        return self.tr(
            "“{piece}”  token {index}\napplied coefficient {value:.2f} at block {block}\n"
            "logprob {logprob:.2f}, rank {rank}"
        ).format(
            piece=trace.pieces[token],
            index=token,
            value=float(row[block]),
            block=block,
            logprob=float(trace.logprobs[token]),
            rank=int(trace.ranks[token]),
        )

    def _on_selection(self) -> None:
        selection = self._workspace.selection
        if selection and selection.answer is self.answer:
            self.setAccessibleDescription(self.describe(selection.cursor))
        self.update()


def strongest(rows: np.ndarray) -> list[float]:
    """[n, blocks] -> per token the coefficient of largest size, with its sign."""
    if rows.shape[1] == 0:
        return [0.0] * len(rows)
    return [float(row[block]) for row, block in zip(rows, abs(rows).argmax(axis=1), strict=True)]
