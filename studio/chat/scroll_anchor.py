"""What one reads stays where it is, while the text above it is broken into other lines."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QObject, QPoint, QRect, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from studio.chat.answer_view import AnswerView

STEP = 8  # pixels; between the rows there is nothing to hold on to


class AnchorRows(QVBoxLayout):
    """A column that tells when everything in it has been put into its place."""

    placed = Signal()

    def setGeometry(self, place: QRect) -> None:
        super().setGeometry(place)
        self.placed.emit()


class ScrollAnchor(QObject):
    """Remembers what stands at the top of a scrolled page, and scrolls after it when it moves."""

    def __init__(self, area: QScrollArea, page: QWidget, rows: AnchorRows) -> None:
        super().__init__(area)
        self._area, self._page = area, page
        self._held: tuple[QWidget, int | None, int] | None = None  # widget, its token, pixels from the top
        self._scrolling = False
        rows.placed.connect(self._follow)

    def drop(self) -> None:
        """Holds on to what stands at the top now."""
        if self._scrolling:
            return
        self._held = None
        page, top = self._page, self._area.verticalScrollBar().value()
        for y in range(top, top + self._area.viewport().height(), STEP):
            found = page.childAt(QPoint(page.width() // 2, y))
            if found is not None:
                token = None
                if isinstance(found, AnswerView):
                    token = found.token_near(found.mapFrom(page, QPoint(0, y)).y())
                self._held = found, token, self._height_of(found, token) - top
                return

    def lift(self) -> None:
        """Holds on to nothing."""
        if not self._scrolling:
            self._held = None

    def _follow(self) -> None:
        if self._held is None:
            return
        widget, token, below = self._held
        if not shiboken6.isValid(widget):  # its turn was taken back
            self._held = None
            return
        self._scrolling = True
        self._area.verticalScrollBar().setValue(self._height_of(widget, token) - below)
        self._scrolling = False

    def _height_of(self, widget: QWidget, token: int | None) -> int:
        """Where it stands on the page."""
        line = widget.line_of(token).top() if token is not None and isinstance(widget, AnswerView) else 0
        return widget.mapTo(self._page, QPoint(0, int(line))).y()
