"""Tables on stdout, and bars: a figure beside what it must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One figure and its limit; `least`: the limit must be reached, else it must not be passed."""

    name: str
    value: float
    limit: float
    least: bool = True
    unit: str = ""

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; floats with three digits."""
    cells = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print(
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))
            )
        )


def print_bars(bars: Sequence[Bar]) -> None:
    rows = [
        (bar.name, f"{bar.value:.3f}{bar.unit}", f"{'>=' if bar.least else '<='} {bar.limit:g}{bar.unit}",
         "ok" if bar.passed else "MISSED")
        for bar in bars
    ]  # fmt: skip
    print_table(("figure", "measured", "bar", ""), rows)


def _text(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
