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
from engine.events import Cancel, PrefillStart, ignore
from engine.generation.answer_builder import AnswerBuilder
from engine.generation.batch import Batch, interruptible
from engine.generation.batch_steering import BatchSteering
from engine.generation.compiled_step import CompiledStep
from engine.generation.context_window import TrimmedPrompt, trim_to_context, trimmed_lane
from engine.generation.kv_cache import can_truncate, growing_cache
from engine.generation.lanes import Lane, reference_lanes, validate_lanes
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
    prefix_cache: PrefixCache | None = None,
    compiled: Sequence[CompiledStep] = (),
    cancel: Cancel | None = None,
    on_prefill: Callable[[PrefillStart], object] = ignore,
    on_token: Callable[[Token], object] = ignore,
    on_forward: Callable[[Sequence[int]], object] = ignore,
) -> list[Generation]:
    """Answers all lanes in one batch.

    A token's coefficients are those applied at its own position, when it is the network's input; its event
    therefore comes one forward pass after it was chosen, and the last token is run for that alone. Strengths
    are read before every forward pass. A conversation that is too long for the context loses whole turns
    from the front. No hook is left on the model afterwards, whatever happens.

    Args:
        model: the model that answers.
        lanes: what to answer.
        sampling: temperature, top-k, top-p, repetition penalty, token limit and stop strings of all
            lanes.
        prefix_cache: what earlier turns of these lanes left there is not run again; this run is added.
        compiled: steps prepared for this model; the first that is large enough for the batch is used.
        cancel: stops the run; the answers so far are returned as "cancelled".
        on_prefill: called once per lane before anything is computed.
        on_token: called with every finished token.
        on_forward: called before every forward pass of the whole batch with the lanes that are its rows.

    Returns:
        One Generation per lane, in order.

    Raises:
        InputError: a lane that cannot be answered, or a last turn that is too long.
        HeadError: a head does not fit the model.
        ModelError: the chat template refuses a conversation, the logits are not finite, or memory runs out.
    """
    if not lanes:
        return []
    validate_lanes(lanes)
    with memory_guard(
        "The answer was not generated",
        f"Memory ran out with {len(lanes)} lanes.",
        "Use fewer lanes, a shorter conversation, or a smaller model.",
    ):
        run = _DecodeRun(model, lanes, sampling, prefix_cache, compiled, on_token, on_forward)
        for event in run.prefill_events()[: len(lanes)]:
            on_prefill(event)
        with suppress(Cancelled), torch.inference_mode():
            run.run(cancel)
    return run.results()[: len(lanes)]


