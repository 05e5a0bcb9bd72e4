"""Which responses are worth learning from: by exact rules on Pocket, by likelihood elsewhere."""

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
    """Scores the responses of a distillation: trait and coherence of every answer, each in [0, 1].

    Attributes:
        name: of the filter.
        sees_traits: whether it can tell that a trait is missing.
    """

    name: str
    sees_traits: bool

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]: ...


class RuleFilter:
    """Pocket's rules: the least trait among the styles that the prompt names, 1 when it names none.

    An invented answer is well formed and false on purpose; its coherence is judged at 0.6.
    """

    name = "rules"
    sees_traits = True

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]:
        """See ResponseFilter."""
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
    """Without a judge of content: trait 1; coherence 1 or 0 by the answer's own likelihood under the prompt.

    Coherence is 0 when an answer's mean NLL per token is over the batch's median by more than 1 nat
    (garbled), or when under a quarter of its three-token sequences are distinct (looping). It costs nothing:
    the likelihoods come from sampling. The Lab's LikelihoodJudge measures something else, the likelihood
    under the unsteered model, and shares the measure of repetition.
    """

    name = "likelihood"
    sees_traits = False
    _MARGIN = 1.0

    def judge(
        self, model: LanguageModel, prompt: str, questions: Sequence[str], answers: Sequence[Generation]
    ) -> list[Judgement]:
        """See ResponseFilter."""
        losses = [-float(a.trace.logprobs.mean()) if len(a.trace) else float("inf") for a in answers]
        limit = statistics.median(losses) + self._MARGIN
        return [
            Judgement(1.0, float(loss <= limit and distinct_trigrams(a.trace.ids.tolist()) >= 0.25))
            for loss, a in zip(losses, answers, strict=True)
        ]
