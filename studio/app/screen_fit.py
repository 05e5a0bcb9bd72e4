"""A window within its screen: all of it can be seen and reached, the frame included."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize
from PySide6.QtWidgets import QStyle, QWidget

BORDER = 4  # pixels of a frame's side, about; what it is, is known once the window is shown


def first_size(window: QWidget, wanted: QSize) -> QSize:
    """`wanted`, or less where the screen leaves less beside a frame of the usual size."""
    title = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight, None, window)
    return wanted.boundedTo(window.screen().availableSize() - QSize(2 * BORDER, title + 2 * BORDER))


def keep_on_screen(window: QWidget) -> None:
    """Makes a shown window smaller, and moves it, where its frame leaves the screen's free area."""
    if window.isMaximized() or window.isFullScreen():
        return
    free, frame = window.screen().availableGeometry(), window.frameGeometry()
    around = frame.size() - window.size()
    if frame.size().boundedTo(free.size()) != frame.size():
        window.resize(window.size().boundedTo(free.size() - around))
        frame = window.frameGeometry()
    corner = free.bottomRight() - QPoint(frame.width() - 1, frame.height() - 1)
    x = max(free.left(), min(frame.x(), corner.x()))
    y = max(free.top(), min(frame.y(), corner.y()))
    if frame.topLeft() != QPoint(x, y):
        window.move(x, y)
