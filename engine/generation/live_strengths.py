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

    def set(self, index: int, value: float) -> None:
        """Strength `value` for head `index`, from the next token on."""
        values = list(self._values)
        values[index] = float(value)
        self._values = tuple(values)

    def values(self) -> tuple[float, ...]:
        return self._values
