"""Which pictures belong to a comparison, and which to a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.lab import pictures
from engine.lab.sweep import Done, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.matching import Match, Row

_COHERENT = 0.8  # what a strength must keep to count in a block sweep


def match_figures(found: Match) -> dict[str, Figure]:
    """pareto always; strengths, faithfulness and effects where a head was compared."""
    figures = {"pareto": pictures.pareto(found.rows, found.coherence)}
    if any(row.curve and row.strength for row in found.rows):
        figures["strengths"] = pictures.strengths(found.rows)
    lines = faithfulness(found.rows)
    if lines:
        figures["faithfulness"] = pictures.blocks(
            lines, "faithfulness", "paraphrase", [row.method for row in found.rows]
        )
    if any(row.effects for row in found.rows):
        figures["effects"] = pictures.effects(found.rows)
    return figures


def sweep_figures(outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """pareto and strengths; blocks where the sweep went over them."""
    series = means(outcomes)
    figures = {"pareto": pictures.tradeoff(series), "strengths": pictures.curves(series)}
    by_block = best_per_block(outcomes)
    if by_block:
        figures["blocks"] = pictures.blocks(by_block, "best trait")
    return figures


def faithfulness(rows: Sequence[Row]) -> dict[str, dict[int, float]]:
    """Per method and block, and the paraphrase of the first."""
    found = {row.method: dict(row.faithfulness) for row in rows if row.faithfulness}
    reference = next((dict(row.paraphrase) for row in rows if row.paraphrase), None)
    return found if reference is None else {**found, "paraphrase": reference}


def means(outcomes: Sequence[Outcome]) -> dict[str, list[tuple[float, float, float]]]:
    """Per method (strength, trait, coherence), each the mean over the seeds."""
    found: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for done in outcomes:
        if isinstance(done, Done) and done.trait is not None and done.coherence is not None:
            at = found.setdefault(done.cell.words, {}).setdefault(done.cell.strength, [])
            at.append((done.trait, done.coherence))
    return {
        words: [
            (strength, sum(t for t, _ in pairs) / len(pairs), sum(c for _, c in pairs) / len(pairs))
            for strength, pairs in sorted(at.items())
        ]
        for words, at in found.items()
    }


def best_per_block(outcomes: Sequence[Outcome], coherence: float = _COHERENT) -> dict[str, dict[int, float]]:
    """Per method and block the greatest trait among strengths that keep the coherence."""
    found: dict[str, dict[int, float]] = {}
    for words, points in means(outcomes).items():
        block = re.search(r":block(\d+)", words)
        kept = [trait for _, trait, c in points if c >= coherence]
        if block is not None and kept:
            name = words.replace(block[0], "")
            found.setdefault(name, {})[int(block[1])] = max(kept)
    return {name: dict(sorted(values.items())) for name, values in found.items()}
