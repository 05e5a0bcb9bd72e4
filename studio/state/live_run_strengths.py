"""The strengths of the answers that are being made: they follow the mixer's rows token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class LiveRunStrengths:
    """Writes each row's strength into every running answer that was begun with it.

    Only plain floats pass, and no lock is held over a forward pass: see engine.generation.live_strengths.
    """

    def __init__(self, strength_of: Callable[[int], float]) -> None:
        """strength_of: the strength that the row of a key has right now."""
        self._strength_of = strength_of
        self._runs: list[tuple[tuple[int, ...], Any]] = []

    def begin(self, keys: Iterable[int], strengths: Any) -> None:
        """From now on `strengths`, a LiveStrengths with one value per key, follows these rows."""
        self._runs.append((tuple(keys), strengths))
        self.update()

    def end(self, strengths: Any) -> None:
        """The run is over: its strengths stay as they are."""
        self._runs = [run for run in self._runs if run[1] is not strengths]

    def update(self) -> None:
        """The rows have changed."""
        for keys, strengths in self._runs:
            for index, key in enumerate(keys):
                strengths.set(index, self._strength_of(key))

    def includes(self, key: int) -> bool:
        """Whether the row of this key steers every running answer."""
        return all(key in keys for keys, _ in self._runs)
