"""By how much one method's trait is above another's, answer by answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from engine.lab.bootstrap import Mean


@dataclass(frozen=True)
class Difference:
    """The paired difference of two methods.

    Their own intervals say little about it: they answer the same questions, and hard ones are hard for both.
    Where trait_ci holds 0, neither was shown to be above the other.

    Attributes:
        method: one method.
        other: another.
        trait: the mean of the first less the second.
        trait_ci: its 95 % interval.
        n: answers that both have a score for.
        missing: the others.
    """

    method: str
    other: str
    trait: float | None
    trait_ci: tuple[float, float] | None
    n: int
    missing: int


class ComparedMethod(Protocol):
    """A method to compare.

    Attributes:
        method: its name.
        traits: per question and seed, None where the judge gave no score.
    """

    @property
    def method(self) -> str: ...

    @property
    def traits(self) -> tuple[tuple[float | None, ...], ...]: ...


def differences(rows: Sequence[ComparedMethod]) -> list[Difference]:
    """Every method against all before it."""
    found = []
    for other, one in combinations(rows, 2):
        apart = Mean.of(list(_array(one) - _array(other)))
        found.append(
            Difference(one.method, other.method, apart.value, apart.interval, apart.n, apart.missing)
        )
    return found


def _array(row: ComparedMethod) -> np.ndarray:
    return np.array([[np.nan if v is None else v for v in each] for each in row.traits], np.float64)
