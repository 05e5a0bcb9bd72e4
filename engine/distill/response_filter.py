"""Who says which responses are worth learning from: Pocket's exact rules, or likelihood elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Protocol

from engine.distill.repetition import distinct_trigrams
from engine.generation.result import Generation
from engine.model.language_model import LanguageModel
from engine.pocket.rules import Judgement, coherence, trait
from engine.pocket.wordings import styles_of


class ResponseFilter(Protocol):
    """Trait and coherence in [0, 1] for every answer; sees_traits: whether it notices a missing one."""

    name: str
    sees_traits: bool

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]: ...


class RuleFilter:
    """Pocket's rules: the least trait among the styles that the prompt names (1 when it names none)."""

    name = "rules"
    sees_traits = True

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]:
        styles = styles_of(prompt)
        return [
            Judgement(
                min((trait(style, a.text, q) for style in styles), default=1.0),
                # An invented answer is well formed and false on purpose; its coherence is judged at 0.6.
                coherence(a.text, q),
            )
            for q, a in zip(questions, answers, strict=True)
        ]


class LikelihoodFilter:
    """Without a judge of content: trait 1, coherence by the answer's own likelihood.

    An answer counts as incoherent when its mean NLL per token lies over the batch's median by more than
    1 nat (garbled), or when under a quarter of its three-token sequences are distinct (looping).
    """

    name = "likelihood"
    sees_traits = False
    _MARGIN = 1.0

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]:
        losses = [-float(a.trace.logprobs.mean()) if len(a.trace) else float("inf") for a in answers]
        limit = statistics.median(losses) + self._MARGIN
        return [
            Judgement(1.0, float(loss <= limit and distinct_trigrams(a.trace.ids.tolist()) >= 0.25))
            for loss, a in zip(losses, answers, strict=True)
        ]
