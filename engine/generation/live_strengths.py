"""Live strengths: written by the one who moves the sliders, read before every forward."""

from __future__ import annotations

from collections.abc import Iterable


class LiveStrengths:
    """One strength per head of a mix.

    The values are one tuple that is replaced as a whole, so a reader in another thread sees either the old
    set or the new one and nobody waits for anybody. One thread writes.
    """

    def __init__(self, values: Iterable[float]) -> None:
        self._values = tuple(float(value) for value in values)
        self._version = 0

    def set(self, index: int, value: float) -> None:
        """Strength `value` for head `index`, from the next token on."""
        values = list(self._values)
        values[index] = float(value)
        self._values = tuple(values)
        self._version += 1

    def values(self) -> tuple[float, ...]:
        return self._values

    @property
    def version(self) -> int:
        """Grows with every change; cheap to compare."""
        return self._version
