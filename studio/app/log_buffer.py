"""The last log lines of engine and studio, kept as text."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

KEPT = 5000  # lines


GATHER_MS = 100  # lines come together, at most ten times a second


class LogBuffer(QObject):
    """Keeps the last lines as text, whatever thread they come from; no record is kept, which could pin
    tensors through its traceback."""

    grew = Signal()
    _noted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(GATHER_MS)
        self._gather.timeout.connect(self.grew)
        self._noted.connect(self._on_noted, Qt.ConnectionType.QueuedConnection)
        self._handler = _Handler(self.note)
        self._loggers = [logging.getLogger(name) for name in ("engine", "studio")]
        for logger in self._loggers:
            logger.addHandler(self._handler)
            logger.setLevel(logging.DEBUG)

    def note(self, level: int, line: str) -> None:
        """Takes a line from any thread."""
        self.lines.append((level, line))
        self._noted.emit()

    def text(self, level: int = logging.DEBUG, words: str = "") -> str:
        """The lines of at least `level` that contain `words`, whatever their case."""
        wanted = words.lower()
        return "\n".join(line for at, line in list(self.lines) if at >= level and wanted in line.lower())

    def close(self) -> None:
        for logger in self._loggers:
            logger.removeHandler(self._handler)
        self._gather.stop()

    @Slot()
    def _on_noted(self) -> None:
        if not self._gather.isActive():
            self._gather.start()


class _Handler(logging.Handler):
    def __init__(self, note: Callable[[int, str], None]) -> None:
        super().__init__()
        self._note = note
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)-8s %(name)s  %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._note(record.levelno, self.format(record))
