"""The mouse wheel scrolls a panel; it turns a control only once that has the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QWidget


def turn_when_focused(*controls: QWidget) -> None:
    """Each of `controls` (choices, number boxes, sliders) leaves the wheel to what it lies in until it is
    clicked or reached by Tab: who scrolls past it changes nothing."""
    for control in controls:
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel itself gives no focus
        control.installEventFilter(_Unfocused(control))


class _Unfocused(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget) or watched.hasFocus():
            return False
        event.ignore()  # so that it goes on to the parent
        return True
