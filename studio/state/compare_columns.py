"""What the Compare page asks, and of whom: values that are undone and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["none", "prompt", "mixer", "head"]
LEAST, MOST = 2, 4  # columns


@dataclass(frozen=True)
class ColumnChoice:
    """Who speaks: the model as it is, the steering prompt, the whole mixer, or one head (`key` of its row) at
    a strength of its own."""

    kind: Kind
    key: int = 0
    strength: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """blind: the next answers come shuffled and without names."""

    columns: tuple[ColumnChoice, ...] = (ColumnChoice("none"), ColumnChoice("prompt"), ColumnChoice("mixer"))
    blind: bool = False

    def added(self, column: ColumnChoice) -> Comparison:
        return self if len(self.columns) >= MOST else replace(self, columns=(*self.columns, column))

    def without(self, place: int) -> Comparison:
        if len(self.columns) <= LEAST:
            return self
        return replace(self, columns=self.columns[:place] + self.columns[place + 1 :])

    def changed(self, place: int, column: ColumnChoice) -> Comparison:
        return replace(self, columns=(*self.columns[:place], column, *self.columns[place + 1 :]))

    def without_head(self, key: int) -> Comparison:
        """A head that goes leaves its columns unsteered."""
        gone = ("head", key)
        return replace(
            self, columns=tuple(ColumnChoice("none") if (c.kind, c.key) == gone else c for c in self.columns)
        )
