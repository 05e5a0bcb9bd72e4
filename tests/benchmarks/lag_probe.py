"""How late the GUI thread is: a timer that measures its own ticks."""

from __future__ import annotations

import math
import time

from PySide6.QtCore import QObject, Qt, QTimer, Slot


class LagProbe(QObject):
    """Ticks every `interval_ms` and keeps how many milliseconds late each tick came."""

    def __init__(self, interval_ms: int = 5, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._interval = interval_ms
        self._lateness: list[float] = []
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begins a fresh measurement."""
        self._lateness.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    @property
    def ticks(self) -> int:
        return len(self._lateness)

    @property
    def worst_ms(self) -> float:
        """The longest time the thread was away; 0.0 before the first tick."""
        return max(self._lateness, default=0.0)

    @property
    def p99_ms(self) -> float:
        """The lateness that 99 of 100 ticks do not exceed (nearest rank)."""
        ordered = sorted(self._lateness)
        return ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else 0.0

    @Slot()
    def _tick(self) -> None:
        now = time.perf_counter()
        self._lateness.append(max(0.0, (now - self._last) * 1000 - self._interval))
        self._last = now
