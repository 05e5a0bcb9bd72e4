"""The decode loop: lanes in, tokens with their applied coefficients out, one at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import torch
from torch import Tensor

from engine.errors import Cancelled, InputError, ModelError
from engine.events import Cancel, ignore
from engine.generation.answer import Answer, Generation
from engine.generation.applied import Applied
from engine.generation.batch import Batch, interruptible
from engine.generation.compiled import CompiledStep
from engine.generation.lanes import Lane, require_sense, truth_lanes
from engine.generation.sampling import Sampling, choose
from engine.generation.trace import ALTERNATIVES, Token, Trace
from engine.model.chat import Prompt, encode
from engine.model.language_model import LanguageModel
from engine.model.memory import memory_guard
from engine.model.text import PieceDecoder, TokenTexts


def generate(
    model: LanguageModel,
    lanes: Sequence[Lane],
    sampling: Sampling,
    *,
    compiled: Sequence[CompiledStep] = (),
    cancel: Cancel | None = None,
    on_token: Callable[[Token], object] = ignore,
) -> list[Generation]:
    """Answers all lanes in one batch; one Generation per lane, in order.

    A token's coefficients are those applied at its own position, when it is fed back, so its event comes
    one forward after it was chosen; the last token is fed for that alone. Strengths are read before every
    forward. A stopped run returns what it has, marked "cancelled". compiled: steps prepared for this model;
    the first that has room for the batch is used, and the Generation says so.
    Raises InputError (a lane that makes no sense, a prompt that is too long), HeadError (a head that does
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
        run = _Run(model, lanes, sampling, compiled, on_token)
        with suppress(Cancelled), torch.inference_mode():
            run.go(cancel)
    return run.results()[: len(lanes)]


class _Run:
    """One call of `generate`: the lanes asked for, and behind them the two of every truth."""

    def __init__(
        self,
        model: LanguageModel,
        lanes: Sequence[Lane],
        sampling: Sampling,
        compiled: Sequence[CompiledStep],
        on_token: Callable[[Token], object],
    ) -> None:
        started = time.perf_counter()
        self._model, self._sampling, self._compiled = model, sampling, compiled
        self._stepped = False  # whether a compiled step was used
        self._lanes, self._truths = [*lanes], []
        for index, lane in enumerate(lanes):
            if lane.truth is not None:
                self._truths.append((index, len(self._lanes), len(self._lanes) + 1))
                self._lanes += truth_lanes(lane, index)
        self._leaders = [
            index if lane.follows is None else lane.follows for index, lane in enumerate(self._lanes)
        ]
        self._prompts = [encode(model, lane.messages, lane.system) for lane in self._lanes]
        limits = self._limits()
        self._room = max(limits)
        self._answers = [
            self._answer(
                index, limits[self._leaders[index]], started, on_token if index < len(lanes) else ignore
            )
            for index in range(len(self._lanes))
        ]

    def go(self, cancel: Cancel | None) -> None:
        model, answers = self._model, self._answers
        batch = Batch(model, [prompt.ids for prompt in self._prompts], self._room)
        texts = TokenTexts(model.tokenizer)
        choice = _Choice(self._lanes, self._leaders, self._room, self._sampling, model.device)
        with Applied(model, self._lanes, self._prompts, self._truths) as applied:
            rows = list(range(len(answers)))  # the lane of each row that is still in the batch
            applied.prepare_prompt(batch.padded(applied.plan(self._prompts)))
            with interruptible(model, cancel):
                logits = batch.prefill()
            for row, done in zip(rows, applied.read(), strict=True):
                answers[row].prompt = done
            need = len(rows), applied.mix.rank, batch.width + self._room
            ready = next((step for step in self._compiled if step.fits(*need)), None)
            if ready is not None:
                batch.hand_over(ready, applied.mix)
                applied.hand_over(ready)
                self._stepped = True
            for count in range(self._room + 1):
                ids = choice(logits, count)
                for row, (chosen, own, rank, best, values) in zip(rows, _figures(logits, ids), strict=True):
                    if answers[row].stopped is None:
                        named = tuple([(i, texts[i], math.exp(v)) for i, v in zip(best, values, strict=True)])
                        answers[row].take(chosen, own, rank, named)
                    answers[row].release()
                live = [index for index, row in enumerate(rows) if answers[row].live]
                if not live:
                    return
                if len(live) < len(rows) and batch.droppable:
                    kept = torch.tensor(live, device=model.device)
                    rows, ids = [rows[index] for index in live], ids[kept]
                    batch.keep(kept)
                    choice.keep(live)
                    applied.keep(live)
                if cancel is not None:
                    cancel.check()
                applied.prepare_step()
                logits = batch.step(ids)
                for row, done in zip(rows, applied.read(), strict=True):
                    if answers[row].live:
                        answers[row].feed(done)

    def results(self) -> list[Generation]:
        for answer in self._answers:
            answer.cancel()
        return [
            answer.result(len(prompt.ids), lane, self._stepped)
            for answer, prompt, lane in zip(self._answers, self._prompts, self._lanes, strict=True)
        ]

    def _answer(self, index: int, limit: int, started: float, on_token: Callable[[Token], object]) -> Answer:
        """A lane that follows another one ends where that one does, for the very same reasons."""
        free = self._lanes[self._leaders[index]].forced is None
        return Answer(
            index,
            decoder=PieceDecoder(self._model.tokenizer),
            started=started,
            limit=limit,
            ends=self._model.eos_ids if free else frozenset(),
            stops=self._sampling.stop if free else (),
            trace=Trace(len(self._lanes[index].heads), len(self._model.blocks)),
            on_token=on_token,
        )

    def _limits(self) -> list[int]:
        """The most tokens that each leading lane may say, for itself and for those that follow it."""
        limits = [self._limit(lane, prompt) for lane, prompt in zip(self._lanes, self._prompts, strict=True)]
        for index, leader in enumerate(self._leaders):
            limits[leader] = min(limits[leader], limits[index])
        return limits

    def _limit(self, lane: Lane, prompt: Prompt) -> int:
        wanted = self._sampling.max_tokens if lane.forced is None else len(lane.forced)
        if lane.follows is not None and (forced := self._lanes[lane.follows].forced) is not None:
            wanted = len(forced)
        if self._model.context is None:
            return wanted
        room = self._model.context - len(prompt.ids)
        if room < 1:
            raise InputError(
                "The conversation is too long",
                f"It has {len(prompt.ids)} tokens and the model can take {self._model.context}.",
                "Begin a new conversation or shorten this one.",
            )
        return min(wanted, room)


class _Choice:
    """The next id of every row: drawn, forced, or the one that another row got."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        leaders: Sequence[int],
        room: int,
        sampling: Sampling,
        device: torch.device,
    ) -> None:
        self._sampling = sampling
        self._generators = [torch.Generator().manual_seed(lane.seed) for lane in lanes]
        self._forced = _forced(lanes, room, device)
        self._leaders = list(leaders)
        self._rows = list(range(len(lanes)))
        self._device = device
        self._select()

    def __call__(self, logits: Tensor, step: int) -> Tensor:
        ids = choose(logits, self._sampling, [self._generators[row] for row in self._rows])
        if self._forced is not None and step < self._forced.shape[1]:
            ids = torch.where(self._forced[:, step] >= 0, self._forced[:, step], ids)
        return ids if self._sources is None else ids[self._sources]

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all other rows."""
        self._rows = [self._rows[row] for row in rows]
        self._forced = None if self._forced is None else self._forced[list(rows)]
        self._select()

    def _select(self) -> None:
        places = {lane: row for row, lane in enumerate(self._rows)}
        sources = [places[self._leaders[lane]] for lane in self._rows]
        led = sources != list(range(len(sources)))
        self._sources = torch.tensor(sources, device=self._device) if led else None


def _forced(lanes: Sequence[Lane], room: int, device: torch.device) -> Tensor | None:
    """The ids [rows, room] that lanes are made to say, -1 where they choose; None when all choose."""
    if all(lane.forced is None for lane in lanes):
        return None
    rows = [[*(lane.forced or ())][:room] for lane in lanes]
    return torch.tensor([[*row, *[-1] * (room - len(row))] for row in rows], device=device)


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
                "The answer broke off",
                "The model computed values that are no numbers.",
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
