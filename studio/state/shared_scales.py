"""The color scales that every view of coefficients shares, one per unit."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from studio.state.color_scale import ACTIVATION, FIRST, ColorScale
from studio.state.conversation import Answer


class SharedScales(QObject):
    """They only grow while answers come, so that colors rarely change; `reset` begins anew."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.by_unit: Mapping[str, ColorScale] = FIRST

    @property
    def activation(self) -> ColorScale:
        """The scale of applied coefficients, and of all that is measured in the same unit."""
        return self.by_unit[ACTIVATION]

    def include(self, answer: Answer, first: int = 0) -> None:
        """Widens the scales to hold the answer's tokens from `first` on as well."""
        if not len(answer):
            return
        from studio.state.heatmap_quantities import (  # bring numpy: not before the first paint
            holding,
            scales_of,
        )

        if answer.over:
            own = scales_of(answer)
            self._set({unit: scale.joined(own[unit]) for unit, scale in self.by_unit.items()})
        else:
            self._set(holding(self.by_unit, answer.trace, first))

    def reset(self) -> None:
        self._set(FIRST)

    def _set(self, by_unit: Mapping[str, ColorScale]) -> None:
        if by_unit != self.by_unit:
            self.by_unit = by_unit
            self.changed.emit()
