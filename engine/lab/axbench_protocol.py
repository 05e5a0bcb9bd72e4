"""The AxBench protocol: the harmonic mean of three judgements, at a factor chosen on other questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, InputError, LabError
from engine.events import Cancel, Emit, Meter, ignore
from engine.heads.head import Head
from engine.lab.axbench_concepts import Concept
from engine.lab.bootstrap import Mean
from engine.lab.cached_answers import CachedGenerator, Query, mean, queries
from engine.lab.judges import ON_TOPIC, Judge
from engine.lab.method_specs import MethodSpec, parse_method_specs

FACTORS = (0.4, 0.8, 1.2, 1.6, 2.0, 3.0, 5.0)
JUDGED = ("concept", "instruct", "fluency")
TEMPLATE = "In every answer, include or talk about: {concept}."


@dataclass(frozen=True, eq=False)
class AxRow:
    """One method on one concept, on the half of the questions that the factor was not chosen on.

    Attributes:
        concept: its id.
        method: in the words of the command.
        factor: the strength chosen; None without a head.
        scores: concept, instruct and fluency of each answer, 0 to 2, NaN where the judge gave none,
            [questions, seeds, 3].
        tried: per factor the harmonic mean on the other half, None where nothing was judged.
    """

    concept: int
    method: str
    factor: float | None
    scores: np.ndarray
    tried: tuple[tuple[float, float | None], ...] = ()

    @property
    def harmonics(self) -> np.ndarray:
        """The score of each answer (engine/README.md, Eq. 19), [questions, seeds]."""
        return harmonic(self.scores)

    def to_json(self) -> dict[str, Any]:
        """A JSON record; score is the mean over answers of the harmonic mean of the three judgements."""
        score, *three = (Mean.of(list(each)) for each in (self.harmonics, *np.moveaxis(self.scores, -1, 0)))
        return {
            "concept": self.concept, "method": self.method, "factor": self.factor, "score": score.value,
            "score_ci": score.interval,
            **{f"{name}_score": each.value for name, each in zip(JUDGED, three, strict=True)},
            "n": score.n, "missing": score.missing, "tried": self.tried,
        }  # fmt: skip


@dataclass(frozen=True)
class AxSummary:
    """One method over all concepts.

    Attributes:
        method: in the words of the command.
        factor: the mean of the factors chosen.
        score: the harmonic mean, 0 to 2.
        judgements: the mean of each of JUDGED.
        factors: per factor the mean score on the half that factors are chosen on.
    """

    method: str
    factor: float | None
    score: Mean
    judgements: dict[str, Mean]
    factors: dict[float, Mean]


@dataclass(frozen=True)
class AxFailure:
    """A method that could not be measured on a concept.

    Attributes:
        concept: its id.
        method: in the words of the command.
        why: the error, in a sentence.
    """

    concept: int
    method: str
    why: str


def axbench(
    generator: CachedGenerator,
    judge: Judge,
    concepts: Sequence[Concept],
    methods: str,
    questions: Sequence[str],
    *,
    seeds: Sequence[int] = (0,),
    template: str = TEMPLATE,
    factors: Sequence[float] = FACTORS,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[AxRow | AxFailure]:
    """Every method on every concept.

    The factor (strength) is chosen on one half of the questions and reported on the other. A method that
    fails is reported, the rest continues.

    Args:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        concepts: the concepts.
        methods: in the words of `parse_method_specs`.
        questions: at least two.
        seeds: of the answers to each question.
        template: the steering prompt, with {concept} in it.
        factors: the strengths tried.
        emit: is given Progress and every row.
        cancel: stops it.

    Raises:
        InputError: for a template without {concept}, or fewer than two questions.
        LabError: when the judge cannot be reached.
        Cancelled: when asked to stop.

    Source:
        Wu et al. 2025, arXiv 2501.17148.
    """
    if "{concept}" not in template or len(questions) < 2:
        raise InputError(
            "The concepts cannot be compared",
            "The template has no {concept}."
            if "{concept}" not in template
            else "There are fewer than 2 questions.",
            "Give a template with {concept} and at least 2 questions.",
        )
    cancel = Cancel() if cancel is None else cancel
    run = _AxBenchRun(generator, judge, questions, seeds=tuple(seeds), factors=tuple(factors), cancel=cancel)
    meter = Meter(emit, "concepts", len(concepts) * len(parse_method_specs(methods, template)))
    found: list[AxRow | AxFailure] = []
    for concept in concepts:
        prompt = template.replace("{concept}", concept.text)
        for spec in parse_method_specs(methods, prompt):
            try:
                found.append(run.row(concept, prompt, spec))
            except LabError:
                raise
            except EngineError as error:
                found.append(AxFailure(concept.id, spec.name, str(error)))
            emit(found[-1])
            meter.step()
    return found


def summaries(rows: Sequence[AxRow]) -> list[AxSummary]:
    """Every method over its concepts; intervals are over concepts."""
    found = []
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        factors = [row.factor for row in own if row.factor is not None]
        tried: dict[float, list[float]] = {}
        for row in own:
            for factor, score in row.tried:
                tried.setdefault(factor, []).append(np.nan if score is None else score)
        found.append(
            AxSummary(
                method,
                float(np.mean(factors)) if factors else None,
                Mean.of([row.harmonics for row in own]),
                {name: Mean.of([row.scores[..., i] for row in own]) for i, name in enumerate(JUDGED)},
                {factor: Mean.of([np.array([s]) for s in scores]) for factor, scores in tried.items()},
            )
        )
    return found


def harmonic(scores: np.ndarray) -> np.ndarray:
    """The harmonic mean (engine/README.md, Eq. 19).

    Args:
        scores: 0 to 2, [..., 3].

    Returns:
        [...]: 0 where one is 0, NaN where one is missing.
    """
    positive: np.ndarray = np.all(scores > 0, axis=-1)
    safe = np.where(positive[..., None], scores, 1.0)
    means = scores.shape[-1] / (1 / safe).sum(-1)
    return np.where(np.isnan(scores).any(-1), np.nan, np.where(positive, means, 0.0))


class _AxBenchRun:
    def __init__(
        self,
        generator: CachedGenerator,
        judge: Judge,
        questions: Sequence[str],
        *,
        seeds: tuple[int, ...],
        factors: tuple[float, ...],
        cancel: Cancel,
    ) -> None:
        self._generator, self._judge, self._factors, self._cancel = generator, judge, factors, cancel
        self._seeds, middle = len(seeds), len(questions) // 2 * len(seeds)
        asked = queries(questions, seeds)
        self._choosing, self._reporting = asked[:middle], asked[middle:]

    def row(self, concept: Concept, prompt: str, spec: MethodSpec) -> AxRow:
        system = prompt if spec.prompted else None
        factor: float | None = None
        tried: tuple[tuple[float, float | None], ...] = ()
        heads: list[tuple[Head, float]] = []
        if spec.request is not None:
            head = self._generator.distilled(spec.request, self._cancel).head
            tried = tuple(
                (f, mean(harmonic(self._judged(self._choosing, prompt, system, [(head, f)]))))
                for f in self._factors
            )
            # A factor without any score is no candidate; a smaller one wins a tie.
            factor = max(tried, key=lambda pair: (-1.0 if pair[1] is None else pair[1], -pair[0]))[0]
            heads = [(head, factor)]
        scores = self._judged(self._reporting, prompt, system, heads)
        return AxRow(concept.id, spec.name, factor, scores, tried)

    def _judged(
        self, asked: Sequence[Query], prompt: str, system: str | None, heads: list[tuple[Head, float]]
    ) -> np.ndarray:
        """[questions, seeds, 3] from 0 to 2, as JUDGED."""
        self._cancel.check()
        texts = self._generator.answers(asked, system, heads, self._cancel)
        pairs = list(zip(asked, texts, strict=True))
        shown = self._judge.judge([each.item(prompt, text) for each, text in pairs], self._cancel)
        related = self._judge.judge([each.item(ON_TOPIC, text) for each, text in pairs], self._cancel)
        rows = [(s.trait, r.trait, s.coherence) for s, r in zip(shown, related, strict=True)]
        found = np.array([[np.nan if v is None else v for v in row] for row in rows], np.float64)
        return 2 * found.reshape(-1, self._seeds, len(JUDGED))
