"""Responses under the steering prompt: sampled in batches, recorded, judged and filtered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.distill.activation_recorder import ActivationRecorder, RecordedStates
from engine.distill.response_filter import ResponseFilter
from engine.distill.teacher_forcing import Response, learned_marks, shared_question
from engine.errors import InputError
from engine.events import Cancel, Emit, Progress
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.heads.head import Positions
from engine.model.chat_template import Message, Place, encode, placed
from engine.model.language_model import LanguageModel

_BATCH = 64
_THRESHOLD = 0.5  # of trait and coherence (engine/README.md, section 4)
_FEWEST = 2
_PACE_AFTER = 8  # tokens per response
_CHECKED, _CHECKED_TOKENS = 4, 16  # how many responses are checked, and when they are so long


Check = Callable[[list[Response], Tensor], None]
"""Is given the beginnings of the first responses and the trunk's prompted output there, [M, d]."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Samples responses to questions, records their states, and drops those not worth learning from.

    Attributes:
        model: the model.
        judge: scores trait and coherence; responses with less than 0.5 of either are dropped.
        positions: those that a head will learn from; their states are recorded.
        max_tokens: the longest response, in tokens.
        seed: of the sampling, at temperature 1.
        cancel: checked before every token.
        emit: is given Progress of the stage "responses".
        place: where the steering prompt goes.
        check: is called once, as soon as the first responses have begun; what it raises ends the sampling.
    """

    model: LanguageModel
    judge: ResponseFilter
    positions: Positions
    max_tokens: int
    seed: int
    cancel: Cancel
    emit: Emit
    place: Place = "system"
    check: Check | None = None

    def positives(self, prompt: str, questions: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """The responses under the prompt that are worth learning from, in the questions' order.

        Args:
            prompt: the steering prompt.
            questions: one response is sampled to each.

        Raises:
            InputError: when fewer than two are left: the model does not do what the prompt asks.
            Cancelled: when asked to stop.
        """
        kept, recorded = self._sample(prompt, questions)
        if len(kept) < _FEWEST:
            raise InputError(
                "The prompt was not distilled",
                f"Only {len(kept)} of {len(questions)} answers under it are coherent and show it.",
                "Rephrase the prompt, or use more training answers.",
            )
        return kept, recorded

    def negatives(self, prompt: str, questions: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """Coherent responses without the prompt that do not show what it asks for.

        Args:
            prompt: the steering prompt, for the judge alone.
            questions: one response is sampled to each.

        Raises:
            InputError: when none is left.
            Cancelled: when asked to stop.
        """
        kept, recorded = self._sample(prompt, questions, negative=True)
        if not kept:
            raise InputError(
                "The prompt was not distilled",
                f"None of {len(questions)} answers without it is coherent and free of what it asks for.",
                "Use no contrast answers, or more of them.",
            )
        return kept, recorded

    def unfiltered(self, prompt: str, questions: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """All responses under the prompt that are not empty."""
        return self._sample(prompt, questions, filtered=False)

    def _sample(
        self, prompt: str, questions: Sequence[str], negative: bool = False, filtered: bool = True
    ) -> tuple[list[Response], RecordedStates]:
        found: list[Response] = []
        parts: list[RecordedStates] = []
        for start in range(0, len(questions), _BATCH):
            responses, recorder = self._batch(prompt, questions[start : start + _BATCH], start, negative)
            kept = [
                i
                for i, response in enumerate(responses)
                if (self._worth(response) if filtered else response.ids)
            ]
            if kept:
                parts.append(recorder.states(kept, [len(responses[i].ids) for i in kept]))
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
        progress = _SamplingProgress(len(lanes), self.max_tokens * len(lanes), self.emit)
        with ActivationRecorder(model, marks) as recorder:
            first = _FirstResponses(questions, shared, recorder, None if start or negative else self.check)

            def on_token(token: Token) -> None:
                progress.step()
                first.take(token)

            generations = generate(
                model,
                lanes,
                sampling,
                cancel=self.cancel,
                on_token=on_token,
                on_forward=recorder.on_forward,
            )
        self.cancel.check()
        first.check()
        self.emit(Progress("responses", len(lanes), len(lanes), 0.0))
        judgements = self.judge.judge(model, prompt, questions, generations)
        responses = [
            Response(
                question=question,
                ids=tuple(g.trace.ids.tolist()),
                end=-1 if g.end is None else g.end,
                text=g.text,
                trait=judgement.trait,
                coherence=judgement.coherence,
                shared=count,
                negative=negative,
            )
            for question, g, judgement, count in zip(questions, generations, judgements, shared, strict=True)
        ]
        return responses, recorder


class _FirstResponses:
    """The beginnings of the first responses, until they are checked: while the others are being sampled."""

    def __init__(
        self,
        questions: Sequence[str],
        shared: Sequence[int],
        recorder: ActivationRecorder,
        check: Check | None,
    ) -> None:
        self._questions, self._shared, self._recorder, self._check = questions, shared, recorder, check
        self._ids: list[list[int]] = [[] for _ in questions[:_CHECKED]]

    def take(self, token: Token) -> None:
        if self._check is None or token.index >= _CHECKED_TOKENS:
            return
        if token.lane < len(self._ids):
            self._ids[token.lane].append(token.id)
        # The last lane's event of a step: all of the first ones have as many tokens, or have ended.
        if token.index == _CHECKED_TOKENS - 1 and token.lane >= len(self._ids) - 1:
            self.check()

    def check(self) -> None:
        """Checks them, if that was not done already."""
        if self._check is None:
            return
        check, self._check = self._check, None
        responses = [
            Response(
                question=question, ids=tuple(ids), end=-1, text="", trait=1.0, coherence=1.0, shared=shared
            )
            for question, ids, shared in zip(self._questions, self._ids, self._shared)
        ]
        lengths = [len(ids) for ids in self._ids]
        check(responses, self._recorder.last_states(range(len(lengths)), lengths))


class _SamplingProgress:
    """Emits the progress of a batch of responses, ten times a second at most."""

    def __init__(self, lanes: int, most: int, emit: Emit) -> None:
        self._lanes, self._most, self._emit = lanes, most, emit
        self._tokens, self._last, self._start = 0, 0.0, time.monotonic()
        emit(Progress("responses", 0, lanes))

    def step(self) -> None:
        self._tokens += 1
        now = time.monotonic()
        if now - self._last <= 0.1:
            return
        self._last = now
        # The first tokens include the prompts' time; their speed says nothing of the rest.
        known = self._tokens >= _PACE_AFTER * self._lanes
        eta = (now - self._start) / self._tokens * (self._most - self._tokens) if known else None
        self._emit(Progress("responses", self._tokens * self._lanes // self._most, self._lanes, eta))
