"""A row of controls that takes more lines where one leaves no room for them, as with large text."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QFrame


class WrappingRow(QFrame):
    _whole = False

    def begin_folding(self) -> None:
        """All parts are there."""
        self._whole = True
        self.fold()

    def fold(self) -> None:
        """Lays the parts out for the width that is now; asked whenever the width or the need has changed."""
        raise NotImplementedError

    def least_width(self) -> int:
        """In pixels, of the most lines: else nothing could be made so narrow that there are."""
        raise NotImplementedError

    def minimumSizeHint(self) -> QSize:
        height = super().minimumSizeHint().height()
        return QSize(self.least_width(), height) if self._whole else super().minimumSizeHint()

    def event(self, event: QEvent) -> bool:
        if self._whole and event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self.fold()
        return super().event(event)
