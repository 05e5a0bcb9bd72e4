"""What depends on which model is distilled: Pocket, whose answers are judged by exact rules, or any other.

`kind_of` looks it up from a LanguageModel; nothing else asks whether a model is the bundled one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from engine.distill.response_filter import LikelihoodFilter, ResponseFilter, RuleFilter
from engine.model.chat_template import Place
from engine.model.language_model import LanguageModel
from engine.pocket.question_forms import FORMS, ask
from engine.pocket.topics import Topic, topics
from engine.pocket.wordings import EXAMPLES, styles_of, wordings

# Distillation never asks about these of Pocket's topics: heads are judged on what they have not seen.
_EVALUATION_TOPICS = 24


class ModelKind(Protocol):
    """One kind of model.

    Attributes:
        judge: who judges in the Lab by default, in the words of engine.lab.judges.open_judge.
        exact_rules: whether rules decide on traits and coherence.
        instant_responses: how many of them the recipe "instant" samples by default.
        response_tokens: the default length of a response to learn from, in tokens.
        examples: steering prompts that such models follow, the one that works best first.
        trained_place: where prompts stood when the model was trained, None where that is not known.
        response_filter: which responses are worth learning from.
    """

    judge: str
    exact_rules: bool
    examples: tuple[str, ...]
    trained_place: Place | None
    instant_responses: int
    response_tokens: int
    response_filter: ResponseFilter

    def training_questions(self) -> Sequence[str]:
        """Questions that responses are sampled to."""

    def evaluation_questions(self) -> Sequence[str]:
        """Questions that no distillation asks."""

    def paraphrase(self, prompt: str) -> str:
        """Another wording of a steering prompt: the reference line for how faithful a head could be."""

    def other_wordings(self, prompt: str, count: int) -> list[str]:
        """At most `count` other wordings of the prompt, none of them trained on; at least one."""


class PocketKind:
    """The bundled model: its own topics, styles with known wordings, and rules that judge them exactly."""

    judge = "pocket"
    exact_rules = True
    examples: tuple[str, ...] = EXAMPLES
    trained_place: Place | None = "system"
    instant_responses = 24
    response_tokens = 160
    response_filter: ResponseFilter = RuleFilter()

    def training_questions(self) -> Sequence[str]:
        return _pocket_questions(topics()[:-_EVALUATION_TOPICS])

    def evaluation_questions(self) -> Sequence[str]:
        return _pocket_questions(topics()[-_EVALUATION_TOPICS:])

    def paraphrase(self, prompt: str) -> str:
        others = " Also, ".join(w for style in styles_of(prompt) for w in wordings(style)[3:4])
        return others if others and others.lower() != prompt.strip().lower() else _as_instruction(prompt)

    def other_wordings(self, prompt: str, count: int) -> list[str]:
        styles = styles_of(prompt)
        if len(styles) != 1:
            return [self.paraphrase(prompt)]
        kept_out = [w for w in wordings(styles[0], held_out=True) if w != prompt]
        return kept_out[:: max(1, len(kept_out) // count)][:count]


class GeneralKind:
    """Any other model: general questions, its own likelihood as the filter, and itself as the judge."""

    judge = "self"
    exact_rules = False
    examples: tuple[
        str, ...
    ] = (  # SmolLM2-135M-Instruct, prompted, shows them in 0.92, 0.67 and 0.58 of its answers
        "Answer as a fairy tale that begins with 'Once upon a time'.",
        "Talk like a pirate.",
        "Answer in French.",
    )
    trained_place: Place | None = None
    instant_responses = 40
    response_tokens = 32
    response_filter: ResponseFilter = LikelihoodFilter()

    def training_questions(self) -> Sequence[str]:
        return _lines("questions")

    def evaluation_questions(self) -> Sequence[str]:
        return _lines("evaluation_questions")

    def paraphrase(self, prompt: str) -> str:
        return _as_instruction(prompt)

    def other_wordings(self, prompt: str, count: int) -> list[str]:
        return [_as_instruction(prompt)]


_POCKET: ModelKind = PocketKind()
_GENERAL: ModelKind = GeneralKind()


def kind_of(model: LanguageModel) -> ModelKind:
    """The kind of a loaded model."""
    return _POCKET if model.is_pocket else _GENERAL


def _as_instruction(prompt: str) -> str:
    return f"In all of your answers, follow this instruction: {prompt.strip()}"


def _pocket_questions(chosen: tuple[Topic, ...]) -> list[str]:
    """Half of them general, half about one aspect."""
    general = [ask(t, None, i).text for t in chosen for i in range(len(FORMS[None]))]
    aspects = [ask(t, a, i).text for t in chosen for a in FORMS if a for i in range(len(FORMS[a]))]
    rng = random.Random("pool")
    return general + rng.sample(aspects, len(general))


@cache
def _lines(name: str) -> tuple[str, ...]:
    return tuple((Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines())
