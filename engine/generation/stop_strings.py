"""Stop strings in a text that comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopText:
    """Watches a growing text for stop strings.

    Args:
        stops: the stop strings.

    Attributes:
        length: characters so far.
        safe: how many of the first characters no stop string can still cut off.
        cut: where the text must end; None while no stop string was met.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.length = 0
        self.safe = 0
        self.cut: int | None = None
        self._stops = tuple(stops)
        self._overlap = max(map(len, self._stops), default=1) - 1
        self._tail = ""  # the last characters, in which a stop string can have begun

    def push(self, piece: str) -> None:
        """Appends the next piece of text."""
        self.length += len(piece)
        if not self._stops:
            self.safe = self.length
            return
        window = self._tail + piece
        start = self.length - len(window)
        hits = [at for at in (window.find(stop) for stop in self._stops) if at >= 0]
        if hits:
            self.cut = self.safe = start + min(hits)
            return
        self._tail = window[-self._overlap :] if self._overlap else ""
        begun = (n for n in range(len(self._tail), 0, -1) if self._begins(self._tail[-n:]))
        self.safe = self.length - next(begun, 0)

    def _begins(self, text: str) -> bool:
        """Whether a stop string begins with `text`."""
        return any(stop.startswith(text) for stop in self._stops)
