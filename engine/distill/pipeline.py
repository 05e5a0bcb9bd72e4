"""Distillation from a typed prompt to a usable head, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from engine.distill import closed_form, gradient
from engine.distill.calibration import Calibrated, calibrate, mix_of, scaled
from engine.distill.captured import captured_at_one, unseen_responses
from engine.distill.closed_form import ClosedForm
from engine.distill.gradient import Schedule
from engine.distill.hooked_forward import output_hooks, run, squares
from engine.distill.methods import method_named
from engine.distill.model_kind import kind_of
from engine.distill.prompt_effect import prompt_effect, strength_range
from engine.distill.prompt_place import choose_place
from engine.distill.questions import evaluation_questions, questions
from engine.distill.request import Distillation, Objective, Recipe, Request
from engine.distill.responses import RecordedStates, Sampler
from engine.distill.steered_pass import steered_pass
from engine.distill.teacher_forcing import Response
from engine.distill.token_losses import divergences
from engine.distill.training_data import TrainingData, distance, gather, response_rows
from engine.errors import InputError, WeakPromptError
from engine.events import Cancel, Effect, Emit, HeadReady, Meter, Progress, ignore
from engine.heads.formats.constant_vectors import MEAN_COEFFICIENT
from engine.heads.head import BlockHead, Head, HeadInfo
from engine.heads.mix import Mix
from engine.model.chat_template import Message, Place, encode
from engine.model.language_model import LanguageModel
from engine.model.memory import memory_guard

_CANDIDATES = 8  # blocks that a single-block method tries, at most
_LEAST_ROOM = 16  # tokens for an answer
_ENOUGH = 0.85  # captured of left-out responses; an instant head that has as much is not trained further
_WEAKER = (0.85, 0.7)  # strengths tried for one that has less
_RANKS = (1, 2, 4)  # that the automatic rank tries,
_GAIN = 0.01  # and how much less than the best of them it may capture
UNSEEN = 6  # responses that `captured` is measured on at the end,
UNSEEN_TOKENS = 24  # how long they are at most,
_UNSEEN_SEED = 900  # and what their seed has over the training's


def distill(
    model: LanguageModel, request: Request, *, cancel: Cancel | None = None, emit: Emit = ignore
) -> Distillation:
    """Makes a head that does what the steering prompt does.

    Args:
        model: the model; it is left as it was in any case.
        request: what to distill, and how.
        cancel: stops it at its next checkpoint.
        emit: is given Progress, the prompt's Effect (of the first responses, then of all), LossPoint, and
            HeadReady: a usable head as soon as there is one, and with `final` the one that is returned.

    Raises:
        WeakPromptError: when the prompt changes next to nothing and `request.anyway` is off.
        InputError: when the model does not follow the prompt, or the request does not fit the model.
        ModelError: when memory runs out or the model computes values that are not finite.
        Cancelled: when asked to stop.
    """
    with memory_guard(
        "The prompt was not distilled",
        "Memory ran out.",
        "Ask for fewer or shorter responses, or choose a smaller model.",
    ):
        return _DistillRun(model, request, Cancel() if cancel is None else cancel, emit).distillation()


class _DistillRun:
    """One distillation's stages, and the clock over them."""

    def __init__(self, model: LanguageModel, request: Request, cancel: Cancel, emit: Emit) -> None:
        self.model, self.request, self.cancel, self.emit = model, request, cancel, emit
        self.method = method_named(request.method)
        self.recipe: Recipe = request.recipe or self.method.recipe
        self.objective = request.objective or self.method.objective
        self.seconds: dict[str, float] = {}
        self.losses: list[float] = []
        self.place: Place = "system"
        if self.recipe not in self.method.recipes:
            raise InputError(
                "The prompt cannot be distilled",
                f"{self.method.name} has only a closed form, no recipe {self.recipe}.",
                f"Use one of {', '.join(self.method.recipes)}.",
            )
        if request.objective is not None and self.recipe == "instant":
            trained = " or ".join(recipe for recipe in self.method.recipes if recipe != "instant")
            raise InputError(
                "The prompt cannot be distilled",
                f"The recipe instant of {self.method.name} does not train, so it has no objective.",
                f"Omit the objective{f', or use the recipe {trained}' if trained else ''}.",
            )
        if request.rank not in ("automatic", 1) and not self.method.ranked:
            raise InputError(
                "The prompt cannot be distilled",
                f"{self.method.name} has one direction per block, not {request.rank}.",
                "Omit the rank, or use a-psr or s-psr.",
            )
        if request.block is not None and not 0 <= request.block < len(model.blocks):
            raise InputError(
                "The prompt cannot be distilled",
                f"There is no block {request.block}: the model has {len(model.blocks)}.",
                f"Give a block from 0 to {len(model.blocks) - 1}.",
            )
        if request.block is not None and self.method.every_block:
            raise InputError(
                "The prompt cannot be distilled",
                f"{self.method.name} steers every block, so it takes no block.",
                "Omit the block, or use a single-block method.",
            )

    def distillation(self) -> Distillation:
        began = time.perf_counter()
        request, model = self.request, self.model
        with self._timed("responses"):
            asked = self._questions()
            self._require_room(asked)
            self.place = self._place(asked)
            kept, recorded = self._responses(asked)
        with self._timed("targets"):
            meter = Meter(self.emit, "targets", 1)
            data = gather(model, request, kept, recorded, self.cancel)
            meter.step()
            effect = prompt_effect(data.divergences[: data.shown])
            self.emit(effect)
            self.cancel.check()
        shown = kept[: data.positives]
        fitted, judged, learned = self._split(data, kept)
        with self._timed("closed_form"):
            instant, share = self._closed_form(fitted, judged)
            schedule = self._schedule(share)
            self.seconds["total"] = time.perf_counter() - began
            made = instant.head
            if self.recipe != "paper":
                ready = self._head(made.parts, effect, asked, shown, instant.r2)
                self.emit(HeadReady(ready))
        with self._timed("fit"):
            if schedule is not None:
                made = self._train(data, fitted, judged, instant.starts, schedule)
        return self._finish(
            fitted,
            made,
            r2=instant.r2,
            effect=effect,
            asked=asked,
            shown=shown,
            learned=learned,
            began=began,
        )

    def _schedule(self, share: float = 0.0) -> Schedule | None:
        """How the head is trained after its closed form, which captures `share`, if it is."""
        if self.recipe == "paper":
            assert self.objective is not None
            return gradient.PAPER[self.objective]
        if self.recipe == "refine":
            return gradient.REFINE
        return gradient.POLISH if self.method.polished and share < _ENOUGH else None

    def _place(self, asked: Sequence[str]) -> Place:
        if self.request.place != "automatic":
            return self.request.place
        choice = choose_place(self.model, self.request.prompt, asked, self.request.seed, self.cancel)
        self.emit(choice)
        return choice.place

    def _questions(self) -> list[str]:
        count, own = (
            self.request.count(self.recipe, kind_of(self.model).instant_responses),
            self.request.questions,
        )
        if not own:
            return questions(self.model, count, self.request.seed)
        return [own[i % len(own)] for i in range(count)]

    def _responses(self, asked: Sequence[str]) -> tuple[list[Response], RecordedStates]:
        """Those to learn from, the negative ones last."""
        model, request = self.model, self.request
        sampler = Sampler(
            model=model,
            judge=kind_of(model).response_filter,
            positions=request.positions,
            max_tokens=request.max_tokens or kind_of(model).response_tokens,
            seed=request.seed,
            cancel=self.cancel,
            emit=self.emit,
            check=self._check_effect,
            place=self.place,
        )
        kept, recorded = sampler.positives(request.prompt, asked)
        if not request.negatives:
            return kept, recorded
        others = questions(model, request.negatives, request.seed + 1)
        negative, more = sampler.negatives(request.prompt, others)
        return [*kept, *negative], RecordedStates.joined([recorded, more])

    def _split(
        self, data: TrainingData, kept: Sequence[Response]
    ) -> tuple[TrainingData, TrainingData | None, list[Response]]:
        """What to fit, what to judge the fit by if anything hangs on that, and the responses of the former
        that show what the prompt asks for.

        The rank, whether an instant head is trained, and for how long: left-out responses say so, and nothing
        is fitted on them.
        """
        chosen = self.request.rank == "automatic" and self.method.ranked and self.recipe != "paper"
        schedule = self._schedule()
        learned, out = data.split()
        if not len(out) or not (chosen or (schedule is not None and schedule.patience is not None)):
            return data, None, list(kept[: data.positives])
        responses = [kept[i] for i in learned.tolist() if not kept[i].negative]
        return data.select(learned), data.select(out), responses

    def _closed_form(self, fitted: TrainingData, judged: TrainingData | None) -> tuple[ClosedForm, float]:
        """The closed form of the rank asked for, or of the least that captures as much of `judged` as the
        best; and how much it captures, 1 where that was not measured."""
        automatic = self.request.rank == "automatic"
        best = self._blocks_fitted(fitted, 1 if self.request.rank == "automatic" else self.request.rank)
        if judged is None or not (automatic or self.recipe == "instant"):
            return best, 1.0

        def share(found: ClosedForm) -> float:
            return captured_at_one(self.model, judged, mix_of(found.head.parts, self.method, self.model))

        tried = [(share(best), best)]
        for rank in _RANKS[1:] if automatic and self.method.ranked else ():
            found = self._fit(fitted, sorted(best.head.parts), rank, None)
            tried.append((share(found), found))
        most = max(captures for captures, _ in tried)
        captures, found = next(pair for pair in tried if pair[0] >= most - _GAIN)
        return found, captures

    def _blocks_fitted(self, data: TrainingData, rank: int) -> ClosedForm:
        """On every block, on the one asked for, or on the one where the responses are likeliest."""
        model = self.model
        if self.method.every_block:
            everything = range(len(model.blocks))
            return self._fit(data, everything, rank, Meter(self.emit, "closed form", len(everything)))
        if self.request.block is not None:
            return self._fit(data, [self.request.block], rank, Meter(self.emit, "closed form", 1))
        tried = candidates(len(model.blocks))
        meter = Meter(self.emit, "choosing the block", len(tried))
        return min(
            (self._fit(data, [block], rank, meter) for block in tried), key=lambda found: found.head.loss
        )

    def _fit(self, data: TrainingData, blocks: Sequence[int], rank: int, meter: Meter | None) -> ClosedForm:
        return closed_form.fit(
            self.model,
            data,
            self.method,
            blocks,
            rank,
            penalty=self.request.penalty,
            cancel=self.cancel,
            meter=meter,
        )

    def _train(
        self,
        data: TrainingData,
        fitted: TrainingData,
        judged: TrainingData | None,
        start: dict[int, BlockHead],
        schedule: Schedule,
    ) -> Calibrated:
        """Trains the parts; left-out responses say when to stop, and for an instant head where to start."""
        request, model = self.request, self.model
        objective: Objective | None = "kl" if self.recipe == "instant" else self.objective
        assert objective is not None
        if self.recipe == "paper":
            rank = next(iter(start.values())).rank
            start = gradient.noise(self.method, list(start), model.width, rank, request.seed)
        elif self.recipe == "instant" and judged is not None:
            tries = [start, *(scaled(start, strength) for strength in _WEAKER)]
            start = max(
                tries, key=lambda parts: captured_at_one(model, judged, mix_of(parts, self.method, model))
            )
        trained = gradient.train(
            model,
            data,
            self.method,
            objective=objective,
            weight=request.weight,
            start=start,
            schedule=schedule,
            seed=request.seed,
            cancel=self.cancel,
            emit=self.emit,
        )
        self.losses = trained.losses
        mix = mix_of(trained.parts, self.method, model)
        reading = steered_pass(model, fitted, fitted.whole, mix, 1.0)
        if self.recipe == "paper" or objective == "kl":  # KL sets the strength itself
            return Calibrated(trained.parts, {1.0: reading}, trained.losses[-1])
        return calibrate(model, fitted, trained.parts, self.method, reading, self.cancel)

    def _finish(
        self,
        data: TrainingData,
        made: Calibrated,
        *,
        r2: dict[int, float],
        effect: Effect,
        asked: Sequence[str],
        shown: Sequence[Response],
        learned: Sequence[Response],
        began: float,
    ) -> Distillation:
        self.emit(Progress("measuring", 0, 2))
        self.cancel.check()
        head = self._head(made.parts, effect, asked, shown, r2)
        at_one = made.readings[1.0]
        faithful = distance([e[: data.shown] for e in at_one.errors], data.moved)
        other = kind_of(self.model).paraphrase(self.request.prompt)
        reference = self._reference(data, learned, other)
        self.emit(Progress("measuring", 1, 2))
        mix = Mix([head], self.model)
        reach = strength_range(self.model, data, mix, made.readings, self.cancel)
        share = self._captured(mix)
        self.seconds["total"] = time.perf_counter() - began
        figures = {
            **head.info.figures,
            "faithfulness": {str(block): round(value, 4) for block, value in faithful.items()},
            "paraphrase": {str(block): round(value, 4) for block, value in reference.items()},
            MEAN_COEFFICIENT: at_one.means(data.shown),
            **({} if share is None else {"captured": round(share, 4)}),
        }
        head = replace(head, info=replace(head.info, strength_range=reach, figures=figures))
        self.emit(Progress("measuring", 2, 2))
        self.emit(HeadReady(head))
        return Distillation(
            head=head,
            effect=effect,
            responses=len(asked),
            kept=len(shown),
            blocks=tuple(sorted(made.parts)),
            seconds={k: round(v, 4) for k, v in self.seconds.items()},
            loss=self.losses,
            faithfulness=faithful,
            paraphrase=reference,
            gate_r2=r2,
            strength_range=reach,
            paraphrased=other,
            captured=share,
            place=self.place,
        )

    def _captured(self, mix: Mix) -> float | None:
        """The head's share of the prompt's effect on questions that no distillation asks."""
        with self._timed("captured"):
            asked = evaluation_questions(self.model, UNSEEN, self.request.seed)
            sampler = Sampler(
                model=self.model,
                judge=kind_of(self.model).response_filter,
                positions="response",
                max_tokens=UNSEEN_TOKENS,
                seed=self.request.seed + _UNSEEN_SEED,
                cancel=self.cancel,
                emit=ignore,
                place=self.place,
            )
            unseen = unseen_responses(self.model, self.request, sampler, asked, self.cancel)
            return None if unseen is None else captured_at_one(self.model, unseen, mix)

    def _reference(self, data: TrainingData, shown: Sequence[Response], other: str) -> dict[int, float]:
        """How far another wording of the prompt is from it, on an eighth of the responses."""
        errors: list[Tensor] = []
        few = shown[: len(data.first(8, 2).rows)]
        rows = response_rows(self.model, self.request, few, other, self.place)

        def compare(block: int, hidden: Tensor) -> None:
            self.cancel.check()
            here = rows.at(hidden)
            errors.append(squares(here, data.targets[block][: len(here)]))

        with torch.inference_mode(), output_hooks(self.model, compare):
            run(self.model, rows)
        return distance(errors, data.moved)

    def _head(
        self,
        parts: dict[int, BlockHead],
        effect: Effect,
        asked: Sequence[str],
        kept: Sequence[Response],
        r2: dict[int, float],
    ) -> Head:
        request = self.request
        info = HeadInfo(
            name=request.name or _short(request.prompt),
            method=self.method.name,
            prompt=request.prompt,
            model=self.model.identity,
            objective=self.objective if self.recipe != "instant" else None,
            positions=request.positions,
            recipe={
                "name": self.recipe,
                "responses": len(asked),
                "seed": request.seed,
                "rank": next(iter(parts.values())).rank,
                "place": self.place,
                **({"negatives": request.negatives} if request.negatives else {}),
                **({"weight": request.weight} if self.objective == "mse+ll" else {}),
                **({} if request.penalty is None else {"penalty": request.penalty}),
            },
            figures={
                "kept": len(kept),
                "prompt_effect": round(effect.kl, 4),
                "gate_r2": {str(block): round(value, 4) for block, value in r2.items()},
            },
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return Head(dict(sorted(parts.items())), self.method.gate, info)

    def _require_room(self, asked: Sequence[str]) -> None:
        """A prompt may be as long as the model's context less a question and a few tokens of its answer."""
        longest = max(asked, key=len)
        length = len(encode(self.model, [Message("user", longest)], lead=self.request.prompt).ids)
        context = self.model.context
        if context is not None and length + _LEAST_ROOM > context:
            raise InputError(
                "The prompt cannot be distilled",
                f"Too long: with a question it has {length:,} tokens, the model's context is {context:,}.",
                "Shorten the prompt, or choose a model with a longer context.",
            )

    @torch.inference_mode()
    def _check_effect(self, responses: list[Response], prompted: Tensor) -> None:
        """The prompt's effect at the beginnings of the first responses, before the long work."""
        plain = run(self.model, response_rows(self.model, self.request, responses, None))
        effect = prompt_effect(divergences(self.model, prompted.unsqueeze(1), plain)[:, 0])
        self.emit(effect)
        if not effect.enough and not self.request.anyway:
            raise WeakPromptError(effect.kl)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def candidates(blocks: int) -> list[int]:
    """The blocks that a single-block method tries: all of a small model, evenly spread ones of a large one.

    The last block is left out: nothing after it could act on what is added there.

    Args:
        blocks: how many the model has.
    """
    last = max(1, blocks - 1)
    count = min(_CANDIDATES, last)
    return sorted({round(i * (last - 1) / max(1, count - 1)) for i in range(count)})


def _short(prompt: str) -> str:
    """A name for the head: the prompt's first line without its end mark, 40 characters at most."""
    line = prompt.strip().splitlines()[0].rstrip(".!? ")
    return line if len(line) <= 40 else line[:39].rstrip() + "…"
