"""Pictures of methods, strengths and blocks, as matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.lab.bootstrap import Mean
from engine.lab.figure_style import GREY, add_legend, color_and_marker, error_bars, new_axes, values_or_nan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.matching import MatchRow
    from engine.lab.seed_pooling import StrengthResult


def pareto(rows: Sequence[MatchRow], target: float | None) -> Figure:
    """Trait against coherence along the strengths of every method; the matched point with its intervals.

    Args:
        rows: the methods.
        target: the coherence that was matched, None where none was.
    """
    figure, axes = new_axes("coherence", "trait", "Trait against coherence")
    if target is not None:
        axes.axvline(target, color="#888888", linewidth=0.8, linestyle=":")
    for i, row in enumerate(rows):
        colour, mark = color_and_marker(i)
        if row.curve:
            axes.plot(
                [p.coherence for p in row.curve], [p.trait for p in row.curve],
                color=colour, linewidth=1, alpha=0.55, marker=".", markersize=4,
            )  # fmt: skip
        _matched(axes, row, colour, mark)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def tradeoff(series: Mapping[str, Sequence[StrengthResult]]) -> Figure:
    """Trait against coherence of a sweep, along the strengths, with the intervals of both."""
    figure, axes = new_axes("coherence", "trait", "Trait against coherence")
    for i, (name, points) in enumerate(series.items()):
        colour, mark = color_and_marker(i)
        x, y = [result.coherence for result in points], [result.trait for result in points]
        axes.errorbar(
            values_or_nan(x), values_or_nan(y), xerr=error_bars(x), yerr=error_bars(y),
            color=colour, marker=mark, markersize=4, linewidth=1, elinewidth=0.6, label=name,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def strengths(rows: Sequence[MatchRow]) -> Figure:
    """Trait (solid) and coherence (dashed) over the strength, relative to the matched one."""
    figure, axes = new_axes("strength / matched strength", "share", "What strength does")
    for i, row in enumerate(rows):
        if not row.curve or not row.strength:
            continue
        colour, mark = color_and_marker(i)
        x = [point.strength / row.strength for point in row.curve]
        axes.plot(x, [p.trait for p in row.curve], color=colour, marker=mark, markersize=3, label=row.method)
        axes.plot(x, [p.coherence for p in row.curve], color=colour, linestyle="--", linewidth=0.9)
    axes.set_xlim(0, 2.05)
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def curves(series: Mapping[str, Sequence[StrengthResult]]) -> Figure:
    """Trait (solid) and coherence (dashed) over the strength, with their intervals."""
    figure, axes = new_axes("strength", "share", "Trait (solid) and coherence (dashed)")
    for i, (name, points) in enumerate(series.items()):
        colour, mark = color_and_marker(i)
        x = [result.strength for result in points]
        trait, coherence = [result.trait for result in points], [result.coherence for result in points]
        axes.errorbar(
            x, values_or_nan(trait), yerr=error_bars(trait),
            color=colour, marker=mark, markersize=4, elinewidth=0.8, label=name,
        )  # fmt: skip
        axes.errorbar(
            x, values_or_nan(coherence), yerr=error_bars(coherence),
            color=colour, linestyle="--", linewidth=0.9, elinewidth=0.6,
        )  # fmt: skip
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def blocks(
    series: Mapping[str, Mapping[int, float]],
    what: str,
    reference: str | None = None,
    order: Sequence[str] = (),
) -> Figure:
    """A value per block for several methods.

    Args:
        series: per method and block.
        what: the value, such as "faithfulness".
        reference: the name of the one that is drawn as a grey line.
        order: all methods of the comparison, so that each looks as in the other pictures.
    """
    figure, axes = new_axes("block", what, f"{what[:1].upper()}{what[1:]} per block")
    for i, (name, values) in enumerate(series.items()):
        colour, mark = color_and_marker(order.index(name) if name in order else i)
        look: dict[str, Any] = {"color": colour, "marker": mark, "markersize": 4}
        if name == reference:
            look = {"color": GREY, "linestyle": "--", "linewidth": 1.6}
        axes.plot(list(values), list(values.values()), label=name, **look)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure


def best(series: Mapping[str, Mapping[int, Mean]]) -> Figure:
    """The best trait per block of several methods, with its interval."""
    figure, axes = new_axes("block", "best trait", "Best trait per block")
    for i, (name, values) in enumerate(series.items()):
        colour, mark = color_and_marker(i)
        means = list(values.values())
        axes.errorbar(
            list(values), values_or_nan(means), yerr=error_bars(means),
            color=colour, marker=mark, markersize=4, linewidth=1, elinewidth=0.8, capsize=2, label=name,
        )  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def _matched(axes: Any, row: MatchRow, colour: str, mark: str) -> None:
    if row.trait is None or row.coherence is None:
        return
    x, y = (
        Mean(value, between, row.n, row.missing)
        for value, between in ((row.coherence, row.coherence_ci), (row.trait, row.trait_ci))
    )
    axes.errorbar(
        [row.coherence], [row.trait], xerr=error_bars([x]), yerr=error_bars([y]),
        color=colour, marker=mark, markersize=7, linewidth=1, capsize=2, linestyle="none", label=row.method,
    )  # fmt: skip
