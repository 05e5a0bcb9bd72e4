"""One lane's answer while it grows: from chosen ids to finished tokens, its trace, and why it ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.generation.batch_steering import StepReadout
from engine.generation.context_window import TrimmedPrompt
from engine.generation.lanes import Lane
from engine.generation.result import Agreement, Generation, SteeredTokens, Stopped
from engine.generation.stop_strings import StopText
from engine.generation.trace import Alternative, Token, Trace
from engine.model.streaming_decoder import PieceDecoder


@dataclass(slots=True)
class _PendingToken:
    """A chosen token that is not finished: its readout is missing, or a stop string may begin in it.

    start: where its text begins in the answer, in characters.
    """

    id: int
    text: str
    start: int
    logprob: float
    rank: int
    alternatives: tuple[Alternative, ...]
    readout: StepReadout | None = None


class AnswerBuilder:
    """Collects the tokens of one lane.

    Per step the decode loop calls `add_token` with what was chosen, `add_readout` once that token has been
    through the network, and `emit_finished`.

    Args:
        lane: index of the lane, which its tokens carry.
        started: time.perf_counter() at the call of `generate`.
        decoder: makes text of the ids.
        limit: the most tokens.
        ends: ids of end tokens.
        stops: stop strings.
        trace: an empty trace.
        on_token: called with every finished token.

    Attributes:
        stopped: why the answer ended; None while it grows.
        trace: the finished tokens.
        prompt_readout: what the forward pass did at the last prompt token, set by the decode loop.
    """

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
        self.prompt_readout: StepReadout | None = None
        self._lane, self._limit, self._ends = lane, limit, ends
        self._decoder, self._stops, self._on_token = decoder, StopText(stops), on_token
        self._pending: deque[_PendingToken] = deque()
        self._count = 0
        self._end_token: int | None = None
        self._start, self._first_token, self._end = started, 0.0, 0.0
        if limit == 0:
            self.stopped = "length"

    @property
    def needs_forward(self) -> bool:
        """Whether the lane needs another forward pass: to go on, or for its last token's readout."""
        return self.stopped is None or (bool(self._pending) and self._pending[-1].readout is None)

    def add_token(self, token: int, logprob: float, rank: int, alternatives: tuple[Alternative, ...]) -> None:
        """Takes the next chosen token; arguments as in trace.Token."""
        if self._count == 0:
            self._first_token = self._end = time.perf_counter()
        if token in self._ends:
            self._end_token = token
            self._stop("eos")
            return
        self._count += 1
        text = self._decoder.push(token)
        self._pending.append(_PendingToken(token, text, self._stops.length, logprob, rank, alternatives))
        self._stops.push(text)
        if self._stops.cut is not None:
            self._truncate(self._stops.cut)
            self.stopped = "stop"
        elif self._count == self._limit:
            self._stop("length")

    def add_readout(self, readout: StepReadout) -> None:
        """Takes what the forward pass did at the position of the last token."""
        self._pending[-1].readout = readout

    def emit_finished(self) -> None:
        """Appends to the trace, and passes to on_token, every token that can no longer change."""
        while self._pending:
            ready = self._pending[0]
            if ready.readout is None or ready.start + len(ready.text) > self._stops.safe:
                break
            self._pending.popleft()
            token = Token(
                lane=self._lane,
                index=len(self.trace),
                id=ready.id,
                text=ready.text,
                logprob=ready.logprob,
                rank=ready.rank,
                alternatives=ready.alternatives,
                strengths=ready.readout.strengths,
                coefficients=ready.readout.coefficients,
                lengths=ready.readout.lengths,
                prompt_effect=ready.readout.prompt_effect,
                distance_to_prompt=ready.readout.distance_to_prompt,
            )
            self.trace.append(token)
            self._on_token(token)
            self._end = time.perf_counter()

    def cancel(self) -> None:
        """Ends a lane that has not ended by itself; tokens with a readout are kept."""
        if self.needs_forward:
            if self._pending and self._pending[-1].readout is None:
                self._pending.pop()
            self._stops.safe = self._stops.length
            self.stopped = "cancelled"
        self.emit_finished()

    def result(
        self,
        lane: Lane,
        trimmed: TrimmedPrompt,
        *,
        compiled: bool,
        columns: int,
        agreement: Agreement | None,
    ) -> Generation:
        """The answer as it stands.

        Args:
            lane: the lane that was answered.
            trimmed: its prompt.
            compiled: whether a compiled step was used.
            columns: of the batch's mix.
            agreement: with the lane's record, if it has one.
        """
        count, end = len(self.trace), self._end or time.perf_counter()
        first = self._first_token or end
        readout = self.prompt_readout
        at_prompt = np.array([readout.strengths if readout else lane.current_strengths()], np.float32)
        blocks = self.trace.coefficients.shape[1]
        return Generation(
            trace=self.trace,
            text=self.trace.text,
            stopped=self.stopped or "cancelled",
            prompt_tokens=len(trimmed.prompt.ids),
            cut=trimmed.cut,
            prompt_coefficients=readout.coefficients if readout else np.zeros(blocks, np.float32),
            tokens=SteeredTokens(
                tuple(self.trace.ids.tolist()),
                tuple(lane.heads),
                np.concatenate([at_prompt.reshape(1, len(lane.heads)), self.trace.strengths]),
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
        """Ends at the last token; what is left of an unfinished character is added to its text."""
        self.stopped = why
        rest = self._decoder.flush()
        if self._pending:
            self._pending[-1].text += rest
            self._stops.push(rest)
        self._stops.safe = self._stops.length

    def _truncate(self, length: int) -> None:
        """Cuts the text to `length` characters: drops tokens behind it, trims the one that it ends in."""
        while self._pending and self._pending[-1].start >= length:
            self._pending.pop()
        if self._pending:
            last = self._pending[-1]
            last.text = last.text[: length - last.start]
