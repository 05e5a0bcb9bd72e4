"""How the lengths of what is added per token are distributed: plain data, for pictures and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PERCENTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
BINS = 40
_SPIKE = 0.5  # a bin with more of the tokens is one of a head that is constant, or closed, on most of them
_ROOM = 1.15  # above the highest bin


@dataclass(frozen=True)
class EffectLengths:
    """The lengths added at one block over the tokens, in activation units.

    Attributes:
        percentiles: at PERCENTILES.
        shares: of the tokens in BINS equal bins from 0 to `end`; the last holds all that is longer.
        end: from the prompt's lengths, so that heads and prompt are in the same bins.
    """

    percentiles: tuple[float, ...]
    shares: tuple[float, ...]
    end: float

    @property
    def middle(self) -> float:
        """The median."""
        return self.percentiles[len(PERCENTILES) // 2]

    @property
    def edges(self) -> tuple[float, ...]:
        """The bins' edges, one more than bins."""
        return tuple(self.end * i / len(self.shares) for i in range(len(self.shares) + 1))

    def over(self, unit: float) -> list[float]:
        """The percentiles in units of another length."""
        return [value / max(unit, 1e-9) for value in self.percentiles]


Spread = Mapping[int, EffectLengths]
"""Per block."""


class MeasuredEffects(Protocol):
    """A method with its effects.

    Attributes:
        effects: what it adds, at the blocks that it steers.
        prompted: what the prompt adds, at every block.
    """

    @property
    def effects(self) -> Spread: ...

    @property
    def prompted(self) -> Spread: ...


def most_varied_block(rows: Sequence[MeasuredEffects]) -> int | None:
    """The block that most methods steer; of several, where the prompt varies most. None without."""
    counts = Counter(block for row in rows for block in row.effects)

    def uneven(block: int) -> float:
        spread = next(row.prompted[block] for row in rows if block in row.effects).percentiles
        return spread[-1] / max(spread[0], 1e-9)

    return max(counts, key=lambda block: (counts[block], uneven(block)), default=None)


def ceiling(shares: Sequence[Sequence[float]]) -> float:
    """The height of a picture of distributions; single high bins run out of it, to show the others.

    Args:
        shares: of each distribution.
    """
    highest = [max(each) for each in shares]
    return _ROOM * max([peak for peak in highest if peak <= _SPIKE] or highest)
