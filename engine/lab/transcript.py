"""The answers behind a figure, with their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.events import Cancel
from engine.heads.head import Head
from engine.lab.cached_answers import CachedGenerator, queries, scored
from engine.lab.judges import Judge
from engine.lab.method_specs import MethodSpec


@dataclass(frozen=True)
class TranscriptEntry:
    """One answer.

    Attributes:
        question: the question.
        answer: the answer.
        trait: its score, None where the judge gave none.
        coherence: the same.
    """

    question: str
    answer: str
    trait: float | None
    coherence: float | None


def transcript(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    *,
    questions: Sequence[str],
    seeds: Sequence[int],
    spec: MethodSpec,
    strength: float,
    cancel: Cancel,
) -> list[TranscriptEntry]:
    """Every answer of a method at a strength, in the order that it was measured in.

    The head is distilled again from its seed; answers and scores are in the cache then, or are made again.

    Args:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        prompt: the steering prompt.
        questions: the questions.
        seeds: of the answers to each question.
        spec: the method.
        strength: of its head.
        cancel: stops it.
    """
    heads: list[tuple[Head, float]] = []
    if spec.request is not None:
        heads = [(generator.distilled(spec.request, cancel).head, strength)]
    asked = queries(questions, seeds)
    texts, scores = scored(
        generator,
        judge,
        prompt,
        asked=asked,
        system=prompt if spec.prompted else None,
        heads=heads,
        cancel=cancel,
    )
    return [
        TranscriptEntry(each.question, text, score.trait, score.coherence)
        for each, text, score in zip(asked, texts, scores, strict=True)
    ]
