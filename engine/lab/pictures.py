"""The Lab's pictures, as matplotlib figures: for SVG, PNG, PDF and the report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import LabError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.matching import Row

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


def pareto(rows: Sequence[Row], target: float | None) -> Figure:
    """Trait against coherence along the strengths of every method; the matched point with its intervals.
    target: the coherence that was matched, if one was."""
    figure, axes = _axes("coherence", "trait", "Trait against coherence")
    if target is not None:
        axes.axvline(target, color="#888888", linewidth=0.8, linestyle=":")
    for i, row in enumerate(rows):
        colour, mark = _look(i)
        if row.curve:
            axes.plot(
                [p.coherence for p in row.curve], [p.trait for p in row.curve],
                color=colour, linewidth=1, alpha=0.55, marker=".", markersize=4,
            )  # fmt: skip
        _matched(axes, row, colour, mark)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    _legend(figure, axes)
    return figure


def tradeoff(series: Mapping[str, Sequence[tuple[float, float, float]]]) -> Figure:
    """Trait against coherence of a sweep, from (strength, trait, coherence), in order of the strength."""
    figure, axes = _axes("coherence", "trait", "Trait against coherence")
    for i, (name, points) in enumerate(series.items()):
        colour, mark = _look(i)
        x, y = [c for _, _, c in points], [trait for _, trait, _ in points]
        axes.plot(x, y, color=colour, marker=mark, markersize=4, linewidth=1, label=name)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    _legend(figure, axes)
    return figure


def strengths(rows: Sequence[Row]) -> Figure:
    """Trait (solid) and coherence (dashed) over the strength, relative to the matched one."""
    figure, axes = _axes("strength / matched strength", "share", "What strength does")
    for i, row in enumerate(rows):
        if not row.curve or not row.strength:
            continue
        colour, mark = _look(i)
        x = [point.strength / row.strength for point in row.curve]
        axes.plot(x, [p.trait for p in row.curve], color=colour, marker=mark, markersize=3, label=row.method)
        axes.plot(x, [p.coherence for p in row.curve], color=colour, linestyle="--", linewidth=0.9)
    axes.set_xlim(0, 2.05)
    axes.set_ylim(-0.02, 1.05)
    _legend(figure, axes)
    return figure


def curves(series: Mapping[str, Sequence[tuple[float, float, float]]]) -> Figure:
    """Trait (solid) and coherence (dashed) over the strength, from (strength, trait, coherence)."""
    figure, axes = _axes("strength", "share", "Trait (solid) and coherence (dashed)")
    for i, (name, points) in enumerate(series.items()):
        colour, mark = _look(i)
        x = [strength for strength, _, _ in points]
        axes.plot(x, [trait for _, trait, _ in points], color=colour, marker=mark, markersize=4, label=name)
        axes.plot(x, [c for _, _, c in points], color=colour, linestyle="--", linewidth=0.9)
    axes.set_ylim(-0.02, 1.05)
    _legend(figure, axes)
    return figure


def blocks(
    series: Mapping[str, Mapping[int, float]],
    what: str,
    reference: str | None = None,
    order: Sequence[str] = (),
) -> Figure:
    """A value per block for several methods, for instance faithfulness; `reference` is a grey line.

    order: all methods of the comparison, so that each has the look that it has in the other pictures.
    """
    figure, axes = _axes("block", what, f"{what[:1].upper()}{what[1:]} per block")
    for i, (name, values) in enumerate(series.items()):
        colour, mark = _look(order.index(name) if name in order else i)
        look: dict[str, Any] = {"color": colour, "marker": mark, "markersize": 4}
        if name == reference:
            look = {"color": "#777777", "linestyle": "--", "linewidth": 1.6}
        axes.plot(list(values), list(values.values()), label=name, **look)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    _legend(figure, axes)
    return figure


def effects(rows: Sequence[Row]) -> Figure:
    """How much is added per token, block by block: grey, what the prompt adds; beside it what the heads do.

    Medians, with lines (for the prompt a band) from the 10th to the 90th percentile; all in units of the
    prompt's median at that block. A constant adds the same to every token; a prompt does not.
    """
    title = "Effect per token: median, 10th to 90th percentile"
    figure, axes = _axes("block", "added length / the prompt's median", title)
    steering = [(i, row) for i, row in enumerate(rows) if row.effects]
    for _, row in steering[:1]:
        band = np.array([relative(row.prompted, row, block) for block in row.prompted])
        axes.fill_between(list(row.prompted), band[:, 0], band[:, -1], color="#777777", alpha=0.22, lw=0)
        axes.plot(list(row.prompted), band[:, 2], color="#777777", linestyle="--", label="the prompt itself")
    for at, (i, row) in enumerate(steering):
        colour, mark = _look(i)
        values = np.array([relative(row.effects, row, block) for block in row.effects])
        low, middle, high = values[:, 0], values[:, 2], values[:, -1]
        beside = (at - (len(steering) - 1) / 2) * 0.5 / max(len(steering), 4)
        x = np.array(list(row.effects)) + beside
        axes.errorbar(
            x, middle, yerr=[middle - low, high - middle], label=row.method,
            color=colour, marker=mark, markersize=4, linewidth=1, capsize=2, linestyle="none",
        )  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    _legend(figure, axes)
    return figure


def relative(spread: Mapping[int, Sequence[float]], row: Row, block: int) -> list[float]:
    """A block's percentiles in units of the prompt's median there."""
    return [value / max(row.prompted[block][2], 1e-9) for value in spread[block]]


def histogram(series: Mapping[str, np.ndarray], what: str) -> Figure:
    """How values are spread, one outline per name over common bins."""
    figure, axes = _axes(what, "share of tokens", f"Distribution of the {what}")
    series = {name: values[np.isfinite(values)] for name, values in series.items()}
    series = {name: values for name, values in series.items() if len(values)}
    if not series:
        return figure
    together = np.concatenate(list(series.values()))
    low, high = np.quantile(together, [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1e-6), 41)
    for i, (name, values) in enumerate(series.items()):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        colour = _COLOURS[i % len(_COLOURS)]
        axes.stairs(counts / len(values), edges, color=colour, fill=True, alpha=0.25)
        axes.stairs(counts / len(values), edges, color=colour, label=name, linewidth=1.4)
    _legend(figure, axes)
    return figure


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


def _axes(x: str, y: str, title: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_title(title, loc="left", fontsize=10)
    return figure, axes


def _matched(axes: Any, row: Row, colour: str, mark: str) -> None:
    if row.trait is None or row.coherence is None:
        return
    errors = {}
    for name, value, interval in (
        ("yerr", row.trait, row.trait_ci),
        ("xerr", row.coherence, row.coherence_ci),
    ):
        if interval is not None:
            errors[name] = [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]]
    axes.errorbar(
        [row.coherence], [row.trait], **errors,
        color=colour, marker=mark, markersize=7, linewidth=1, capsize=2, linestyle="none", label=row.method,
    )  # fmt: skip


def _look(index: int) -> tuple[str, str]:
    return _COLOURS[index % len(_COLOURS)], _MARKS[index // len(_COLOURS) % len(_MARKS)]


def _legend(figure: Figure, axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside right upper", fontsize=8)


def _style() -> Any:
    from matplotlib import rc_context

    return rc_context(_PAPER)
