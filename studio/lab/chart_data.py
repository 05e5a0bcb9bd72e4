"""What the Lab page's pictures are made of, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.lab.lab_jobs import LabRequest, LabResult, ResultPlace

SMALL, MIDDLE, LARGE = 7, 10, 13  # pixels


@dataclass(frozen=True)
class ChartPoint:
    """A point; a click on it opens the answers at `place`. low, high: the ends of a bar through it."""

    x: float
    y: float
    place: ResultPlace
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ChartSeries:
    """Points of one method (`number` gives its colour), joined by a line or not. told: what y is."""

    number: int
    marks: tuple[ChartPoint, ...]
    told: str
    size: int = SMALL
    filled: bool = False
    joined: bool = True
    dashed: bool = False
    named: bool = False  # its number stands beside one of its points
    words: str = ""  # instead of the number
    outline: bool = False  # the line alone, without its points


@dataclass(frozen=True)
class Chart:
    """x, y: what the axes say; reference: a grey dashed line; band: x, lower and upper end of a grey area;
    across, up: single horizontal and vertical lines; blocks: x counts blocks; caption: what is to be seen;
    empty: what to say instead while there is nothing."""

    x: str
    y: str
    series: tuple[ChartSeries, ...] = ()
    reference: tuple[tuple[float, float], ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    across: float | None = None
    up: float | None = None
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    blocks: bool = False
    caption: str = ""
    empty: str = ""


@dataclass(frozen=True)
class ChartInput:
    """What there is to draw by now. block: for a picture of a single one, None for where there is most to
    see."""

    request: LabRequest
    results: Sequence[LabResult]
    block: int | None = None


Draw = Callable[[ChartInput], Chart]
