"""Which pictures belong to what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.lab import axbench_protocol, effect_plots, match_plots, protocol_plots, transfer
from engine.lab.effect_distribution import most_varied_block
from engine.lab.seed_pooling import best_per_block, strength_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.axbench_protocol import AxRow
    from engine.lab.ifeval_protocol import IfRow
    from engine.lab.matching import Match, MatchRow
    from engine.lab.sweep import Outcome
    from engine.lab.transfer import Transfer


def match_figures(found: Match, block: int | None = None) -> dict[str, Figure]:
    """The pictures of a comparison: pareto always; the others where there are heads.

    Args:
        found: the comparison.
        block: of the distribution, None for the most varied one.
    """
    figures = {"pareto": match_plots.pareto(found.rows, found.coherence)}
    if any(row.curve and row.strength for row in found.rows):
        figures["strengths"] = match_plots.strengths(found.rows)
    lines = faithfulness(found.rows)
    if lines:
        figures["faithfulness"] = match_plots.blocks(
            lines, "faithfulness", "paraphrase", [row.method for row in found.rows]
        )
    varied = most_varied_block(found.rows) if block is None else block
    if varied is not None:
        figures["effects"] = effect_plots.effects(found.rows)
        figures["distribution"] = effect_plots.distribution(found.rows, varied)
    return figures


def sweep_figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """The pictures of a sweep: pareto and strengths; blocks where it went over them."""
    series = strength_results(outcomes)
    figures = {"pareto": match_plots.tradeoff(series), "strengths": match_plots.curves(series)}
    by_block = best_per_block(outcomes)
    if by_block:
        best = {name: {b: result.trait for b, result in at.items()} for name, at in by_block.items()}
        figures["blocks"] = match_plots.best(best)
    return figures


def faithfulness(rows: Sequence[MatchRow]) -> dict[str, dict[int, float]]:
    """Faithfulness per method and block, and "paraphrase", that of another wording."""
    found = {row.method: dict(row.faithfulness) for row in rows if row.faithfulness}
    reference = next((dict(row.paraphrase) for row in rows if row.paraphrase), None)
    return found if reference is None else {**found, "paraphrase": reference}


def axbench_figures(rows: Sequence[AxRow]) -> dict[str, Figure]:
    """The pictures of AxBench: judgements always; factors where there are heads."""
    methods = axbench_protocol.summaries(rows)
    figures = {"judgements": protocol_plots.judgements(methods)}
    if any(method.factors for method in methods):
        figures["factors"] = protocol_plots.factors(methods)
    return figures


def ifeval_figures(rows: Sequence[IfRow]) -> dict[str, Figure]:
    """The picture of IFEval: accuracy against coherence."""
    return {"accuracy": protocol_plots.accuracy(rows)}


def transfer_figures(rows: Sequence[Transfer]) -> dict[str, Figure]:
    """The picture of transfer: every kind of condition."""
    return {"transfer": protocol_plots.transferred(transfer.summaries(rows))}
