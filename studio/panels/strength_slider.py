"""A signed slider for a head's strength: zero in the middle, the suggested range marked."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSlider, QWidget

from studio.state.mixer import SLIDER_LIMIT
from studio.widgets import theme

STEPS = 100  # slider steps per unit of strength
WHEEL_STEP = 5  # one notch of the wheel: 0.05
RESET = 1.0


class StrengthSlider(QSlider):
    """Value = strength * STEPS. Click jumps, drag moves, wheel and arrows step, double click resets to 1."""

    def __init__(self, suggested: tuple[float, float], parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._suggested = suggested
        self._turned = 0.0  # of the wheel, in steps that are not yet made
        self.setRange(int(-SLIDER_LIMIT * STEPS), int(SLIDER_LIMIT * STEPS))
        self.setSingleStep(WHEEL_STEP)
        self.setPageStep(50)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def suggest(self, low_high: tuple[float, float]) -> None:
        """The range to be marked."""
        self._suggested = low_high
        self.update()

    def strength(self) -> float:
        return self.value() / STEPS

    def set_strength(self, strength: float) -> None:
        self.setValue(round(strength * STEPS))

    def sizeHint(self) -> QSize:
        return QSize(160, theme.lines(1.6))

    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.sizeHint().height())

    def _edge(self) -> int:
        """Room for half a handle at both ends."""
        return theme.lines(0.5) + 1

    def _x(self, strength: float) -> float:
        span = self.width() - 2 * self._edge()
        return self._edge() + span * (strength + SLIDER_LIMIT) / (2 * SLIDER_LIMIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = self.height() / 2
        left, right = self._x(-SLIDER_LIMIT), self._x(SLIDER_LIMIT)
        painter.setBrush(colours.color("line"))
        painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
        low, high = (self._x(max(-SLIDER_LIMIT, min(SLIDER_LIMIT, s))) for s in self._suggested)
        painter.setBrush(colours.color("muted", 0.55))
        painter.drawRect(QRectF(low, middle + 6, high - low, 2))
        for tick in range(-int(SLIDER_LIMIT), int(SLIDER_LIMIT) + 1):
            tall = 5 if tick == 0 else 2
            painter.drawRect(QRectF(self._x(tick) - 0.5, middle - 4 - tall, 1, tall))
        zero, here = self._x(0), self._x(self.strength())
        painter.setBrush(colours.color("accent" if self.isEnabled() else "muted"))
        painter.drawRect(QRectF(min(zero, here), middle - 2, abs(here - zero), 4))
        painter.setPen(QPen(colours.color("surface"), 2))
        handle = QRectF(0, 0, 2 * self._edge() - 2, 2 * self._edge() - 2)
        handle.moveCenter(QPointF(here, middle))
        painter.drawEllipse(handle)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.color("text"), 1))
            painter.drawEllipse(handle.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._jump(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._jump(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self.set_strength(RESET)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._turned += event.angleDelta().y() * WHEEL_STEP / 120  # a touchpad turns by less than a step
        steps = int(self._turned)
        self._turned -= steps
        self.setValue(self.value() + steps)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_0:
            self.set_strength(0.0)
        elif event.key() == Qt.Key.Key_1:
            self.set_strength(RESET)
        else:
            super().keyPressEvent(event)

    def _jump(self, x: float) -> None:
        span = self.width() - 2 * self._edge()
        strength = (x - self._edge()) / span * 2 * SLIDER_LIMIT - SLIDER_LIMIT
        nearest = round(strength)
        if abs(strength - nearest) * span / (2 * SLIDER_LIMIT) < 3:  # whole numbers catch within 3 pixels
            strength = nearest
        self.set_strength(strength)
