"""Pictures of what is added per token, by the prompt and by the heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.lab.effect_distribution import ceiling
from engine.lab.figure_style import GREY, add_legend, color_and_marker, new_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.matching import MatchRow

_PROMPT = "the prompt itself"


def effects(rows: Sequence[MatchRow]) -> Figure:
    """How much is added per token, block by block: grey, what the prompt adds; beside it what the heads add.

    Medians, with lines (for the prompt a band) from the 10th to the 90th percentile, in units of the prompt's
    median at that block.

    Args:
        rows: the methods.

    Source:
        The paper's Fig. 2.
    """
    title = "Effect per token: median, 10th to 90th percentile"
    figure, axes = new_axes("block", "added length / the prompt's median", title)
    steering = [(i, row) for i, row in enumerate(rows) if row.effects]
    for _, row in steering[:1]:
        band = np.array([spread.over(spread.middle) for spread in row.prompted.values()])
        axes.fill_between(list(row.prompted), band[:, 0], band[:, -1], color=GREY, alpha=0.22, lw=0)
        axes.plot(list(row.prompted), band[:, 2], color=GREY, linestyle="--", label=_PROMPT)
    for at, (i, row) in enumerate(steering):
        colour, mark = color_and_marker(i)
        values = np.array([s.over(row.prompted[block].middle) for block, s in row.effects.items()])
        low, middle, high = values[:, 0], values[:, 2], values[:, -1]
        beside = (at - (len(steering) - 1) / 2) * 0.5 / max(len(steering), 4)
        x = np.array(list(row.effects)) + beside
        axes.errorbar(
            x, middle, yerr=[middle - low, high - middle], label=row.method,
            color=colour, marker=mark, markersize=4, linewidth=1, capsize=2, linestyle="none",
        )  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure


def distribution(rows: Sequence[MatchRow], block: int) -> Figure:
    """Over how many tokens which length is added at one block: grey, by the prompt; the heads at strength 1.

    Args:
        rows: the methods.
        block: the block.
    """
    steering = [(i, row) for i, row in enumerate(rows) if block in row.effects]
    shares = {_PROMPT: steering[0][1].prompted[block].shares} | {
        row.method: row.effects[block].shares for _, row in steering
    }
    colours = [GREY, *(color_and_marker(i)[0] for i, _ in steering)]
    edges = steering[0][1].prompted[block].edges
    return _outlines(shares, edges, colours, f"added length at block {block}, activation units")


def histogram(series: Mapping[str, np.ndarray], what: str) -> Figure:
    """How values are distributed.

    Args:
        series: values by name; the first is the reference, in grey.
        what: the axis' label.
    """
    series = {name: values[np.isfinite(values)] for name, values in series.items()}
    together = np.concatenate(list(series.values()))
    low, high = np.quantile(together, [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1e-6), 41)
    shares = {
        name: np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        for name, values in series.items()
        if len(values)
    }
    return _outlines(shares, edges, [GREY, *(color_and_marker(i)[0] for i in range(len(shares)))], what)


def _outlines(
    shares: Mapping[str, Sequence[float] | np.ndarray],
    edges: Sequence[float] | np.ndarray,
    colours: Sequence[str],
    what: str,
) -> Figure:
    """One outline per name over common bins; a constant runs out at the top."""
    figure, axes = new_axes(
        f"{what} (the last bin: and more)", "share of tokens", "Distribution of the effect per token"
    )
    for (name, values), colour in zip(shares.items(), colours):
        axes.stairs(values, edges, color=colour, fill=True, alpha=0.22)
        axes.stairs(values, edges, color=colour, label=name, linewidth=1.4)
    axes.set_ylim(0, ceiling([list(values) for values in shares.values()]))
    add_legend(figure, axes)
    return figure
