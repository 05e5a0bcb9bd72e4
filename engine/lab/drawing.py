"""How every picture of the Lab looks, and how one becomes a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import LabError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.bootstrap import Mean

FORMATS = (".svg", ".png", ".pdf")

# Okabe and Ito: told apart by the colour-blind and in print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800")
_MARKS = "osD^vP*X"
_SIZE = (6.4, 4.2)  # inches
_PAPER: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "lab",  # the same figure is the same file
}
GREY = "#777777"  # whatever the methods are held against


def svg(figure: Figure) -> str:
    """The figure as one <svg> element."""
    text = io.StringIO()
    with _style():
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def save(figure: Figure, path: Path) -> None:
    """Writes an .svg, .png or .pdf. Raises LabError when it cannot be written."""
    from engine.durable import write_whole

    if path.suffix not in FORMATS:
        raise LabError(f"{path} was not written", "It is no picture.", f"Name it {' or '.join(FORMATS)}.")
    data = io.BytesIO()
    # Without dates the same figure is the same file.
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    with _style():
        figure.savefig(data, format=path.suffix[1:], dpi=200, metadata=undated)
    write_whole(path, data.getvalue(), "picture", LabError)


def values_of(means: Sequence[Mean]) -> list[float]:
    """NaN, which is not drawn, for those without a score."""
    return [float("nan") if mean.value is None else mean.value for mean in means]


def errors_of(means: Sequence[Mean]) -> list[list[float]]:
    """How far the intervals reach down and up, as matplotlib's error bars want it."""
    ends = [(value, mean.interval or (value, value)) for mean, value in zip(means, values_of(means))]
    return [[max(0.0, v - low) for v, (low, _) in ends], [max(0.0, high - v) for v, (_, high) in ends]]


def new_axes(x: str, y: str, title: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_title(title, loc="left", fontsize=10)
    return figure, axes


def new_panels(count: int, height: float, title: str) -> tuple[Figure, Any]:
    """Beside each other, over one scale from top to bottom. height: in inches."""
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(1.5 * _SIZE[0], height), layout="constrained")
        panels = figure.subplots(1, count, sharey=True)
        figure.suptitle(title, fontsize=10)
    return figure, panels


def look_of(index: int) -> tuple[str, str]:
    return _COLOURS[index % len(_COLOURS)], _MARKS[index // len(_COLOURS) % len(_MARKS)]


def add_legend(figure: Figure, axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", fontsize=8)


def _style() -> Any:
    from matplotlib import rc_context

    return rc_context(_PAPER)
