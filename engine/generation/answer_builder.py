"""One lane's answer while it grows: from sampled ids to events, its trace, and the reason it ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.generation.batch_steering import StepReadout
from engine.generation.context_window import TrimmedPrompt
from engine.generation.lanes import Lane
from engine.generation.result import Agreement, Generation, SpokenTurn, Stopped
from engine.generation.stop_strings import StopText
from engine.generation.trace import Alternative, Token, Trace
from engine.model.streaming_decoder import PieceDecoder


@dataclass(slots=True)
class _Waiting:
    """A token whose coefficients or whose place before a stop string are not known yet."""

    id: int
    text: str
    start: int
    logprob: float
    rank: int
    alternatives: tuple[Alternative, ...]
    done: StepReadout | None = None


class AnswerBuilder:
    """Collects one lane's tokens: `take` a chosen one, `feed` what its forward applied, `release` to tell."""

    def __init__(
        self,
        lane: int,
        *,
        started: float,
        decoder: PieceDecoder,
        limit: int,
        ends: frozenset[int],
        stops: tuple[str, ...],
        trace: Trace,
        on_token: Callable[[Token], object],
    ) -> None:
        self.stopped: Stopped | None = None
        self.trace = trace
        self.prompt: StepReadout | None = None  # what was done at the last prompt token
        self._lane, self._limit, self._ends = lane, limit, ends
        self._decoder, self._stops, self._on_token = decoder, StopText(stops), on_token
        self._waiting: deque[_Waiting] = deque()
        self._taken = 0
        self._end_token: int | None = None
        self._start, self._first, self._end = started, 0.0, 0.0
        if limit == 0:
            self.stopped = "length"

    @property
    def live(self) -> bool:
        """Whether the lane still needs forwards: to go on, or to learn its last token's coefficients."""
        return self.stopped is None or (bool(self._waiting) and self._waiting[-1].done is None)

    def take(self, token: int, logprob: float, rank: int, alternatives: tuple[Alternative, ...]) -> None:
        """The lane's next token was chosen."""
        if self._taken == 0:
            self._first = self._end = time.perf_counter()
        if token in self._ends:
            self._end_token = token
            self._stop("eos")
            return
        self._taken += 1
        text = self._decoder.push(token)
        self._waiting.append(_Waiting(token, text, self._stops.length, logprob, rank, alternatives))
        self._stops.push(text)
        if self._stops.cut is not None:
            self._cut(self._stops.cut)
            self.stopped = "stop"
        elif self._taken == self._limit:
            self._stop("length")

    def feed(self, done: StepReadout) -> None:
        """The last token taken went through the network, where this was done to it."""
        self._waiting[-1].done = done

    def release(self) -> None:
        """Tells of every token that is complete and stands before any possible stop string."""
        while self._waiting:
            ready = self._waiting[0]
            if ready.done is None or ready.start + len(ready.text) > self._stops.safe:
                break
            self._waiting.popleft()
            token = Token(
                self._lane, len(self.trace), ready.id, ready.text, ready.logprob, ready.rank,
                ready.alternatives, ready.done.strengths, ready.done.coefficients, ready.done.lengths,
                ready.done.truth, ready.done.gap,
            )  # fmt: skip
            self.trace.append(token)
            self._on_token(token)
            self._end = time.perf_counter()

    def cancel(self) -> None:
        """Ends a lane that has not ended by itself; what is complete stays."""
        if self.live:
            if self._waiting and self._waiting[-1].done is None:
                self._waiting.pop()
            self._stops.safe = self._stops.length
            self.stopped = "cancelled"
        self.release()

    def result(
        self, lane: Lane, fitted: TrimmedPrompt, compiled: bool, columns: int, agreement: Agreement | None
    ) -> Generation:
        count, end = len(self.trace), self._end or time.perf_counter()
        first = self._first or end
        nothing = np.zeros(self.trace.coefficients.shape[1], np.float32)
        used = np.array([self.prompt.strengths if self.prompt else lane.values()], np.float32)
        return Generation(
            trace=self.trace,
            text=self.trace.text,
            stopped=self.stopped or "cancelled",
            prompt_tokens=len(fitted.prompt.ids),
            cut=fitted.cut,
            prompt_coefficients=self.prompt.coefficients if self.prompt else nothing,
            said=SpokenTurn(
                tuple(self.trace.ids.tolist()),
                tuple(lane.heads),
                np.concatenate([used.reshape(1, len(lane.heads)), self.trace.strengths]),
            ),
            seconds=end - self._start,
            first_token_seconds=first - self._start,
            tokens_per_second=count / (end - first) if end > first else 0.0,
            seed=lane.seed,
            compiled=compiled,
            columns=columns,
            agreement=agreement,
            end=self._end_token,
        )

    def _stop(self, why: Stopped) -> None:
        """Ends at the last token: what it left of an unfinished character belongs to it."""
        self.stopped = why
        rest = self._decoder.flush()
        if self._waiting:
            self._waiting[-1].text += rest
            self._stops.push(rest)
        self._stops.safe = self._stops.length

    def _cut(self, at: int) -> None:
        """Drops the tokens behind a stop string's begin and trims the one that it begins in."""
        while self._waiting and self._waiting[-1].start >= at:
            self._waiting.pop()
        if self._waiting:
            last = self._waiting[-1]
            last.text = last.text[: at - last.start]
