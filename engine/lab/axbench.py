"""The AxBench protocol: concepts from its metadata.jsonl, the harmonic mean of three judgements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.distill import distill
from engine.errors import EngineError, InputError, LabError
from engine.events import Cancel, Emit, Meter, ignore
from engine.heads.head import Head
from engine.lab.answers import Asked, Speaker, mean
from engine.lab.arms import Arm, parse_arms
from engine.lab.bootstrap import interval
from engine.lab.judges import ON_TOPIC, Judge

FACTORS = (0.4, 0.8, 1.2, 1.6, 2.0, 3.0, 5.0)
TEMPLATE = "In every answer, include or talk about: {concept}."


@dataclass(frozen=True)
class Concept:
    id: int
    text: str


@dataclass(frozen=True)
class AxRow:
    """One method on one concept, on the half of the questions that the factor was not chosen on.

    score: the mean over answers of the harmonic mean of concept, instruct and fluency, each from 0 to 2;
    0 where one of them is 0. n answers were judged, missing lack a judgement.
    """

    concept: int
    method: str
    factor: float | None
    score: float | None
    score_ci: tuple[float, float] | None
    concept_score: float | None
    instruct_score: float | None
    fluency_score: float | None
    n: int
    missing: int


@dataclass(frozen=True)
class AxFailure:
    concept: int
    method: str
    why: str


def read_concepts(path: Path) -> list[Concept]:
    """From metadata.jsonl: one object per line with `concept_id` and `concept`. Raises InputError."""
    what = f"The concepts in {path} were not read"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "It is no text"
        raise InputError(what, f"{why}.", "Name AxBench's metadata.jsonl.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            facts: Any = json.loads(line)
            concept = Concept(int(facts["concept_id"]), str(facts["concept"]).strip())
        except (ValueError, KeyError, TypeError):
            raise InputError(
                what, f"Line {number} lacks concept_id or concept.", "Name AxBench's metadata.jsonl."
            ) from None
        if not concept.text:
            raise InputError(what, f"Line {number} has an empty concept.", "Remove the line.")
        found.append(concept)
    if not found:
        raise InputError(what, "There is no concept in it.", "Name AxBench's metadata.jsonl.")
    return found


def axbench(
    speaker: Speaker,
    judge: Judge,
    concepts: Sequence[Concept],
    methods: str,
    questions: Sequence[str],
    *,
    template: str = TEMPLATE,
    factors: Sequence[float] = FACTORS,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[AxRow | AxFailure]:
    """Every method on every concept. The factor (strength) is chosen on one half of the questions and
    reported on the other. Emits Progress and every row; a method that fails is reported, the rest goes on.

    template: the steering prompt with {concept} in it. Raises InputError when it has no such place.
    """
    if "{concept}" not in template or len(questions) < 2:
        raise InputError(
            "The concepts cannot be compared",
            "The template has no {concept}." if "{concept}" not in template else "There are no 2 questions.",
            "Give a template with {concept} and at least 2 questions.",
        )
    run = _Run(speaker, judge, questions, tuple(factors), Cancel() if cancel is None else cancel)
    meter = Meter(emit, "concepts", len(concepts))
    found: list[AxRow | AxFailure] = []
    for concept in concepts:
        prompt = template.replace("{concept}", concept.text)
        for arm in parse_arms(methods, prompt):
            try:
                found.append(run.row(concept, prompt, arm))
            except LabError:
                raise
            except EngineError as error:
                found.append(AxFailure(concept.id, arm.name, str(error)))
            emit(found[-1])
        meter.step()
    return found


def harmonic(scores: np.ndarray) -> np.ndarray:
    """Of [..., 3] values from 0 to 2, per row: 0 where any is 0, NaN where any is missing."""
    positive: np.ndarray = np.all(scores > 0, axis=-1)
    safe = np.where(positive[..., None], scores, 1.0)
    means = scores.shape[-1] / (1 / safe).sum(-1)
    return np.where(np.isnan(scores).any(-1), np.nan, np.where(positive, means, 0.0))


class _Run:
    def __init__(
        self,
        speaker: Speaker,
        judge: Judge,
        questions: Sequence[str],
        factors: tuple[float, ...],
        cancel: Cancel,
    ) -> None:
        self._speaker, self._judge, self._factors, self._cancel = speaker, judge, factors, cancel
        asked = [Asked(question, i) for i, question in enumerate(questions)]
        self._choosing, self._reporting = asked[: len(asked) // 2], asked[len(asked) // 2 :]

    def row(self, concept: Concept, prompt: str, arm: Arm) -> AxRow:
        system = prompt if arm.prompted else None
        factor: float | None = None
        heads: list[tuple[Head, float]] = []
        if arm.request is not None:
            head = distill(self._speaker.model, arm.request, cancel=self._cancel).head
            tried = {f: self._judged(self._choosing, prompt, system, [(head, f)]) for f in self._factors}
            # A factor without any score is no candidate; a smaller one wins a tie.
            factor = max(tried, key=lambda f: (-1.0 if (m := mean(harmonic(tried[f]))) is None else m, -f))
            heads = [(head, factor)]
        scores = self._judged(self._reporting, prompt, system, heads)
        means = harmonic(scores)
        missing = int(np.isnan(means).sum())
        concept_score, instruct_score, fluency_score = (mean(scores[:, i]) for i in range(3))
        return AxRow(
            concept=concept.id,
            method=arm.name,
            factor=factor,
            score=mean(means),
            score_ci=interval(means[:, None]),
            concept_score=concept_score,
            instruct_score=instruct_score,
            fluency_score=fluency_score,
            n=len(means) - missing,
            missing=missing,
        )

    def _judged(
        self, asked: Sequence[Asked], prompt: str, system: str | None, heads: list[tuple[Head, float]]
    ) -> np.ndarray:
        """[answers, 3] from 0 to 2: concept, instruct, fluency."""
        self._cancel.check()
        texts = self._speaker.answers(asked, system, heads, self._cancel)
        pairs = list(zip(asked, texts, strict=True))
        shown = self._judge.judge([each.item(prompt, text) for each, text in pairs], self._cancel)
        related = self._judge.judge([each.item(ON_TOPIC, text) for each, text in pairs], self._cancel)
        rows = [(s.trait, r.trait, s.coherence) for s, r in zip(shown, related, strict=True)]
        return 2 * np.array([[np.nan if v is None else v for v in row] for row in rows])
