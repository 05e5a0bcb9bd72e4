"""One answer as text: every token shaded and underlined by its applied coefficient, drawn line by line."""

from __future__ import annotations

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

from studio.chat.text_flow import LEAST, TextFlow
from studio.state.conversation import Answer, Selection, came_together
from studio.state.workspace import Workspace
from studio.widgets import theme
from studio.widgets.idle_queue import IdleQueue

AT_ONCE = 500  # tokens in sight that are broken into lines at once: 2 ms; the others take turns
SLICE = 200  # tokens that are broken into lines in one go
ECHO = 0.45  # how much of a frame is seen that stands for a selection in another column


class AnswerView(QWidget):
    """Grows with its answer. Click selects, Shift+click extends, arrow keys walk, Ctrl+C copies."""

    def __init__(
        self,
        workspace: Workspace,
        answer: Answer,
        parent: QWidget | None = None,
        later: IdleQueue | None = None,
    ) -> None:
        """later: shared with the other answers of the page, so that their long ones take turns."""
        super().__init__(parent)
        self._later = later or IdleQueue(self)
        self.answer = answer
        self._workspace = workspace
        self._values: list[float] = []
        self._plain = False
        self._flow = TextFlow(self.font(), self.width())
        self._next: TextFlow | None = None  # for another width or font, until it is whole
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Answer, {0}").format(answer.lane))
        workspace.scales.changed.connect(self.update)
        workspace.selectionChanged.connect(self._on_selection)
        self._set_height()
        self.grow()

    def set_plain(self, plain: bool) -> None:
        """Plain text: no colours, nothing to select; for those who must not know how it was made."""
        if plain != self._plain:
            self._plain = plain
            self.update()

    def grow(self) -> None:
        """Takes in the tokens that came since the last call."""
        start, trace = len(self._values), self.answer.trace
        count = len(self.answer.pieces) if trace is None else len(trace)
        if count == start:
            return
        from studio.state.heatmap_quantities import strongest  # brings numpy: not before the first paint

        self._values += [0.0] if trace is None else strongest(trace.coefficients[start : len(trace)])
        if len(self._values) - self._flow.count > AT_ONCE:
            self._set_height()  # about right: what is below it moves but little later
            self._later.add(self.go_on)
            return
        changed = self._flow.append(self._pieces(self._flow.count, len(self._values)))
        self._set_height()
        self.update(0, changed * self._flow.line_height, self.width(), self._flow.height)

    def go_on(self) -> bool:
        """Breaks some more tokens into lines; True while there is more to do."""
        flow = self._next or self._flow
        if flow.count < len(self._values):
            stop = min(flow.count + SLICE, len(self._values))
            flow.append(self._pieces(flow.count, stop))
        if flow.count < len(self._values):
            if flow is self._flow:
                self.update()
            return True
        self._flow, self._next = flow, None
        self._set_height()
        self.update()
        if not self._fits():
            self._next = TextFlow(QFont(self.font()), self.width())
            return True
        return False

    def _pieces(self, start: int, stop: int) -> list[str]:
        """The text of tokens start..stop; an edited answer is one piece, of which nothing is known."""
        trace = self.answer.trace
        return (self.answer.pieces if trace is None else trace.pieces)[start:stop]

    def leave(self) -> None:
        """The view goes: nothing of it waits any more."""
        self._later.drop(self.go_on)

    def sizeHint(self) -> QSize:
        return QSize(200, self.height())

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

    def token_near(self, y: float) -> int | None:
        """The first token of the line at height y of this widget."""
        index = int(y // self._flow.line_height)
        return self._flow.nearest(min(max(0, index), len(self._flow.lines) - 1), 0)

    def resizeEvent(self, event: object) -> None:
        self._refit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and hasattr(self, "_flow"):
            self._refit()

    def _fits(self) -> bool:
        return self._flow.width == max(LEAST, self.width()) and self._flow.font == self.font()

    def _refit(self) -> None:
        """Breaks the lines anew where width or font are others: at once what is short and in sight."""
        if self._fits():
            self._next = None
            if self._flow.count == len(self._values):
                self.leave()
            return
        if self._next is None:
            self._next = TextFlow(QFont(self.font()), self.width())
        if not self._flow.count:
            self._flow, self._next = self._next, None
            self._set_height()
        if len(self._values) <= AT_ONCE and not self.visibleRegion().isEmpty():
            self.leave()
            while self.go_on():
                pass
        elif self._values:
            self._later.add(self.go_on)

    def _set_height(self) -> None:
        """As high as its lines, and as those will be about that are not yet made."""
        flow = self._flow
        lines = len(flow.lines)
        if flow.count < len(self._values):
            lines += flow.rest(self._pieces(flow.count, len(self._values)))
        self.setFixedHeight(lines * flow.line_height + 1)

    def paintEvent(self, event: QEvent) -> None:
        painter = QPainter(self)
        if self._next is not None or self._flow.count < len(self._values):
            self._later.add(self.go_on, soon=True)
        area = event.rect()  # type: ignore[attr-defined]
        colours = theme.current()
        height = self._flow.line_height
        first = max(0, area.top() // height)
        last = min(len(self._flow.lines) - 1, area.bottom() // height)
        for index in range(first, last + 1):
            self._paint_line(painter, index)
        if self.hasFocus():
            painter.setPen(colours.color("accent"))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _chosen(self) -> Selection | None:
        """The selection, where it is in this answer or in one that is beside it."""
        chosen = self._workspace.selection
        if chosen is None or self._plain:
            return None
        other = chosen.answer
        beside = other.turn is self.answer.turn or came_together(other, self.answer)
        return chosen if beside else None

    def _paint_line(self, painter: QPainter, index: int) -> None:
        flow, colours, scale = self._flow, theme.current(), self._workspace.scales.activation
        line = flow.shaped(index)
        top = index * flow.line_height
        chosen = self._chosen()
        for span, (left, right) in zip(line.spans, line.edges, strict=True):
            if flow.home(span.token) > index:
                continue  # only the space that hangs over the end of this line
            value = self._values[span.token]
            weight = scale.weight(value)
            box = QRectF(left, top + 1, right - left, flow.line_height - 3)
            if weight > 0.01 and right > left and not self._plain:
                hue = "positive" if value > 0 else "negative"
                painter.fillRect(box, colours.color(hue, colours.shade * weight))
                thick = scale.underline(value)
                painter.fillRect(
                    QRectF(left + 0.5, top + flow.line_height - 2 - thick, right - left - 1, thick),
                    colours.color(hue),
                )
                if scale.exceeded_by(value):  # a dark edge: more than the strongest shade can say
                    edge = QRectF(left + 0.5, top + flow.line_height - 4, right - left - 1, 2)
                    painter.fillRect(edge, colours.color("text"))
            mine = chosen is not None and chosen.answer is self.answer
            if chosen and chosen.start <= span.token <= chosen.stop:
                wide = mine and span.token == chosen.cursor
                painter.setPen(QPen(colours.color("selection", 1.0 if mine else ECHO), 2 if wide else 1))
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
            return self.tr("Edited by you – not steered")
        row = trace.coefficients[token]
        block = int(abs(row).argmax())
        return self.tr(
            "“{piece}”, token {index}\nLargest applied coefficient: {value:.2f} (block "
            "{block})\nLogprob {logprob:z.2f}, rank {rank}"
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
