"""Sweeps: every cell of method x objective x block x rank x strength x seed, none computed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from engine.distill import METHODS
from engine.distill.request import OBJECTIVES
from engine.errors import EngineError, LabError
from engine.events import Cancel, Emit, Meter, Pause, ignore
from engine.lab.cached_answers import CachedGenerator, Judged, as_judged, judged
from engine.lab.fingerprint import weights_digest
from engine.lab.judges import Judge, Score
from engine.lab.method_specs import parse_method_spec
from engine.lab.result_cache import content_key


@dataclass(frozen=True)
class Cell:
    """One cell of a sweep.

    Attributes:
        words: a method's.
        strength: of its head.
        seed: of its distillation and of its answers.
    """

    words: str
    strength: float
    seed: int


@dataclass(frozen=True)
class CellResult:
    """A finished cell.

    Attributes:
        cell: the cell.
        traits: of each question's answer, None where the judge gave no score.
        coherences: the same.
    """

    cell: Cell
    traits: tuple[float | None, ...]
    coherences: tuple[float | None, ...]

    @property
    def judged(self) -> Judged:
        """The scores as [questions, 1]."""
        scores = [Score(*pair) for pair in zip(self.traits, self.coherences, strict=True)]
        return as_judged(scores, len(scores))


@dataclass(frozen=True)
class CellFailure:
    """A cell that could not be computed.

    Attributes:
        cell: the cell.
        why: the error, in a sentence.
    """

    cell: Cell
    why: str


Outcome = CellResult | CellFailure


@dataclass(frozen=True)
class SweepSetup:
    """What is the same for all cells.

    Attributes:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        prompt: the steering prompt.
        questions: answered once per cell.
    """

    generator: CachedGenerator
    judge: Judge
    prompt: str
    questions: tuple[str, ...]

    def key(self, cell: Cell) -> str:
        """The key of a cell in the result cache."""
        sampling = asdict(self.generator.sampling)
        return content_key(
            weights_digest(self.generator.model), self.prompt, self.questions, self.judge.name, sampling,
            asdict(cell), "each answer's scores",
        )  # fmt: skip


Runner = Callable[[SweepSetup, Sequence[Sequence[Cell]], Cancel], Iterable[Outcome]]
"""Computes groups of cells, each with a head of its own, and yields every outcome as it is known."""


def cells(
    methods: Iterable[str],
    *,
    objectives: Sequence[str] = (),
    blocks: Sequence[int] = (),
    ranks: Sequence[int] = (),
    strengths: Sequence[float] = (1.0,),
    seeds: Sequence[int] = (0,),
) -> list[Cell]:
    """The product of all axes, without what a method does not have.

    none and prompt have one strength only, a method of all blocks no block, one without training no
    objective, one of a single direction no rank. What a method's words name already stays as it is.
    """
    found: dict[Cell, None] = {}
    tried: Iterator[Any] = product(methods, *(list(axis) or [None] for axis in (objectives, blocks, ranks)))
    for words, objective, block, rank in tried:
        base, plus, prompted = words.partition("+prompt")
        method = METHODS.get(base.split(":")[0])
        if method is not None:
            said = base.split(":")[1:]
            if objective is not None and method.objective and not set(said) & set(OBJECTIVES):
                base += f":{objective}"
            if block is not None and not method.every_block and not _named(said, "block"):
                base += f":block{block}"
            if rank is not None and method.ranked and not _named(said, "rank"):
                base += f":rank{rank}"
        for strength, seed in product(strengths if method is not None else (0.0,), seeds):
            found[Cell(base + plus + prompted, float(strength), seed)] = None
    return list(found)


def _named(said: Sequence[str], what: str) -> bool:
    return any(variant.startswith(what) for variant in said)


def sweep(
    setup: SweepSetup,
    wanted: Sequence[Cell],
    *,
    runner: Runner | None = None,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[Outcome]:
    """Computes cells that are not in the result cache yet.

    A finished cell is on the disk before the next begins: a sweep that was killed continues. A cell that
    fails is reported, the rest continues, and it is tried again next time; so is one with answers without a
    score.

    Args:
        setup: what is the same for all.
        wanted: the cells.
        runner: computes them; by default this process, one by one.
        emit: is given Progress and every outcome, those known first.
        cancel: stops it.

    Returns:
        All outcomes, in the order of `wanted`.

    Raises:
        LabError: when the judge cannot be reached or the cache fails.
        Cancelled: when asked to stop.
    """
    cancel = Cancel() if cancel is None else cancel
    keys = {cell: setup.key(cell) for cell in wanted}
    stored = setup.generator.store.get("cell", list(keys.values()))
    outcomes: dict[Cell, Outcome] = {
        cell: CellResult(cell, *map(tuple, stored[key])) for cell, key in keys.items() if key in stored
    }
    for outcome in outcomes.values():
        emit(outcome)
    open_cells = [cell for cell in keys if cell not in outcomes]
    meter = Meter(emit, "cells", len(open_cells))
    for outcome in (runner or run_locally)(setup, _groups(open_cells), cancel):
        if isinstance(outcome, CellResult) and not outcome.judged.missing:
            setup.generator.store.put("cell", {keys[outcome.cell]: [outcome.traits, outcome.coherences]})
        outcomes[outcome.cell] = outcome
        emit(outcome)
        meter.step()
        emit(Pause())
    return [outcomes[cell] for cell in keys]


def run_locally(setup: SweepSetup, groups: Sequence[Sequence[Cell]], cancel: Cancel) -> Iterator[Outcome]:
    """The runner in this process: one cell after the other."""
    for group in groups:
        yield from compute(setup, group, cancel)


def compute(setup: SweepSetup, group: Sequence[Cell], cancel: Cancel) -> Iterator[Outcome]:
    """The outcomes of cells that differ in their strength only: one head serves them all."""
    try:
        spec = parse_method_spec(group[0].words, setup.prompt).seeded(group[0].seed)
        made = None if spec.request is None else setup.generator.distilled(spec.request, cancel).head
    except LabError:
        raise
    except EngineError as error:
        yield from (CellFailure(cell, str(error)) for cell in group)
        return
    system = setup.prompt if spec.prompted else None
    for cell in group:
        cancel.check()
        heads = [] if made is None else [(made, cell.strength)]
        try:
            found = judged(
                setup.generator,
                setup.judge,
                setup.prompt,
                questions=setup.questions,
                seeds=(cell.seed,),
                system=system,
                heads=heads,
                cancel=cancel,
            )
        except LabError:
            raise
        except EngineError as error:
            yield CellFailure(cell, str(error))
        else:
            yield CellResult(cell, *(_plain(values) for values in (found.traits, found.coherences)))


def outcomes_to_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """One flat JSON record per cell."""
    return [
        {
            **asdict(each.cell),
            **(each.judged.to_json() if isinstance(each, CellResult) else {"why": each.why}),
        }
        for each in outcomes
    ]


def _plain(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values.reshape(-1))


def _groups(wanted: Sequence[Cell]) -> list[list[Cell]]:
    groups: dict[tuple[str, int], list[Cell]] = {}
    for cell in wanted:
        groups.setdefault((cell.words, cell.seed), []).append(cell)
    return list(groups.values())
