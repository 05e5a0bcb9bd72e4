"""Room on a long page for something that is laid out at once in sight, and in turn elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.later import Later

ROUGH = 160  # pixels; the height of what was never laid out


class Room(QWidget):
    """As high as `content`, as far as that is known.

    A conversation of hundreds of turns would be laid out whole at every step of a resize.
    """

    def __init__(self, content: QWidget, later: Later) -> None:
        super().__init__()
        self._content, self._later = content, later
        self._stale = True
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(ROUGH)
        content.setParent(self)
        content.installEventFilter(self)

    def leave(self) -> None:
        """It goes: nothing of it waits any more."""
        self._later.drop(self._settle)

    def resizeEvent(self, event: object) -> None:
        if self.width() == self._content.width():
            return
        if self.visibleRegion().isEmpty():
            self._stale = True
            self._later.add(self._settle)
        else:
            self._settle()

    def paintEvent(self, event: object) -> None:
        if self._stale:
            self._later.add(self._settle, soon=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest and not self._stale:
            self._settle()
        return super().eventFilter(watched, event)

    def _settle(self) -> bool:
        """Lays the content out for the width that is now."""
        self.leave()
        self._stale = False
        width = self.width()
        height = self._content.heightForWidth(width)
        height = height if height >= 0 else self._content.sizeHint().height()
        self._content.setGeometry(0, 0, width, height)
        self.setFixedHeight(height)
        return False
