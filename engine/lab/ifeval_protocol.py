"""IFEval: are verifiable instructions followed, when a head stands for them instead of the prompt?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, LabError
from engine.events import Cancel, Emit, Meter, ignore
from engine.lab.bootstrap import Mean
from engine.lab.cached_answers import APART, CachedGenerator, Query, scored
from engine.lab.ifeval_cases import Case
from engine.lab.judges import Judge
from engine.lab.method_specs import parse_method_specs


@dataclass(frozen=True)
class IfRow:
    """One method over all cases.

    Attributes:
        method: in the words of the command.
        strength: of its heads, None without one.
        accuracy: the share of answers that follow all of their instructions.
        coherence: of the answers.
        failures: instructions that could not be measured, with the reason.
    """

    method: str
    strength: float | None
    accuracy: Mean
    coherence: Mean
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON record."""
        return {
            "method": self.method, "strength": self.strength,
            "accuracy": self.accuracy.value, "accuracy_ci": self.accuracy.interval,
            "coherence": self.coherence.value, "coherence_ci": self.coherence.interval,
            "n": self.accuracy.n, "missing": self.coherence.missing, "failures": self.failures,
        }  # fmt: skip


def ifeval(
    generator: CachedGenerator,
    judge: Judge,
    cases: Sequence[Case],
    methods: str,
    *,
    seeds: Sequence[int] = (0,),
    strength: float = 1.0,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[IfRow]:
    """Accuracy by rule and coherence by the judge, per method; a head per distinct instruction.

    Emits Progress and each IfRow. Instructions that a method could not be distilled for count as not
    followed and are named in its failures.
    """
    cancel = Cancel() if cancel is None else cancel
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.instruction, []).append(case)
    names = [spec.name for spec in parse_method_specs(methods, cases[0].instruction)]
    meter = Meter(emit, "instructions", len(groups) * len(names))
    found = []
    for name in names:
        right: list[np.ndarray] = []
        coherences: list[np.ndarray] = []
        failures: list[str] = []
        for instruction, group in groups.items():
            try:
                kept, coherent = _measure_group(
                    generator,
                    judge,
                    name,
                    instruction,
                    group,
                    seeds=seeds,
                    strength=strength,
                    cancel=cancel,
                )
            except LabError:
                raise
            except EngineError as error:
                failures.append(f"{instruction}: {error}")
                count = len(group) * len(seeds)
                kept, coherent = np.zeros(count), np.full(count, np.nan)
            right.append(kept)
            coherences.append(coherent)
            meter.step()
        steered = parse_method_specs(name, cases[0].instruction)[0].request is not None
        at = strength if steered else None
        row = IfRow(name, at, Mean.of(right), Mean.of(coherences), tuple(failures))
        found.append(row)
        emit(row)
    return found


def _measure_group(
    generator: CachedGenerator,
    judge: Judge,
    name: str,
    instruction: str,
    group: Sequence[Case],
    *,
    seeds: Sequence[int],
    strength: float,
    cancel: Cancel,
) -> tuple[np.ndarray, np.ndarray]:
    """Per answer, whether it follows its instructions, and its coherence."""
    [spec] = parse_method_specs(name, instruction)
    heads = []
    if spec.request is not None:
        heads = [(generator.distilled(spec.request, cancel).head, strength)]
    both = [(case, seed) for case in group for seed in seeds]
    asked = [Query(case.question, case.key + seed * APART) for case, seed in both]
    system = instruction if spec.prompted else None
    texts, scores = scored(
        generator, judge, instruction, asked=asked, system=system, heads=heads, cancel=cancel
    )
    kept = [float(case.followed(text)) for (case, _), text in zip(both, texts, strict=True)]
    coherences = [np.nan if score.coherence is None else score.coherence for score in scores]
    return np.array(kept), np.array(coherences)
