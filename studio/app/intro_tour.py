"""The first minute in four bubbles: each points at a part of the window; nothing is blocked meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.widgets import theme

WIDTH = 320
GAP = 12  # between the bubble and what it points at


@dataclass(frozen=True)
class Step:
    """target: what the bubble points at; it is brought into sight first, where that is needed."""

    target: Callable[[], QWidget]
    title: str
    text: str


class IntroTour(QObject):
    """Walks through `steps` over `window`; `ended` comes after the last one, or when it is skipped."""

    begun = Signal()
    ended = Signal()

    def __init__(self, steps: Sequence[Step], window: QWidget, free: Callable[[], QWidget]) -> None:
        """free: what no bubble covers, but the one that points at it."""
        super().__init__(window)
        self._steps, self._window, self._free = list(steps), window, free
        self._at = -1
        self.halo: _Halo | None = None
        self.bubble: _Bubble | None = None

    @property
    def running(self) -> bool:
        return self.bubble is not None

    @Slot()
    def start(self) -> None:
        """From the first step, whether it was seen before or not; while it runs, the next step, so that the
        same key leads through it."""
        if self.bubble is None:
            self.halo, self.bubble = _Halo(self._window), _Bubble(self._window)
            self.bubble.next.clicked.connect(self.forward)
            self.bubble.skip.clicked.connect(self.end)
            self._window.installEventFilter(self)
            self._at = -1
        self.forward()
        self.begun.emit()

    @Slot()
    def forward(self) -> None:
        self._at += 1
        if self._at >= len(self._steps):
            self.end()
        elif self.bubble is not None:
            self.bubble.show_step(self._steps[self._at], self._at + 1, len(self._steps))
            self._place()

    @Slot(bool)
    def on_talking(self, talking: bool) -> None:
        """A question was asked: the first step is done."""
        if talking and self.running and self._at == 0:
            self.forward()

    @Slot()
    def end(self) -> None:
        if self.bubble is not None and self.halo is not None:
            self._window.removeEventFilter(self)
            for part in (self.bubble, self.halo):
                part.hide()
                part.deleteLater()
            self.bubble = self.halo = None
            self.ended.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest, QEvent.Type.StyleChange):
            self._place()
        return False

    def _place(self) -> None:
        if self.bubble is None or self.halo is None or not 0 <= self._at < len(self._steps):
            return
        target = self._steps[self._at].target()
        spot = QRect(target.mapTo(self._window, QPoint(0, 0)), target.size())
        self.halo.setGeometry(self._window.rect())
        self.halo.point_at(spot)
        self.bubble.adjustSize()
        place = QRect(QPoint(), self.bubble.size())
        place.moveTopLeft(beside(spot, place.width(), place.height(), self._window.rect()))
        free = self._free()
        free_at = QRect(free.mapTo(self._window, QPoint(0, 0)), free.size())
        if free is not target and free.isVisible() and place.intersects(free_at):
            place.moveBottom(free_at.top() - GAP)
        self.bubble.move(place.topLeft())
        for part in (self.halo, self.bubble):
            part.show()
            part.raise_()


def beside(spot: QRect, width: int, height: int, room: QRect) -> QPoint:
    """Where a bubble of that size stands next to `spot`: right, left, above or below, all of it in `room`."""
    if spot.right() + GAP + width <= room.right():
        x, y = spot.right() + GAP, spot.center().y() - height // 2
    elif spot.left() - GAP - width >= room.left():
        x, y = spot.left() - GAP - width, spot.center().y() - height // 2
    elif spot.top() - GAP - height >= room.top():
        x, y = spot.center().x() - width // 2, spot.top() - GAP - height
    else:
        x, y = spot.center().x() - width // 2, spot.bottom() + GAP
    x = max(room.left() + GAP, min(x, room.right() - GAP - width))
    y = max(room.top() + GAP, min(y, room.bottom() - GAP - height))
    return QPoint(x, y)


class _Halo(QWidget):
    """A frame around what is meant; the mouse goes through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._spot = QRect()

    def point_at(self, spot: QRect) -> None:
        self._spot = spot.adjusted(-3, -3, 3, 3)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.current().color("accent"), 3))
        painter.drawRoundedRect(self._spot, 6, 6)
        painter.end()


class _Bubble(QFrame):
    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setProperty("role", "bubble")
        self.setFixedWidth(WIDTH)
        self.title, self.text, self.count = QLabel(), QLabel(), QLabel()
        self.title.setProperty("role", "strong")
        self.text.setWordWrap(True)
        self.count.setProperty("role", "muted")
        self.skip = QPushButton(self.tr("Skip"))
        self.skip.setAccessibleName(self.tr("Skip the tour"))
        self.skip.setToolTip(self.tr("Show it again with Help > Show the tour"))
        self.next = QPushButton()
        self.next.setProperty("role", "primary")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.count, 1)
        row.addWidget(self.skip)
        row.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.text)
        layout.addLayout(row)

    def show_step(self, step: Step, number: int, total: int) -> None:
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.count.setText(self.tr("{0} of {1}  ·  F1").format(number, total))
        last = number == total
        self.next.setText(self.tr("Done") if last else self.tr("Next"))
        self.next.setToolTip(self.tr("F1 also works; Esc ends the tour"))
        self.next.setAccessibleName(self.tr("End the tour") if last else self.tr("Next step of the tour"))
        self.skip.setVisible(not last)
        self.setAccessibleName(f"{step.title}. {step.text}")
        room = self.text.heightForWidth(WIDTH - 34)
        self.text.setFixedHeight(room)
