"""Pens for plots, as wide as they say on every screen."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QWidget


def pen(
    on: QWidget, colour: QColor | str, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine
) -> QPen:
    """width: in pixels of the widget `on`; the plots' pens count those of the screen, which may be finer."""
    made: QPen = pg.mkPen(colour, width=width * on.devicePixelRatioF(), style=style)
    return made
