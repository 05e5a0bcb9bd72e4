"""Which results belong to one method, and how a method is told from the others: by a number and a colour."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from studio.lab.lab_jobs import LabResult

# Okabe and Ito's, without those that vanish on white or black.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def group(results: Sequence[LabResult]) -> list[tuple[str, list[LabResult]]]:
    """By the method's words, in the order that they came."""
    found: dict[str, list[LabResult]] = {}
    for result in results:
        found.setdefault(result.place.words, []).append(result)
    return list(found.items())


def color_of(number: int) -> str:
    return COLORS[number % len(COLORS)]


def icon_of(number: int) -> QIcon:
    picture = QPixmap(12, 12)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color_of(number)))
    painter.drawEllipse(QRectF(1, 1, 10, 10))
    painter.end()
    return QIcon(picture)
