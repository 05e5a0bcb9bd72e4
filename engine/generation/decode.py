"""The decode loop: lanes in, tokens with their applied coefficients out, one at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from engine.errors import Cancelled, ModelError
from engine.events import Begun, Cancel, ignore
from engine.generation.answer_builder import AnswerBuilder
from engine.generation.batch import Batch, interruptible
from engine.generation.batch_steering import BatchSteering
from engine.generation.compiled_step import CompiledStep
from engine.generation.context_window import TrimmedPrompt, trim_to_context, without
from engine.generation.kv_cache import growing_cache, plain
from engine.generation.lanes import Lane, require_sense, truth_lanes
from engine.generation.prefix_cache import CachedPrefix, PrefixCache
from engine.generation.result import Generation
from engine.generation.sampling import Sampling
from engine.generation.token_sampler import TokenSampler
from engine.generation.trace import ALTERNATIVES, Token, Trace
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel
from engine.model.memory import memory_guard
from engine.model.streaming_decoder import PieceDecoder, TokenTexts
from engine.model.threads import threads_for


def generate(
    model: LanguageModel,
    lanes: Sequence[Lane],
    sampling: Sampling,
    *,
    memory: PrefixCache | None = None,
    compiled: Sequence[CompiledStep] = (),
    cancel: Cancel | None = None,
    on_begin: Callable[[Begun], object] = ignore,
    on_token: Callable[[Token], object] = ignore,
    on_forward: Callable[[Sequence[int]], object] = ignore,
) -> list[Generation]:
    """Answers all lanes in one batch; one Generation per lane, in order.

    A token's coefficients are those applied at its own position, when it is fed back, so its event comes
    one forward after it was chosen; the last token is fed for that alone. Strengths are read before every
    forward. A stopped run returns what it has, marked "cancelled". memory: what earlier turns of these lanes
    left in the cache, and where this one leaves it. compiled: steps prepared for this model; the first that
    has room for the batch is used, and the Generation says so. Conversations that outgrow the context lose
    whole turns from the front: on_begin is told how many messages of each lane before anything is computed,
    and the Generation says it too. on_forward is told before every
    forward of the whole batch which lanes are its rows.
    Raises InputError (a lane that makes no sense, a turn that is too long), HeadError (a head that does
    not fit the model), ModelError (the chat template refuses, not a number in the logits, out of memory).
    Hooks are gone afterwards in any case.
    """
    if not lanes:
        return []
    require_sense(lanes)
    with memory_guard(
        "The answer was not generated",
        f"Memory ran out with {len(lanes)} lanes.",
        "Use fewer lanes, a shorter conversation, or a smaller model.",
    ):
        run = _DecodeRun(model, lanes, sampling, memory, compiled, on_token, on_forward)
        for begun in run.begun()[: len(lanes)]:
            on_begin(begun)
        with suppress(Cancelled), torch.inference_mode():
            run.go(cancel)
    return run.results()[: len(lanes)]


class _DecodeRun:
    """One call of `generate`: the lanes asked for, and behind them the two of every truth."""

    def __init__(
        self,
        model: LanguageModel,
        lanes: Sequence[Lane],
        sampling: Sampling,
        memory: PrefixCache | None,
        compiled: Sequence[CompiledStep],
        on_token: Callable[[Token], object],
        on_forward: Callable[[Sequence[int]], object],
    ) -> None:
        started = time.perf_counter()
        self._model, self._sampling = model, sampling
        self._compiled = compiled
        self._on_forward = on_forward
        self._stepped = False  # whether a compiled step was used
        self._columns = 0  # of the mix
        self._lanes, self._truths = [*lanes], []
        for index, lane in enumerate(lanes):
            if lane.truth is not None:
                self._truths.append((index, len(self._lanes), len(self._lanes) + 1))
                self._lanes += truth_lanes(lane, index)
        # Rows that were run alone can only be joined, and parted again, where the cache is plain.
        alone = len(self._lanes) == 1
        self._memory = memory if alone or plain(growing_cache(model.network.config)) else None
        self._leaders = [
            index if lane.follows is None else lane.follows for index, lane in enumerate(self._lanes)
        ]
        self._fitted = self._fit()
        self._lanes = [without(lane, fitted) for lane, fitted in zip(self._lanes, self._fitted, strict=True)]
        self._prompts = [fitted.prompt for fitted in self._fitted]
        self._room = max(fitted.room for fitted in self._fitted)
        self._choice = TokenSampler(self._lanes, self._leaders, self._room, sampling, model)
        self._fed: list[list[int]] = [[] for _ in self._lanes]  # the ids that went through the network
        self._used: list[list[tuple[float, ...]]] = [[] for _ in self._lanes]  # and their strengths
        self._answers = [
            self._answer(index, started, on_token if index < len(lanes) else ignore)
            for index in range(len(self._lanes))
        ]

    def begun(self) -> list[Begun]:
        """What the model will read, lane by lane."""
        return [Begun(lane, len(at.prompt.ids), at.cut) for lane, at in enumerate(self._fitted)]

    def go(self, cancel: Cancel | None) -> None:
        with (
            threads_for(self._model, len(self._lanes)),
            BatchSteering(self._model, self._lanes, self._prompts, self._truths) as applied,
        ):
            self._tables = applied.plan(self._prompts)
            with interruptible(self._model, cancel):
                batch, logits = self._prefill(applied)
            self._columns = applied.mix.rank
            need = len(self._lanes), self._columns, batch.width + self._room
            ready = next((step for step in self._compiled if step.fits(*need)), None)
            if ready is not None:
                batch.hand_over(ready, applied.mix)
                applied.hand_over(ready)
                self._stepped = True
            self._rows = list(range(len(self._lanes)))  # the lane of each row that is still in the batch
            with suppress(Cancelled):
                self._decode(batch, logits, applied, cancel)
            for index, row in enumerate(self._rows):
                self._remember(row, batch, index, applied.mix)

    def _prefill(self, applied: BatchSteering) -> tuple[Batch, Tensor]:
        """All prompts at once; with a memory one by one, each from where its past ends, or that of a lane
        before it if they have more in common: lanes that differ in their heads share all but a token."""
        lanes, answers, tables = range(len(self._lanes)), self._answers, self._tables
        if self._memory is None:
            batch = Batch(self._model, [prompt.ids for prompt in self._prompts])
            applied.prepare_prompt(batch.padded(tables))
            self._on_forward(lanes)
            logits = batch.prefill()
            for row, done in zip(lanes, applied.read(), strict=True):
                answers[row].prompt = done
            return batch, logits
        parts, ends, mix = [], [], applied.mix
        before: list[CachedPrefix] = []
        for row in lanes:
            ids, table, own = self._prompts[row].ids, tables[row], self._memory.take(row)
            known = before if own is None else [own, *before]
            past = max(known, key=lambda past: past.shared(ids, table, mix), default=None)
            if past is not None and past is not own:
                past = past.copy()
            alone = Batch(self._model, [ids], *(past.usable(ids, table, mix) if past else ()))
            applied.select([row])
            applied.prepare_prompt(alone.padded([table]))
            ends.append(alone.prefill())
            [answers[row].prompt] = applied.read()
            parts.append(alone)
            if len(lanes) > 1:
                before.append(CachedPrefix(list(ids), mix.heads, table, alone.cache_of(0)))
        applied.select(lanes)
        return Batch.of(self._model, parts, [prompt.ids for prompt in self._prompts]), torch.cat(ends)

    def _decode(
        self,
        batch: Batch,
        logits: Tensor,
        applied: BatchSteering,
        cancel: Cancel | None,
    ) -> None:
        answers = self._answers
        texts = TokenTexts(self._model.tokenizer)
        choice = self._choice
        for count in range(self._room + 1):
            ids = choice(logits, count)
            figures = _figures(logits, ids)
            for row, (chosen, own, rank, best, values) in zip(self._rows, figures, strict=True):
                if answers[row].stopped is None:
                    named = tuple([(i, texts[i], math.exp(v)) for i, v in zip(best, values, strict=True)])
                    answers[row].take(chosen, own, rank, named)
                answers[row].release()
            live = [index for index, row in enumerate(self._rows) if answers[row].live]
            if not live:
                return
            if len(live) < len(self._rows) and batch.droppable:
                for index, row in enumerate(self._rows):
                    if index not in live:
                        self._remember(row, batch, index, applied.mix)
                self._rows, ids = [self._rows[index] for index in live], ids[live]
                figures = [figures[index] for index in live]
                batch.keep(live)
                choice.keep(live)
                applied.select(self._rows)
            if cancel is not None:
                cancel.check()
            applied.prepare_step()
            self._on_forward(self._rows)
            logits = batch.step(ids)
            for row, (chosen, *_), done in zip(self._rows, figures, applied.read(), strict=True):
                self._fed[row].append(chosen)
                self._used[row].append(done.strengths)
                if answers[row].live:
                    answers[row].feed(done)

    def _remember(self, lane: int, batch: Batch, row: int, mix: Mix) -> None:
        if self._memory is None:
            return
        told = [mix.spread(self._lanes[lane].heads, values) for values in self._used[lane]]
        ids = [*self._prompts[lane].ids, *self._fed[lane]]
        strengths = np.concatenate([self._tables[lane], np.array(told).reshape(len(told), mix.rank)])
        self._memory.keep(lane, CachedPrefix(ids, mix.heads, strengths, batch.cache_of(row)))

    def results(self) -> list[Generation]:
        for answer in self._answers:
            answer.cancel()
        return [
            answer.result(lane, fitted, self._stepped, self._columns, self._choice.agreement(index))
            for index, (answer, lane, fitted) in enumerate(
                zip(self._answers, self._lanes, self._fitted, strict=True)
            )
        ]

    def _answer(self, index: int, started: float, on_token: Callable[[Token], object]) -> AnswerBuilder:
        """A lane that follows another one ends where that one does, for the very same reasons."""
        free = self._lanes[self._leaders[index]].forced is None
        return AnswerBuilder(
            index,
            decoder=PieceDecoder(self._model.tokenizer),
            started=started,
            limit=self._fitted[index].room,
            ends=self._model.eos_ids if free else frozenset(),
            stops=(*self._sampling.stop, *self._model.stops) if free else (),
            trace=Trace(len(self._lanes[index].heads), len(self._model.blocks)),
            on_token=on_token,
        )

    def _fit(self) -> list[TrimmedPrompt]:
        """Every lane together with those that follow it."""
        found: dict[int, TrimmedPrompt] = {}
        for leader in dict.fromkeys(self._leaders):
            group = [index for index, other in enumerate(self._leaders) if other == leader]
            forced = self._lanes[leader].forced
            wanted = self._sampling.max_tokens if forced is None else len(forced)
            fitted = trim_to_context(self._model, [self._lanes[index] for index in group], wanted)
            found |= dict(zip(group, fitted, strict=True))
        return [found[index] for index in range(len(self._lanes))]


def _figures(logits: Tensor, ids: Tensor) -> list[tuple[int, float, int, list[int], list[float]]]:
    """Per row the chosen id, its logprob and rank, the likeliest ids and their logprobs.

    Few and plain tensor operations: on a small model each costs a noticeable share of a step.
    Raises ModelError when the logits are no numbers.
    """
    scores = logits.float().log_softmax(-1)
    best, names = scores.topk(min(ALTERNATIVES, scores.shape[-1]))
    rows = []
    for row, (chosen, likeliest, values) in enumerate(
        zip(ids.tolist(), names.tolist(), best.tolist(), strict=True)
    ):
        if not math.isfinite(values[0]):
            raise ModelError(
                "The answer stopped early",
                "The model produced NaN or infinite values.",
                "Lower the strengths; if they are low already, load the model in float32.",
            )
        if chosen in likeliest:
            place = likeliest.index(chosen)
            own, rank = values[place], place + 1
        else:
            own = float(scores[row, chosen])
            rank = int((scores[row] > own).sum()) + 1
        rows.append((chosen, own, rank, likeliest, values))
    return rows
