"""The answers behind a figure: what was said, and what each answer was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.distill import distill
from engine.events import Cancel
from engine.heads.head import Head
from engine.lab.cached_answers import Speaker, asked_with, scored
from engine.lab.judges import Judge
from engine.lab.method_specs import Arm


@dataclass(frozen=True)
class Spoken:
    """One answer; a score that the judge did not give is None."""

    question: str
    answer: str
    trait: float | None
    coherence: float | None


def transcript(
    speaker: Speaker,
    judge: Judge,
    prompt: str,
    questions: Sequence[str],
    seeds: Sequence[int],
    arm: Arm,
    strength: float,
    cancel: Cancel,
) -> list[Spoken]:
    """Every answer of `arm` at `strength`, in the order that it was measured in.

    The arm's head is distilled again from its seed; answers and scores are then found in the store, or made
    again where it was lost.
    """
    heads: list[tuple[Head, float]] = []
    if arm.request is not None:
        heads = [(distill(speaker.model, arm.request, cancel=cancel).head, strength)]
    asked = asked_with(questions, seeds)
    texts, scores = scored(speaker, judge, prompt, asked, prompt if arm.prompted else None, heads, cancel)
    return [
        Spoken(each.question, text, score.trait, score.coherence)
        for each, text, score in zip(asked, texts, scores, strict=True)
    ]
