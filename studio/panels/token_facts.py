"""The figures of a token with their names, two beside each other where there is room."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.widgets.label import ElidedLabel, plain_label
from studio.widgets.tooltips import explained
from studio.widgets.wrapping_row import WrappingRow

GAP = 8  # pixels
# What there is always room for, so that nothing moves from token to token.
SAMPLES = {"token": "999–999", "id": "999999", "logprob": "-99.999", "rank": "999999", "strength": "0"}


class TokenFacts(WrappingRow):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = {
            "token": self.tr("token"),
            "id": self.tr("id"),
            "logprob": self.tr("logprob"),
            "rank": self.tr("rank"),
            "strength": self.tr("strength"),
        }
        self._names = {key: plain_label(name, "muted") for key, name in words.items()}
        self._values = {key: ElidedLabel() for key in words}
        tips = {
            "token": self.tr("Position in the answer, from 0"),
            "id": self.tr("Token id in the model's vocabulary"),
            "logprob": self.tr("Log-probability of this token when it was chosen, in nats (0 = certain)"),
            "rank": self.tr("Rank of this token among all tokens (1 = most likely)"),
            "strength": explained("strength"),
        }
        for key, tip in tips.items():
            self._names[key].setToolTip(tip)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(4)
        self._in_pairs: bool | None = None
        self.begin_folding()

    def say(self, key: str, figure: str) -> None:
        self._values[key].setText(figure or "—")

    def least_width(self) -> int:
        return self._width(SAMPLES)

    def _width(self, keys: Iterable[str]) -> int:
        """Of the widest of these figures and the widest name."""
        figures = QFontMetrics(self.font())
        names = max(self._names[key].sizeHint().width() for key in keys)
        return names + GAP + max(figures.horizontalAdvance(SAMPLES[key]) for key in keys)

    def fold(self) -> None:
        """One below the other where two beside each other have no room."""
        need = self._width(("token", "logprob", "strength")) + GAP + self._width(("id", "rank"))
        in_pairs = self.width() >= need
        if in_pairs == self._in_pairs:
            return
        self._in_pairs = in_pairs
        for place, key in enumerate(self._names):
            row, column = (place // 2, 2 * (place % 2)) if in_pairs else (place, 0)
            wide = key == "strength" or not in_pairs
            self._grid.addWidget(self._names[key], row, column)
            self._grid.addWidget(self._values[key], row, column + 1, 1, 3 if wide else 1)
        self._grid.setColumnStretch(1, 3)
        self._grid.setColumnStretch(3, 2 if in_pairs else 0)