class _DecodeRun:
    """One call of `generate`: its lanes, and behind them the two reference lanes of each that has any."""

    def __init__(
        self,
        model: LanguageModel,
        lanes: Sequence[Lane],
        sampling: Sampling,
        prefix_cache: PrefixCache | None,
        compiled: Sequence[CompiledStep],
        on_token: Callable[[Token], object],
        on_forward: Callable[[Sequence[int]], object],
    ) -> None:
        started = time.perf_counter()
        self._model, self._sampling = model, sampling
        self._compiled_steps = compiled
        self._on_forward = on_forward
        self._uses_compiled = False
        self._columns = 0  # of the mix
        self._lanes, self._references = [*lanes], []
        for index, lane in enumerate(lanes):
            if lane.reference_prompt is not None:
                self._references.append((index, len(self._lanes), len(self._lanes) + 1))
                self._lanes += reference_lanes(lane, index)
        # With a prefix cache, rows are prefilled alone and then joined: not every kind of cache allows that.
        joinable = len(self._lanes) == 1 or can_truncate(growing_cache(model.network.config))
        self._prefix_cache = prefix_cache if joinable else None
        self._leaders = [
            index if lane.follows is None else lane.follows for index, lane in enumerate(self._lanes)
        ]
        self._trimmed = self._trim()
        self._lanes = [trimmed_lane(*pair) for pair in zip(self._lanes, self._trimmed, strict=True)]
        self._prompts = [trimmed.prompt for trimmed in self._trimmed]
        self._longest = max(trimmed.max_new_tokens for trimmed in self._trimmed)
        self._sampler = TokenSampler(
            self._lanes,
            [prompt.ids for prompt in self._prompts],
            self._leaders,
            self._longest,
            sampling,
            model,
        )
        # Per lane the ids of the answer that went through the network, and the strengths at each.
        self._run_ids: list[list[int]] = [[] for _ in self._lanes]
        self._run_strengths: list[list[tuple[float, ...]]] = [[] for _ in self._lanes]
        self._answers = [
            self._answer(index, started, on_token if index < len(lanes) else ignore)
            for index in range(len(self._lanes))
        ]

    def prefill_events(self) -> list[PrefillStart]:
        return [
            PrefillStart(lane, len(trimmed.prompt.ids), trimmed.cut)
            for lane, trimmed in enumerate(self._trimmed)
        ]

    def run(self, cancel: Cancel | None) -> None:
        """Raises Cancelled when it is stopped before the first token."""
        with (
            threads_for(self._model, len(self._lanes)),
            BatchSteering(self._model, self._lanes, self._prompts, self._references) as steering,
        ):
            self._prompt_strengths = steering.prompt_strengths(self._prompts)
            with interruptible(self._model, cancel):
                batch, logits = self._prefill(steering)
            self._columns = steering.mix.rank
            size = len(self._lanes), self._columns, batch.width + self._longest
            step = next((step for step in self._compiled_steps if step.supports(*size)), None)
            if step is not None:
                batch.use_compiled(step, steering.mix)
                steering.use_compiled(step)
                self._uses_compiled = True
            self._rows = list(range(len(self._lanes)))  # the lane of each row that is still in the batch
            with suppress(Cancelled):
                self._decode(batch, logits, steering, cancel)
            for row, lane in enumerate(self._rows):
                self._store_prefix(lane, batch, row, steering.mix)

    def _prefill(self, steering: BatchSteering) -> tuple[Batch, Tensor]:
        """Runs the prompts: all at once, or with a prefix cache one by one.

        Each then starts from its own cached prefix or from the prompt of a lane before it, whichever is
        longer: lanes that differ in their heads alone have all but the last token in common.
        """
        lanes, answers, strengths = range(len(self._lanes)), self._answers, self._prompt_strengths
        if self._prefix_cache is None:
            batch = Batch(self._model, [prompt.ids for prompt in self._prompts])
            steering.prepare_prompt(batch.padded(strengths))
            self._on_forward(lanes)
            logits = batch.prefill()
            for lane, readout in zip(lanes, steering.read(), strict=True):
                answers[lane].prompt_readout = readout
            return batch, logits
        batches, logits_of_rows, mix = [], [], steering.mix
        prefilled: list[CachedPrefix] = []
        for lane in lanes:
            ids, table, own = self._prompts[lane].ids, strengths[lane], self._prefix_cache.take(lane)
            candidates = prefilled if own is None else [own, *prefilled]
            prefix = max(candidates, key=lambda known: known.common_length(ids, table, mix), default=None)
            if prefix is not None and prefix is not own:
                prefix = prefix.copy()
            single = Batch(self._model, [ids], *(prefix.reuse(ids, table, mix) if prefix else ()))
            steering.keep_lanes([lane])
            steering.prepare_prompt(single.padded([table]))
            logits_of_rows.append(single.prefill())
            [answers[lane].prompt_readout] = steering.read()
            batches.append(single)
            if len(lanes) > 1:
                prefilled.append(CachedPrefix(list(ids), mix.heads, table, single.cache_of(0)))
        steering.keep_lanes(lanes)
        batch = Batch.of(self._model, batches, [prompt.ids for prompt in self._prompts])
        return batch, torch.cat(logits_of_rows)

    def _decode(self, batch: Batch, logits: Tensor, steering: BatchSteering, cancel: Cancel | None) -> None:
        answers, sampler = self._answers, self._sampler
        texts = TokenTexts(self._model.tokenizer)
        for number in range(self._longest + 1):
            ids = sampler(logits, number)
            statistics = _token_statistics(logits, ids)
            for lane, (token, logprob, rank, best, values) in zip(self._rows, statistics, strict=True):
                if answers[lane].stopped is None:
                    named = tuple([(i, texts[i], math.exp(v)) for i, v in zip(best, values, strict=True)])
                    answers[lane].add_token(token, logprob, rank, named)
                answers[lane].emit_finished()
            rows = [row for row, lane in enumerate(self._rows) if answers[lane].needs_forward]
            if not rows:
                return
            if len(rows) < len(self._rows) and batch.can_drop_rows:
                for row, lane in enumerate(self._rows):
                    if row not in rows:
                        self._store_prefix(lane, batch, row, steering.mix)
                self._rows, ids = [self._rows[row] for row in rows], ids[rows]
                statistics = [statistics[row] for row in rows]
                batch.keep_rows(rows)
                sampler.keep_rows(rows)
                steering.keep_lanes(self._rows)
            if cancel is not None:
                cancel.check()
            steering.prepare_step()
            self._on_forward(self._rows)
            logits = batch.step(ids)
            for lane, (token, *_), readout in zip(self._rows, statistics, steering.read(), strict=True):
                self._run_ids[lane].append(token)
                self._run_strengths[lane].append(readout.strengths)
                if answers[lane].needs_forward:
                    answers[lane].add_readout(readout)

    def _store_prefix(self, lane: int, batch: Batch, row: int, mix: Mix) -> None:
        if self._prefix_cache is None:
            return
        heads = self._lanes[lane].heads
        answered = [mix.column_strengths(heads, values) for values in self._run_strengths[lane]]
        ids = [*self._prompts[lane].ids, *self._run_ids[lane]]
        table = np.array(answered).reshape(len(answered), mix.rank)
        strengths = np.concatenate([self._prompt_strengths[lane], table])
        self._prefix_cache.put(lane, CachedPrefix(ids, mix.heads, strengths, batch.cache_of(row)))

    def results(self) -> list[Generation]:
        for answer in self._answers:
            answer.cancel()
        return [
            answer.result(
                lane,
                trimmed,
                compiled=self._uses_compiled,
                columns=self._columns,
                agreement=self._sampler.agreement(index),
            )
            for index, (answer, lane, trimmed) in enumerate(
                zip(self._answers, self._lanes, self._trimmed, strict=True)
            )
        ]

    def _answer(self, index: int, started: float, on_token: Callable[[Token], object]) -> AnswerBuilder:
        """A lane that follows another ends where that one does, for the same reasons."""
        samples = self._lanes[self._leaders[index]].forced is None
        return AnswerBuilder(
            index,
            decoder=PieceDecoder(self._model.tokenizer),
            started=started,
            limit=self._trimmed[index].max_new_tokens,
            ends=self._model.eos_ids if samples else frozenset(),
            stops=(*self._sampling.stop, *self._model.stops) if samples else (),
            trace=Trace(len(self._lanes[index].heads), len(self._model.blocks)),
            on_token=on_token,
        )

    def _trim(self) -> list[TrimmedPrompt]:
        """The prompts, every lane trimmed together with those that follow it."""
        trimmed: dict[int, TrimmedPrompt] = {}
        for leader in dict.fromkeys(self._leaders):
            group = [index for index, other in enumerate(self._leaders) if other == leader]
            forced = self._lanes[leader].forced
            requested = self._sampling.max_tokens if forced is None else len(forced)
            prompts = trim_to_context(self._model, [self._lanes[index] for index in group], requested)
            trimmed |= dict(zip(group, prompts, strict=True))
        return [trimmed[index] for index in range(len(self._lanes))]


def _token_statistics(logits: Tensor, ids: Tensor) -> list[tuple[int, float, int, list[int], list[float]]]:
    """Per row the chosen id, its log probability and rank, the most probable ids and their log probabilities.

    Few tensor operations, plain ones: on a small model each of them takes a noticeable share of a step.
    Raises ModelError when the logits are not finite.
    """
    scores = logits.float().log_softmax(-1)
    best, names = scores.topk(min(ALTERNATIVES, scores.shape[-1]))
    rows = []
    for row, (chosen, candidates, values) in enumerate(
        zip(ids.tolist(), names.tolist(), best.tolist(), strict=True)
    ):
        if not math.isfinite(values[0]):
            raise ModelError(
                "The answer stopped early",
                "The model produced NaN or infinite values.",
                "Lower the strengths; if they are low already, load the model in float32.",
            )
        if chosen in candidates:
            place = candidates.index(chosen)
            logprob, rank = values[place], place + 1
        else:
            logprob = float(scores[row, chosen])
            rank = int((scores[row] > logprob).sum()) + 1
        rows.append((chosen, logprob, rank, candidates, values))
    return rows
