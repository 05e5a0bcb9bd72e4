"""Pools a sweep's cells over their seeds, with intervals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.lab.bootstrap import Mean
from engine.lab.sweep import CellResult, Outcome

COHERENT = 0.8  # what a strength must keep to count in a block sweep


@dataclass(frozen=True)
class StrengthResult:
    """One method at one strength.

    Attributes:
        words: the method.
        strength: the strength.
        seeds: that are pooled.
        trait: over questions and seeds.
        coherence: over questions and seeds.
    """

    words: str
    strength: float
    seeds: tuple[int, ...]
    trait: Mean
    coherence: Mean


def strength_results(outcomes: Iterable[Outcome], half: int | None = None) -> dict[str, list[StrengthResult]]:
    """Per method, in order of the strength, the results with a score.

    Args:
        outcomes: the cells.
        half: of the questions, 0 or 1; None for all.
    """
    cells: dict[str, dict[float, list[CellResult]]] = {}
    for done in outcomes:
        if isinstance(done, CellResult):
            cells.setdefault(done.cell.words, {}).setdefault(done.cell.strength, []).append(done)
    found: dict[str, list[StrengthResult]] = {}
    for words, at in cells.items():
        for _, cell in sorted(at.items()):
            result = _strength_result(cell, half)
            if result.trait.n and result.coherence.n:
                found.setdefault(words, []).append(result)
    return found


def best_per_block(
    outcomes: Sequence[Outcome], coherence: float = COHERENT
) -> dict[str, dict[int, StrengthResult]]:
    """Per method and block the strength with the greatest trait among those that keep the coherence.

    Chosen on one half of the questions and reported on the other: the best of several by chance is not the
    best.

    Args:
        outcomes: the cells.
        coherence: to be kept, in [0, 1].
    """
    reported = {(d.words, d.strength): d for each in strength_results(outcomes, 1).values() for d in each}
    found: dict[str, dict[int, StrengthResult]] = {}
    for words, tried in strength_results(outcomes, 0).items():
        block = re.search(r":block(\d+)", words)
        whole = [result for result in tried if (result.coherence.value or 0.0) >= coherence]
        kept = [result for result in whole if (words, result.strength) in reported]
        if block is not None and kept:
            best = max(kept, key=lambda result: result.trait.value or 0.0)
            found.setdefault(words.replace(block[0], ""), {})[int(block[1])] = reported[words, best.strength]
    return {name: dict(sorted(values.items())) for name, values in found.items()}


def _strength_result(cells: Sequence[CellResult], half: int | None) -> StrengthResult:
    def rows(name: str) -> Mean:
        columns = [getattr(done, name) for done in cells]
        middle = len(columns[0]) // 2
        part = {None: slice(None), 0: slice(middle), 1: slice(middle, None)}[half]
        return Mean.of([[float("nan") if v is None else v for v in row] for row in zip(*columns)][part])

    cell, seeds = cells[0].cell, tuple(done.cell.seed for done in cells)
    return StrengthResult(cell.words, cell.strength, seeds, rows("traits"), rows("coherences"))
