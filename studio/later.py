"""Work of the GUI thread that can wait: one piece at a time, between what the person does."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot


class Later(QObject):
    """Runs what was added in its order, and nothing twice: a piece that waits already keeps its place."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Callable[[], object], None] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._run_one)

    def add(self, piece: Callable[[], object]) -> None:
        self._waiting[piece] = None
        self._timer.start()

    def drop(self, piece: Callable[[], object]) -> None:
        """Its owner goes, or has done it meanwhile."""
        self._waiting.pop(piece, None)

    @Slot()
    def _run_one(self) -> None:
        if self._waiting:
            piece = next(iter(self._waiting))
            del self._waiting[piece]
            piece()
        if not self._waiting:
            self._timer.stop()
