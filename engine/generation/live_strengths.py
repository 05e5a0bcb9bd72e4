"""Live strengths: written by whoever moves the sliders, read before every forward pass."""

from __future__ import annotations

from collections.abc import Iterable


class LiveStrengths:
    """One strength per head of a lane, that can change while the lane is answered.

    The values are one tuple that is replaced as a whole, so a reader in another thread needs no lock: it sees
    the old set or the new one. Only one thread may write.

    Args:
        values: the first strengths.
    """

    def __init__(self, values: Iterable[float]) -> None:
        self._values = tuple(float(value) for value in values)

    def set(self, index: int, value: float) -> None:
        """Gives head `index` the strength `value` from the next token on."""
        values = list(self._values)
        values[index] = float(value)
        self._values = tuple(values)

    def values(self) -> tuple[float, ...]:
        """The strengths now, one per head."""
        return self._values
