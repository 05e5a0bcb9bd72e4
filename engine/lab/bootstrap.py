"""Confidence intervals by resampling questions, and seeds within them."""

from __future__ import annotations

import numpy as np

_TIMES = 2000


def interval(values: np.ndarray, seed: int = 0, share: float = 0.95) -> tuple[float, float] | None:
    """The percentile bootstrap interval of the mean of `values` [questions, seeds].

    Questions are drawn with replacement, then seeds within each: answers to one question are not
    independent. NaN are missing scores and left out. None when all are missing.
    """
    if np.isnan(values).all():
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
