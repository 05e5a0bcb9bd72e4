"""Pictures of AxBench, IFEval and transfer; every figure with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.lab.figure_style import (
    GREY,
    add_legend,
    color_and_marker,
    error_bars,
    new_axes,
    new_panels,
    values_or_nan,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.axbench_protocol import AxSummary
    from engine.lab.ifeval_protocol import IfRow
    from engine.lab.transfer import Summary

_TOP = 2  # of AxBench's judgements


def judgements(methods: Sequence[AxSummary]) -> Figure:
    """AxBench: the score of every method beside its three judgements."""
    figure, axes = new_axes("", "mean over answers (0 to 2)", "AxBench: the score and its three judgements")
    wide = 0.8 / max(len(methods), 1)
    groups = ["score", *(methods[0].judgements if methods else ())]
    for i, method in enumerate(methods):
        colour, _ = color_and_marker(i)
        means = [method.score, *method.judgements.values()]
        x = [at + (i - (len(methods) - 1) / 2) * wide for at in range(len(means))]
        axes.bar(
            x, values_or_nan(means), 0.9 * wide, yerr=error_bars(means), color=colour, label=method.method,
            error_kw={"elinewidth": 0.9, "capsize": 2},
        )  # fmt: skip
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(False, axis="x")
    axes.set_ylim(0, 1.03 * _TOP)
    add_legend(figure, axes)
    return figure


def factors(methods: Sequence[AxSummary]) -> Figure:
    """AxBench: the score over the factor, on the half that factors are chosen on.

    Large, with its interval: the other half at the factors chosen. Dashed: methods without a factor.
    """
    figure, axes = new_axes("factor", "score (0 to 2)", "AxBench: score over the factor; large: reported")
    for i, method in enumerate(methods):
        colour, mark = color_and_marker(i)
        if method.factor is None:
            axes.axhline(values_or_nan([method.score])[0], color=colour, linestyle="--", label=method.method)
            continue
        means = list(method.factors.values())
        axes.plot(
            list(method.factors), values_or_nan(means), color=colour, marker=".", linewidth=1, alpha=0.6
        )
        axes.errorbar(
            [method.factor], values_or_nan([method.score]), yerr=error_bars([method.score]),
            color=colour, marker=mark, markersize=7, capsize=2, linestyle="none", label=method.method,
        )  # fmt: skip
    axes.set_xlim(left=0)
    axes.set_ylim(-0.02 * _TOP, 1.03 * _TOP)
    add_legend(figure, axes)
    return figure


def accuracy(rows: Sequence[IfRow]) -> Figure:
    """IFEval: the share of answers that follow their instructions, against coherence."""
    figure, axes = new_axes("coherence", "accuracy", "IFEval: instructions followed against coherence")
    for i, row in enumerate(rows):
        colour, mark = color_and_marker(i)
        axes.errorbar(
            values_or_nan([row.coherence]), values_or_nan([row.accuracy]),
            xerr=error_bars([row.coherence]), yerr=error_bars([row.accuracy]),
            color=colour, marker=mark, markersize=7, linewidth=1, capsize=2, linestyle="none",
            label=row.method,
        )  # fmt: skip
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.05)
    add_legend(figure, axes)
    return figure


def transferred(kinds: Sequence[Summary]) -> Figure:
    """Transfer: trait and coherence of the head per condition, in grey those of the prompt itself."""
    figure, panels = new_panels(2, 0.34 * len(kinds) + 1.2, "Transfer: the head, and grey the prompt itself")
    names = [f"strength {kind.strength:g}" if kind.kind == "strength" else kind.kind for kind in kinds]
    rows = list(range(len(kinds)))
    shown = (
        ("trait", [kind.trait for kind in kinds], [kind.prompt_trait for kind in kinds]),
        ("coherence", [kind.coherence for kind in kinds], [kind.prompt_coherence for kind in kinds]),
    )
    for axes, (what, own, prompted) in zip(panels, shown):
        for means, colour, mark, lower, label in (
            (prompted, GREY, "s", 0.14, "prompt"), (own, color_and_marker(0)[0], "o", -0.14, "head"),
        ):  # fmt: skip
            axes.errorbar(
                values_or_nan(means), [row + lower for row in rows], xerr=error_bars(means),
                color=colour, marker=mark, markersize=4, linewidth=1, capsize=2, linestyle="none",
                label=label if what == "trait" else None,
            )  # fmt: skip
        axes.set_xlabel(what)
        axes.set_xlim(-0.03, 1.03)
        axes.set_yticks(rows, names)
        axes.set_ylim(len(kinds) - 0.5, -0.5)
    add_legend(figure, panels[0])
    return figure
