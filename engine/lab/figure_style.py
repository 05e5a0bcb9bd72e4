"""The common look of the Lab's pictures, and how one becomes a file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.errors import LabError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.bootstrap import Mean

FORMATS = (".svg", ".png", ".pdf")

# Okabe and Ito: distinguishable for the colour-blind and in print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800")
_MARKS = "osD^vP*X"
_SIZE = (6.4, 4.2)  # inches
_CAPTION = 19  # letters of a caption in an inch
_PAPER: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,  # TrueType: journals take no Type 3
    "svg.hashsalt": "lab",  # the same figure is the same file
}
GREY = "#777777"  # whatever the methods are held against
NO_FACTS: Mapping[str, object] = MappingProxyType({})


def svg(figure: Figure) -> str:
    """The figure as one <svg> element."""
    text = drawn(figure, ".svg").decode()
    return text[text.index("<svg") :]


def drawn(figure: Figure, suffix: str, facts: Mapping[str, object] = NO_FACTS) -> bytes:
    """The figure as a file's bytes.

    Args:
        figure: the figure.
        suffix: ".svg", ".png" or ".pdf".
        facts: what it was measured with, for a caption and the metadata.
    """
    data = io.BytesIO()
    with _style():
        if facts:
            caption = "; ".join(f"{name}: {value}" for name, value in facts.items())
            lines = wrap(caption, round(_CAPTION * figure.get_figwidth()))
            figure.supxlabel("\n".join(lines), fontsize=6.5, color=GREY, parse_math=False)
        figure.savefig(data, format=suffix[1:], dpi=200, metadata=metadata_of(facts, suffix))
    return data.getvalue()


def save(figure: Figure, path: Path, facts: Mapping[str, object] = NO_FACTS) -> None:
    """Writes a figure as .svg, .png or .pdf, by the path's name.

    Raises:
        LabError: when it cannot be written.
    """
    from engine.atomic_write import write_atomic

    if path.suffix not in FORMATS:
        raise LabError(
            f"{path} was not written", "It is not an image format.", f"Name it {' or '.join(FORMATS)}."
        )
    write_atomic(path, drawn(figure, path.suffix, facts), "picture", LabError)


def metadata_of(facts: Mapping[str, object], suffix: str) -> dict[str, Any]:
    """The metadata as the format takes it; without a date, so that the same picture is the same file."""
    undated: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    name = "Subject" if suffix == ".pdf" else "Description"
    return {**undated, name: json.dumps(facts, ensure_ascii=False)} if facts else undated


def values_or_nan(means: Sequence[Mean]) -> list[float]:
    """The means' values, NaN for those without a score, which is not drawn."""
    return [float("nan") if mean.value is None else mean.value for mean in means]


def error_bars(means: Sequence[Mean]) -> list[list[float]]:
    """The distances to the intervals' ends, down and up, as matplotlib's error bars want them."""
    ends = [(value, mean.interval or (value, value)) for mean, value in zip(means, values_or_nan(means))]
    return [[max(0.0, v - low) for v, (low, _) in ends], [max(0.0, high - v) for v, (_, high) in ends]]


def new_axes(x: str, y: str, title: str) -> tuple[Figure, Any]:
    """A figure with labelled axes."""
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_title(title, loc="left", fontsize=10)
    return figure, axes


def new_panels(count: int, height: float, title: str) -> tuple[Figure, Any]:
    """Panels beside each other with one vertical scale.

    Args:
        count: how many.
        height: in inches.
        title: above all.
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(1.5 * _SIZE[0], height), layout="constrained")
        panels = figure.subplots(1, count, sharey=True)
        figure.suptitle(title, fontsize=10)
    return figure, panels


def color_and_marker(index: int) -> tuple[str, str]:
    """Colour and mark of the method with that number."""
    return _COLOURS[index % len(_COLOURS)], _MARKS[index // len(_COLOURS) % len(_MARKS)]


def add_legend(figure: Figure, axes: Any) -> None:
    """A legend beside the axes, where something is labelled."""
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", fontsize=8)


def _style() -> Any:
    from matplotlib import rc_context

    return rc_context(_PAPER)
