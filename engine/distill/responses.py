"""Responses under the steering prompt: sampled in batches, judged, filtered, and overheard meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.distill.activation_recorder import ActivationRecorder, RecordedStates
from engine.distill.response_filter import ResponseFilter
from engine.distill.teacher_forcing import Response, learned_marks, shared_question
from engine.errors import InputError
from engine.events import Cancel, Emit, Progress
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head import Positions
from engine.model.chat_template import Message, Place, encode, placed
from engine.model.language_model import LanguageModel

_BATCH = 64
_THRESHOLD = 0.5  # METHOD.md section 3: less coherent responses and those without the trait are dropped
_FEWEST = 2
_PACE_AFTER = 8  # tokens per response


@dataclass(frozen=True)
class Sampler:
    """Samples responses to questions. positions: those that a head will learn from, which are overheard."""

    model: LanguageModel
    judge: ResponseFilter
    positions: Positions
    max_tokens: int
    seed: int
    cancel: Cancel
    emit: Emit
    place: Place = "system"

    def positives(self, prompt: str, questions: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """The responses under the prompt that are worth learning from, in the questions' order.

        Raises InputError when fewer than two are: the model does not do what the prompt asks.
        """
        kept, heard = self._sample(prompt, questions)
        if len(kept) < _FEWEST:
            raise InputError(
                "The prompt was not distilled",
                f"Only {len(kept)} of {len(questions)} answers under it are coherent and show it.",
                "Rephrase the prompt, or use more training answers.",
            )
        return kept, heard

    def negatives(self, prompt: str, questions: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """Coherent responses without the prompt that do not show what it asks for.

        Raises InputError when there are none.
        """
        kept, heard = self._sample(prompt, questions, negative=True)
        if not kept:
            raise InputError(
                "The prompt was not distilled",
                f"None of {len(questions)} answers without it is coherent and free of what it asks for.",
                "Use no contrast answers, or more of them.",
            )
        return kept, heard

    def _sample(
        self, prompt: str, questions: Sequence[str], negative: bool = False
    ) -> tuple[list[Response], RecordedStates]:
        found: list[Response] = []
        parts: list[RecordedStates] = []
        for start in range(0, len(questions), _BATCH):
            responses, hearing = self._batch(prompt, questions[start : start + _BATCH], start, negative)
            kept = [i for i, response in enumerate(responses) if self._worth(response)]
            if kept:
                parts.append(hearing.of(kept, [len(responses[i].ids) for i in kept]))
                found += [responses[i] for i in kept]
        return found, RecordedStates.joined(parts)

    def _worth(self, response: Response) -> bool:
        shown = response.trait >= _THRESHOLD
        fits = (not shown or not self.judge.sees_traits) if response.negative else shown
        return bool(response.ids) and response.coherence >= _THRESHOLD and fits

    def _batch(
        self, prompt: str, questions: Sequence[str], start: int, negative: bool
    ) -> tuple[list[Response], ActivationRecorder]:
        model, seed = self.model, self.seed + start
        texts = placed(None if negative else prompt, self.place)
        lanes = [
            Lane([Message("user", question)], seed=seed * 100_003 + i, **texts)
            for i, question in enumerate(questions)
        ]
        shared, marks = [], []
        for lane in lanes:
            asked, bare = encode(model, lane.messages, **texts), encode(model, lane.messages)
            shared.append(0 if negative or self.positions == "response" else shared_question(asked, bare))
            marks.append([False] * len(asked.ids) if negative else learned_marks(asked, shared[-1]))
        sampling = Sampling(temperature=1.0, max_tokens=self.max_tokens)
        with ActivationRecorder(model, marks) as hearing:
            generations = generate(
                model,
                lanes,
                sampling,
                cancel=self.cancel,
                on_token=self._counter(len(lanes)),
                on_forward=hearing.on_forward,
            )
        self.cancel.check()
        self.emit(Progress("responses", len(lanes), len(lanes), 0.0))
        judgements = self.judge.judge(model, prompt, questions, generations)
        responses = [
            Response(
                question,
                tuple(int(i) for i in g.trace.ids),
                -1 if g.end is None else g.end,
                g.text,
                judgement.trait,
                judgement.coherence,
                count,
                negative,
            )
            for question, g, judgement, count in zip(questions, generations, judgements, shared, strict=True)
        ]
        return responses, hearing

    def _counter(self, lanes: int) -> _Counter:
        return _Counter(lanes, self.max_tokens * lanes, self.emit)


class _Counter:
    """Tells the progress of a batch of responses, ten times a second at most."""

    def __init__(self, lanes: int, most: int, emit: Emit) -> None:
        self._lanes, self._most, self._emit = lanes, most, emit
        self._told, self._last, self._start = 0, 0.0, time.monotonic()
        emit(Progress("responses", 0, lanes))

    def __call__(self, token: object) -> None:
        self._told += 1
        now = time.monotonic()
        if now - self._last <= 0.1:
            return
        self._last = now
        # The first tokens carry the prompts' own time; their pace says nothing of the rest.
        known = self._told >= _PACE_AFTER * self._lanes
        eta = (now - self._start) / self._told * (self._most - self._told) if known else None
        self._emit(Progress("responses", self._told * self._lanes // self._most, self._lanes, eta))
