"""What the heatmap can show of every token and block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.state.color_scale import ACTIVATION, FIRST, SHARE, ColorScale
from studio.state.conversation import Answer
from studio.widgets.translation import QT_TR_NOOP

if TYPE_CHECKING:
    import numpy as np  # not before the first paint

RECENT = 512  # tokens of a growing answer that a scale is read from
BEYOND = 0.005  # share of them, and one in any case, that may lie beyond it: spikes do not pale the rest

Rows = Callable[[Any, int], np.ndarray]
"""(trace, first token) -> [n, blocks], not a number where it was not measured."""


@dataclass(frozen=True)
class Quantity:
    """title: its name in the list; words: what one number is; unit: all quantities of one unit are on one
    scale, so that the same number has the same colour."""

    key: str
    title: str
    words: str
    unit: str
    rows: Rows


def _share(trace: Any, first: int) -> np.ndarray:
    applied = np.asarray(trace.coefficients[first:])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(applied == 0, 0.0, applied / trace.lengths[first:]).astype(np.float32)


# fmt: off
QUANTITIES = (
    Quantity("applied", QT_TR_NOOP("Applied"), QT_TR_NOOP("applied coefficient"), ACTIVATION,
        lambda trace, first: np.asarray(trace.coefficients[first:])),
    Quantity("share", QT_TR_NOOP("Relative"), QT_TR_NOOP("applied coefficient / activation norm"),
        SHARE, _share),
    Quantity("truth", QT_TR_NOOP("Prompt's effect"), QT_TR_NOOP("effect of the prompt itself"), ACTIVATION,
        lambda trace, first: np.asarray(trace.prompt_effect[first:])),
    Quantity("gap", QT_TR_NOOP("Distance to prompt"), QT_TR_NOOP("distance from the prompted activation"),
        ACTIVATION,
        lambda trace, first: np.asarray(trace.distance_to_prompt[first:])),
)
# fmt: on


def scales_of(answer: Answer) -> Mapping[str, ColorScale]:
    """The scales that hold an answer that is over; found out once."""
    if answer.scales is None:
        answer.scales = holding(FIRST, answer.trace)
    return answer.scales


def holding(scales: Mapping[str, ColorScale], trace: Any, first: int = 0) -> dict[str, ColorScale]:
    """The scales that hold nearly all of the trace as well. first: the first token that is new to them."""
    held = dict(scales)
    for quantity in QUANTITIES:
        scale = held[quantity.unit]
        low, high = beyond(scale, quantity.rows(trace, first))
        if low or high:
            newest = quantity.rows(trace, max(0, len(trace) - RECENT) if first else 0)
            held[quantity.unit] = _widened(scale, newest)
    return held


def beyond(scale: ColorScale, rows: np.ndarray) -> tuple[int, int]:
    """How many of the numbers lie below the scale's low end, and how many above its high one."""
    low, high = scale.levels
    ease = 0.01 * scale.limit if not scale.signed else 0.0  # so little below zero is no other colour
    return int(np.count_nonzero(rows < low - ease)), int(np.count_nonzero(rows > high))


def _widened(scale: ColorScale, rows: np.ndarray) -> ColorScale:
    """What is zero was not steered, and has no say."""
    known = rows[np.isfinite(rows) & (rows != 0)]
    if not len(known):
        return scale
    spikes = min(len(known) - 1, max(1, round(BEYOND * len(known))))
    sizes = np.partition(np.abs(known), -1 - spikes)
    return scale.widened(float(sizes[-1 - spikes]), float(known.min()))


def strongest(rows: np.ndarray) -> list[float]:
    """[n, blocks] -> per token the coefficient of largest size, with its sign."""
    if rows.shape[1] == 0:
        return [0.0] * len(rows)
    return [float(row[block]) for row, block in zip(rows, abs(rows).argmax(axis=1), strict=True)]
