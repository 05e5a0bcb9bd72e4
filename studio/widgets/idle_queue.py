"""Work of the GUI thread that can wait: a few milliseconds of it at a time, between what the person does."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

BUDGET_S = 0.006  # a frame has 16 ms, and what the person does comes first
Piece = Callable[[], bool]  # does a little, True while there is more to do


class IdleQueue(QObject):
    """Runs what was added in its order, each piece to its end; one that waits already is not added twice."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: OrderedDict[Piece, None] = OrderedDict()
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._run)

    def add(self, piece: Piece, *, soon: bool = False) -> None:
        """soon: before everything else that waits."""
        self._waiting[piece] = None
        if soon:
            self._waiting.move_to_end(piece, last=False)
        self._timer.start()

    @property
    def busy(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def drop(self, piece: Piece) -> None:
        """Its owner goes, or has done it meanwhile."""
        self._waiting.pop(piece, None)

    @Slot()
    def _run(self) -> None:
        end = time.perf_counter() + BUDGET_S
        while self._waiting and time.perf_counter() < end:
            piece = next(iter(self._waiting))
            del self._waiting[piece]  # first: one that fails is not tried again
            if piece():
                self.add(piece, soon=True)
        if not self._waiting:
            self._timer.stop()
