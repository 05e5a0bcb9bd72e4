"""The answers behind a figure: what was said, and what each answer was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.distill import distill
from engine.events import Cancel
from engine.heads.head import Head
from engine.lab.cached_answers import CachedGenerator, queries, scored
from engine.lab.judges import Judge
from engine.lab.method_specs import MethodSpec


@dataclass(frozen=True)
class TranscriptEntry:
    """One answer; a score that the judge did not give is None."""

    question: str
    answer: str
    trait: float | None
    coherence: float | None


def transcript(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    questions: Sequence[str],
    seeds: Sequence[int],
    spec: MethodSpec,
    strength: float,
    cancel: Cancel,
) -> list[TranscriptEntry]:
    """Every answer of `arm` at `strength`, in the order that it was measured in.

    The arm's head is distilled again from its seed; answers and scores are then found in the store, or made
    again where it was lost.
    """
    heads: list[tuple[Head, float]] = []
    if spec.request is not None:
        heads = [(distill(generator.model, spec.request, cancel=cancel).head, strength)]
    asked = queries(questions, seeds)
    texts, scores = scored(generator, judge, prompt, asked, prompt if spec.prompted else None, heads, cancel)
    return [
        TranscriptEntry(each.question, text, score.trait, score.coherence)
        for each, text, score in zip(asked, texts, scores, strict=True)
    ]
