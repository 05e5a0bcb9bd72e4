"""The scales that text, heatmap, inspector and compared columns share: one for each unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studio.widgets.translation import QT_TR_NOOP

ACTIVATION = QT_TR_NOOP("activation units")
SHARE = QT_TR_NOOP("× norm")

UNDERLINE = 4  # pixels of the line under a token at the limit of the scale
STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class ColorScale:
    """Numbers from -limit (or 0 when none is negative) to limit."""

    limit: float = 1.0
    signed: bool = False

    def weight(self, value: float) -> float:
        """|value| as a share of the limit, in [0, 1]."""
        return min(1.0, abs(value) / self.limit)

    def underline(self, value: float) -> int:
        """How thick the line under a token is, in pixels: the same as its shade, for who sees no colours."""
        return round(self.weight(value) * UNDERLINE)

    def exceeded_by(self, value: float) -> bool:
        """Whether the value lies beyond the scale: it is drawn as the end, and marked."""
        return abs(value) > self.limit

    @property
    def levels(self) -> tuple[float, float]:
        return (-self.limit if self.signed else 0.0, self.limit)

    def joined(self, other: ColorScale) -> ColorScale:
        """The scale that holds what either holds."""
        return ColorScale(max(self.limit, other.limit), self.signed or other.signed)

    def widened(self, size: float, lowest: float) -> ColorScale:
        """The scale that also holds values of this size, of which `lowest` is the lowest; it only grows, in
        round steps, so colours rarely move."""
        limit = max(self.limit, round_up(size))
        return ColorScale(limit, self.signed or lowest < -0.01 * limit)


FIRST = {ACTIVATION: ColorScale(1.0), SHARE: ColorScale(0.01)}  # before anything is known


def round_up(value: float) -> float:
    """The next number of the form step * 10^n at or above `value`; 0 for 0."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*STEPS, 20.0) if step * power >= value * (1 - 1e-9))
