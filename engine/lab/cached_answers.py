"""Answers to a set of questions: batched, seeded, and none made twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.events import Cancel
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.lab.bootstrap import interval
from engine.lab.fingerprint import weights_digest
from engine.lab.judges import Disagreement, Judge, JudgedItem, Score, disagreement
from engine.lab.result_cache import ResultCache, content_key
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel

APART = 1_000_003  # between the seeds of answers to one question
_BATCH = 64
_REPEATED = 12  # answers that are judged twice to see how far the judge is from itself


@dataclass(frozen=True)
class Query:
    """One question, and the seed that its answer is drawn with. turns: what was said before it, in turns of
    the user and the assistant."""

    question: str
    seed: int
    turns: tuple[str, ...] = ()

    def messages(self) -> list[Message]:
        before = [Message(("user", "assistant")[i % 2], text) for i, text in enumerate(self.turns)]
        return [*before, Message("user", self.question)]

    def item(self, prompt: str, answer: str, rubric: str | None = None) -> JudgedItem:
        return JudgedItem(prompt, (*self.turns[::2], self.question), answer, rubric)


@dataclass(frozen=True)
class CachedGenerator:
    """A model whose answers are kept in `store` by everything that they depend on."""

    model: LanguageModel
    store: ResultCache
    sampling: Sampling

    def answers(
        self,
        asked: Sequence[Query],
        system: str | None,
        heads: Sequence[tuple[Head, float]],
        cancel: Cancel,
    ) -> list[str]:
        """One answer each, all in batches. heads: each with its strength; a strength of 0 is no head."""
        heads = [(head, strength) for head, strength in heads if strength]
        keys = [self._key(each, system, heads) for each in asked]
        known = self.store.get("answer", keys)
        missing = {key: each for key, each in zip(keys, asked, strict=True) if key not in known}
        todo = list(missing.items())
        for start in range(0, len(todo), _BATCH):
            some = todo[start : start + _BATCH]
            lanes = [
                Lane(
                    each.messages(),
                    system,
                    [head for head, _ in heads],
                    LiveStrengths([strength for _, strength in heads]),
                    each.seed,
                )
                for _, each in some
            ]
            found = generate(self.model, lanes, self.sampling, cancel=cancel)
            cancel.check()  # a run that was stopped has only beginnings
            made = {key: answer.text for (key, _), answer in zip(some, found, strict=True)}
            self.store.put("answer", made)
            known |= made
        return [known[key] for key in keys]

    def _key(self, asked: Query, system: str | None, heads: Sequence[tuple[Head, float]]) -> str:
        s = self.sampling
        return content_key(
            weights_digest(self.model),
            [s.temperature, s.top_k, s.top_p, s.max_tokens, s.stop],
            [system, *asked.turns, asked.question],
            [(head.digest, strength) for head, strength in heads],
            asked.seed,
        )


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers with their scores: [questions, seeds] each, NaN where the judge gave none."""

    traits: np.ndarray
    coherences: np.ndarray

    @property
    def missing(self) -> int:
        """How many answers lack a score."""
        return int((np.isnan(self.traits) | np.isnan(self.coherences)).sum())

    @property
    def n(self) -> int:
        return self.traits.size - self.missing

    @property
    def trait(self) -> float | None:
        return mean(self.traits)

    @property
    def coherence(self) -> float | None:
        return mean(self.coherences)

    @property
    def plain_traits(self) -> tuple[tuple[float | None, ...], ...]:
        """The traits as JSON can say them."""
        return tuple(tuple(None if np.isnan(v) else float(v) for v in row) for row in self.traits)

    def to_json(self, prefix: str = "") -> dict[str, Any]:
        """Its figures with their intervals, as JSON says them."""
        found = {
            "trait": self.trait, "trait_ci": interval(self.traits), "coherence": self.coherence,
            "coherence_ci": interval(self.coherences), "n": self.n, "missing": self.missing,
        }  # fmt: skip
        return {f"{prefix}{name}": value for name, value in found.items()}


def judged(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    questions: Sequence[str],
    seeds: Sequence[int],
    system: str | None,
    heads: Sequence[tuple[Head, float]],
    cancel: Cancel,
    rubric: str | None = None,
) -> Judged:
    """Answers every question with every seed and has all of them judged by what `prompt` asks for."""
    asked = queries(questions, seeds)
    _, scores = scored(generator, judge, prompt, asked, system, heads, cancel, rubric)
    return laid_out(scores, len(questions))


def queries(questions: Sequence[str], seeds: Sequence[int]) -> list[Query]:
    """Every question with every seed, mixed so that no two are drawn alike."""
    return [Query(question, seed * APART + i) for i, question in enumerate(questions) for seed in seeds]


def scored(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    asked: Sequence[Query],
    system: str | None,
    heads: Sequence[tuple[Head, float]],
    cancel: Cancel,
    rubric: str | None = None,
) -> tuple[list[str], list[Score]]:
    """The answers, and what the judge gives them for what `prompt` asks for."""
    texts = generator.answers(asked, system, heads, cancel)
    items = [each.item(prompt, text, rubric) for each, text in zip(asked, texts, strict=True)]
    return texts, list(judge.judge(items, cancel))


def judged_twice(
    generator: CachedGenerator,
    judge: Judge,
    prompt: str,
    questions: Sequence[str],
    cancel: Cancel,
    rubric: str | None = None,
) -> Disagreement:
    """How far the judge is from itself on the prompt's own answers to the first questions."""
    if judge.steady:
        return Disagreement(0.0, 0.0, 0)
    asked = queries(questions[:_REPEATED], (0,))
    texts = generator.answers(asked, prompt, [], cancel)
    items = [each.item(prompt, text, rubric) for each, text in zip(asked, texts, strict=True)]
    return disagreement(judge, items, cancel)


def laid_out(scores: Sequence[Score], rows: int) -> Judged:
    def array(values: Sequence[float | None]) -> np.ndarray:
        return np.array([np.nan if v is None else v for v in values], np.float64).reshape(rows, -1)

    return Judged(array([s.trait for s in scores]), array([s.coherence for s in scores]))


def mean(values: np.ndarray) -> float | None:
    """Over those that are there; None when none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
