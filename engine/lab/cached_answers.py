"""Answers to a set of questions: batched, seeded, and none generated twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.distill import Distillation, Request, distill
from engine.distill.prompt_place import choose_place
from engine.distill.questions import questions as training_questions
from engine.distill.request import PlaceOption
from engine.events import Cancel, Emit, ignore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.lab.bootstrap import interval
from engine.lab.fingerprint import weights_digest
from engine.lab.judges import Disagreement, Judge, JudgedItem, Score, disagreement
from engine.lab.result_cache import ResultCache, content_key
from engine.model.chat_template import Message, Place, placed
from engine.model.language_model import LanguageModel

APART = 1_000_003  # between the seeds of answers to one question
_BATCH = 64
_REPEATED = 12  # answers that are judged twice to see how far the judge is from itself


@dataclass(frozen=True)
class Query:
    """One question to be answered.

    Attributes:
        question: the question.
        seed: of the answer.
        turns: what was said before, in turns of the user and the assistant.
    """

    question: str
    seed: int
    turns: tuple[str, ...] = ()

    def messages(self) -> list[Message]:
        """The whole conversation as messages."""
        before = [Message(("user", "assistant")[i % 2], text) for i, text in enumerate(self.turns)]
        return [*before, Message("user", self.question)]

    def item(self, prompt: str, answer: str, rubric: str | None = None) -> JudgedItem:
        """What a judge is given.

        Args:
            prompt: what was asked for.
            answer: the answer.
            rubric: the trait's own judging prompt.
        """
        return JudgedItem(prompt, (*self.turns[::2], self.question), answer, rubric)


@dataclass(frozen=True)
class CachedGenerator:
    """A model whose answers are kept by everything that they depend on.

    Attributes:
        model: the model.
        store: where answers are kept.
        sampling: how they are sampled.
        place: where steering prompts go, see `engine.distill.Request`.
    """

    model: LanguageModel
    store: ResultCache
    sampling: Sampling
    place: PlaceOption = "automatic"
    _places: dict[str, Place] = field(default_factory=dict, init=False, repr=False, compare=False)

    def place_of(self, prompt: str, cancel: Cancel) -> Place:
        """Where a steering prompt goes; with "automatic" measured once per prompt."""
        if self.place != "automatic":
            return self.place
        if prompt not in self._places:
            asked = training_questions(self.model, 4, 0)
            self._places[prompt] = choose_place(self.model, prompt, asked, 0, cancel).place
        return self._places[prompt]

    def distilled(self, request: Request, cancel: Cancel, emit: Emit = ignore) -> Distillation:
        """A head from a prompt that stands where it stands in the prompted answers; see `distill`."""
        there = replace(request, place=self.place_of(request.prompt, cancel))
        return distill(self.model, there, cancel=cancel, emit=emit)

    def answers(
        self,
        asked: Sequence[Query],
        system: str | None,
        heads: Sequence[tuple[Head, float]],
        cancel: Cancel,
    ) -> list[str]:
        """One answer to each question, from the cache or generated in batches.

        Args:
            asked: the questions.
            system: the steering prompt, None for none.
            heads: each with its strength; a strength of 0 is no head.
            cancel: checked before every token.

        Raises:
            Cancelled: when asked to stop.
        """
        heads = [(head, strength) for head, strength in heads if strength]
        place = self.place_of(system, cancel) if system else "system"
        keys = [self._key(each, system, place, heads) for each in asked]
        known = self.store.get("answer", keys)
        missing = {key: each for key, each in zip(keys, asked, strict=True) if key not in known}
        todo = list(missing.items())
        for start in range(0, len(todo), _BATCH):
            some = todo[start : start + _BATCH]
            lanes = [
                Lane(
                    each.messages(),
                    heads=[head for head, _ in heads],
                    strengths=LiveStrengths([strength for _, strength in heads]),
                    seed=each.seed,
                    **placed(system, place),
                )
                for _, each in some
            ]
            found = generate(self.model, lanes, self.sampling, cancel=cancel)
            cancel.check()  # a run that was stopped has only beginnings
            made = {key: answer.text for (key, _), answer in zip(some, found, strict=True)}
            self.store.put("answer", made)
            known |= made
        return [known[key] for key in keys]

    def _key(
        self, asked: Query, system: str | None, place: Place, heads: Sequence[tuple[Head, float]]
    ) -> str:
        s = self.sampling
        penalty = [s.repetition_penalty] if s.repetition_penalty != 1 else []  # older keys stay valid
        return content_key(
            weights_digest(self.model),
            [s.temperature, s.top_k, s.top_p, s.max_tokens, s.stop, *penalty],
            [system if place == "system" else {place: system}, *asked.turns, asked.question],
            [(head.digest, strength) for head, strength in heads],
            asked.seed,
        )


@dataclass(frozen=True, eq=False)
class Judged:
    """The scores of answers, NaN where the judge gave none.

    Attributes:
        traits: [questions, seeds], in [0, 1].
        coherences: [questions, seeds], in [0, 1].
    """

    traits: np.ndarray
    coherences: np.ndarray

    @property
    def missing(self) -> int:
        """How many answers lack a score."""
        return int((np.isnan(self.traits) | np.isnan(self.coherences)).sum())

    @property
    def n(self) -> int:
        """How many answers have both scores."""
        return self.traits.size - self.missing

    @property
    def trait(self) -> float | None:
        """The mean, None without scores."""
        return mean(self.traits)

    @property
    def coherence(self) -> float | None:
        """The mean, None without scores."""
        return mean(self.coherences)

    @property
    def plain_traits(self) -> tuple[tuple[float | None, ...], ...]:
        """The traits as JSON holds them."""
        return tuple(tuple(None if np.isnan(v) else float(v) for v in row) for row in self.traits)

    def to_json(self, prefix: str = "") -> dict[str, Any]:
        """A JSON record of the means with their intervals.

        Args:
            prefix: of the names.
        """
        found = {
            "trait": self.trait, "trait_ci": interval(self.traits), "coherence": self.coherence,
            "coherence_ci": interval(self.coherences), "n": self.n, "missing": self.missing,
        }  # fmt: skip
        return {f"{prefix}{name}": value for name, value in found.items()}


def judged(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    *,
    questions: Sequence[str],
    seeds: Sequence[int],
    system: str | None,
    heads: Sequence[tuple[Head, float]],
    cancel: Cancel,
    rubric: str | None = None,
) -> Judged:
    """Answers every question with every seed and has all of them judged.

    Args:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        prompt: what the answers are judged by.
        questions: the questions.
        seeds: of the answers to each question.
        system: the steering prompt that is given, None for none.
        heads: each with its strength.
        cancel: stops it.
        rubric: the trait's own judging prompt.

    Raises:
        LabError: when the judge cannot be reached.
        Cancelled: when asked to stop.
    """
    asked = queries(questions, seeds)
    _, scores = scored(
        generator, judge, prompt, asked=asked, system=system, heads=heads, cancel=cancel, rubric=rubric
    )
    return as_judged(scores, len(questions))


def queries(questions: Sequence[str], seeds: Sequence[int]) -> list[Query]:
    """Every question with every seed; no two answers are drawn alike."""
    return [Query(question, seed * APART + i) for i, question in enumerate(questions) for seed in seeds]


def scored(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    *,
    asked: Sequence[Query],
    system: str | None,
    heads: Sequence[tuple[Head, float]],
    cancel: Cancel,
    rubric: str | None = None,
) -> tuple[list[str], list[Score]]:
    """The answers and their scores; arguments as of `judged`."""
    texts = generator.answers(asked, system, heads, cancel)
    items = [each.item(prompt, text, rubric) for each, text in zip(asked, texts, strict=True)]
    return texts, list(judge.judge(items, cancel))


def judged_twice(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    questions: Sequence[str],
    *,
    cancel: Cancel,
    rubric: str | None = None,
) -> Disagreement:
    """How far the judge is from itself, on the prompt's own answers to the first questions."""
    if judge.steady:
        return Disagreement(0.0, 0.0, 0)
    asked = queries(questions[:_REPEATED], (0,))
    texts = generator.answers(asked, prompt, [], cancel)
    items = [each.item(prompt, text, rubric) for each, text in zip(asked, texts, strict=True)]
    return disagreement(judge, items, cancel)


def as_judged(scores: Sequence[Score], rows: int) -> Judged:
    """The scores as arrays of so many rows."""

    def array(values: Sequence[float | None]) -> np.ndarray:
        return np.array([np.nan if v is None else v for v in values], np.float64).reshape(rows, -1)

    return Judged(array([s.trait for s in scores]), array([s.coherence for s in scores]))


def mean(values: np.ndarray) -> float | None:
    """The mean of the values that are there; None without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
