"""Means with their intervals, by resampling groups and the scores within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TIMES = 2000


@dataclass(frozen=True)
class Mean:
    """A mean with its interval.

    Attributes:
        value: over the scores that are there, None without any.
        interval: of 95 %, None for fewer than two scores.
        n: how many scores are there.
        missing: how many are not.
    """

    value: float | None
    interval: tuple[float, float] | None
    n: int
    missing: int

    @classmethod
    def of(cls, groups: Sequence[np.ndarray | Sequence[float]]) -> Mean:
        """The mean of scores in groups that have something in common: a concept, an instruction, a question.

        Args:
            groups: scores, NaN where missing. Groups may differ in size; they are drawn first, then what is
                in them.
        """
        flat = [np.asarray(group, np.float64).reshape(-1) for group in groups]
        values = np.full((len(flat), max(map(len, flat), default=0)), np.nan)
        for row, group in zip(values, flat, strict=True):
            row[: len(group)] = group
        known = values[~np.isnan(values)]
        mean = float(known.mean()) if len(known) else None
        return cls(mean, interval(values), len(known), sum(map(len, flat)) - len(known))


def interval(values: np.ndarray, seed: int = 0, share: float = 0.95) -> tuple[float, float] | None:
    """The percentile bootstrap interval of a mean.

    Questions are drawn with replacement, then seeds within each: answers to one question are not independent.

    Args:
        values: [questions, seeds], NaN where missing.
        seed: of the draws.
        share: that the interval covers.

    Returns:
        Both ends; None for fewer than two values.
    """
    if (~np.isnan(values)).sum() < 2:
        return None
    rng = np.random.default_rng(seed)
    rows, columns = values.shape
    picked = rng.integers(rows, size=(_TIMES, rows, 1)), rng.integers(columns, size=(_TIMES, rows, columns))
    drawn = values[picked].reshape(_TIMES, -1)
    there = ~np.isnan(drawn)
    counts = there.sum(1)
    means = np.where(there, drawn, 0.0).sum(1)[counts > 0] / counts[counts > 0]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
