"""What the heatmap can show of every token and block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.scale import Scale
from studio.translation import QT_TR_NOOP

RECENT = 512  # tokens that a scale is read from
WITHIN = 0.995  # share of them that lies within it: a few spikes do not pale the rest

Rows = Callable[[Any, int], np.ndarray]
"""(trace, first token) -> [n, blocks], not a number where it was not measured."""


@dataclass(frozen=True)
class Quantity:
    """title: its name in the list; words: what one number is; shared: on the scale of text and inspector."""

    key: str
    title: str
    words: str
    rows: Rows
    shared: bool = False


def _share(trace: Any, first: int) -> np.ndarray:
    applied = np.asarray(trace.coefficients[first:])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(applied == 0, 0.0, applied / trace.lengths[first:]).astype(np.float32)


# fmt: off
QUANTITIES = (
    Quantity("applied", QT_TR_NOOP("Applied"), QT_TR_NOOP("applied coefficient"),
        lambda trace, first: np.asarray(trace.coefficients[first:]), shared=True),
    Quantity("share", QT_TR_NOOP("Share"),
        QT_TR_NOOP("applied coefficient / length of the activation"), _share),
    Quantity("truth", QT_TR_NOOP("Prompt"), QT_TR_NOOP("what the prompt would have done"),
        lambda trace, first: np.asarray(trace.truth[first:])),
    Quantity("gap", QT_TR_NOOP("Difference"), QT_TR_NOOP("distance from what the prompt would have made"),
        lambda trace, first: np.asarray(trace.gap[first:])),
)
# fmt: on


def widened(scale: Scale, rows: np.ndarray) -> Scale:
    """The scale that holds nearly all of the newest `rows` [n, blocks] as well."""
    newest = rows[-RECENT:]
    known = newest[np.isfinite(newest)]
    if not len(known):
        return scale
    low, high = np.quantile(known, [1 - WITHIN, WITHIN])
    return scale.widened(float(low), float(high))
