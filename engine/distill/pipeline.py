"""Distillation from a typed prompt to a usable head, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from engine.distill import closed_form, gradient
from engine.distill.calibration import calibrate
from engine.distill.effect import (
    distances,
    faithfulness,
    kl_per_token,
    prompt_effect,
    strength_range,
    token_weights,
)
from engine.distill.judging import judge_for
from engine.distill.methods import method_named
from engine.distill.paraphrase import paraphrase
from engine.distill.questions import questions
from engine.distill.request import Distillation, Effect, Recipe, Request
from engine.distill.responses import Response, sample_responses
from engine.distill.teacher import Rows, lay, record
from engine.errors import InputError
from engine.events import Cancel, Emit, HeadReady, Meter, Progress, ignore
from engine.heads.head import BlockHead, Head, HeadInfo
from engine.heads.mix import Mix
from engine.model.chat import Message, encode
from engine.model.language_model import LanguageModel
from engine.model.memory import memory_guard

_CANDIDATES = 8  # blocks that a single-block method tries, at most


def distill(
    model: LanguageModel, request: Request, *, cancel: Cancel | None = None, emit: Emit = ignore
) -> Distillation:
    """Makes a head that does what `request.prompt` does.

    Emits Progress, the prompt's Effect, LossPoint, and HeadReady: a usable head as soon as there is one,
    and with `final` the one that is returned. Raises InputError (nothing to distill: the prompt has next to
    no effect, or the model does not follow it) and Cancelled; the model is left as it was in any case.
    """
    with memory_guard(
        "The prompt was not distilled",
        "Memory ran out.",
        "Ask for fewer or shorter responses, or choose a smaller model.",
    ):
        return _Run(model, request, Cancel() if cancel is None else cancel, emit).distillation()


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the fits learn from.

    base, targets: hidden states without and with the prompt, float32 [M, d] per block; plain, prompted: the
    logits [N, n+1, V]; divergences [M]: KL(prompted || plain) per position, in nats; traits [N].
    """

    rows: Rows
    base: list[Tensor]
    targets: list[Tensor]
    plain: Tensor
    prompted: Tensor
    divergences: Tensor
    traits: Tensor


def gather_evidence(
    model: LanguageModel, request: Request, kept: Sequence[Response], emit: Emit = ignore
) -> Evidence:
    """The kept responses under both prompts: one forward each, the base model is frozen."""
    meter = Meter(emit, "targets", 2)
    with torch.no_grad():  # not inference mode: a gradient fit saves the targets for its backward pass
        targets, prompted = record(model, lay_rows(model, request, kept, request.prompt))
        meter.step()
        rows = lay_rows(model, request, kept, None)
        base, plain = record(model, rows)
        meter.step()
    traits = torch.tensor([response.trait for response in kept])
    divergences = kl_per_token(prompted, plain, rows)
    return Evidence(rows, base, targets, plain, prompted, divergences, traits)


def lay_rows(model: LanguageModel, request: Request, kept: Sequence[Response], system: str | None) -> Rows:
    return lay(
        model,
        [encode(model, [Message("user", response.question)], system) for response in kept],
        [response.ids for response in kept],
        [response.end for response in kept],
        request.positions,
    )


class _Run:
    """One distillation's stages, and the clock over them."""

    def __init__(self, model: LanguageModel, request: Request, cancel: Cancel, emit: Emit) -> None:
        self.model, self.request, self.cancel, self.emit = model, request, cancel, emit
        self.method = method_named(request.method)
        self.recipe: Recipe = request.recipe or self.method.recipe
        self.objective = request.objective or self.method.objective
        self.seconds: dict[str, float] = {}
        self.losses: list[float] = []
        if self.recipe not in self.method.recipes:
            raise InputError(
                "The prompt cannot be distilled",
                f"{self.method.name} is its closed form; there is no recipe {self.recipe} for it.",
                f"Use one of {', '.join(self.method.recipes)}.",
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
                "Leave the block out, or use a single-block method.",
            )

    def distillation(self) -> Distillation:
        began = time.perf_counter()
        request, model = self.request, self.model
        with self._timed("responses"):
            asked = questions(model, request.count(self.recipe), request.seed)
            kept = sample_responses(
                model,
                request.prompt,
                asked,
                judge_for(model),
                max_tokens=request.max_tokens or (160 if model.is_pocket else 64),
                seed=request.seed,
                cancel=self.cancel,
                emit=self.emit,
            )
        with self._timed("targets"):
            evidence = gather_evidence(model, request, kept, self.emit)
            effect = prompt_effect(evidence.divergences)
            self.emit(effect)
            self._require_effect(effect)
            self.cancel.check()
        with self._timed("closed_form"):
            instant = self._closed_form(evidence)
            self.seconds["total"] = time.perf_counter() - began
            parts = instant.parts
            if self.recipe != "paper":
                ready = self._head(parts, effect, asked, kept, instant.r2)
                self.emit(HeadReady(ready, self.recipe == "instant"))
        with self._timed("fit"):
            if self.recipe != "instant":
                parts = self._train(evidence, parts)
        return self._finish(evidence, parts, instant.r2, effect, asked, kept, began)

    def _closed_form(self, evidence: Evidence) -> closed_form.ClosedForm:
        model, method, rank = self.model, self.method, self.request.rank
        rank = rank if "w" in method.trainable else 1

        def fit(blocks: Sequence[int], meter: Meter | None = None) -> closed_form.ClosedForm:
            return closed_form.fit(
                model,
                evidence.rows,
                evidence.targets,
                token_weights(evidence.divergences),
                method,
                blocks,
                rank,
                cancel=self.cancel,
                meter=meter,
            )

        everything = range(len(model.blocks))
        if method.every_block:
            return fit(everything, Meter(self.emit, "closed form", len(everything)))
        if self.request.block is not None:
            return fit([self.request.block], Meter(self.emit, "closed form", 1))
        tried = candidates(len(model.blocks))
        meter = Meter(self.emit, "choosing the block", len(tried))
        return min((fit([block], meter) for block in tried), key=lambda found: found.loss)

    def _train(self, evidence: Evidence, start: dict[int, BlockHead]) -> dict[int, BlockHead]:
        objective = self.objective
        assert objective is not None
        schedule = gradient.REFINE
        if self.recipe == "paper":
            schedule = gradient.PAPER[objective]
            start = gradient.noise(
                self.method, list(start), self.model.width, self.request.rank, self.request.seed
            )
        trained = gradient.train(
            self.model,
            evidence.rows,
            evidence.base,
            evidence.targets,
            evidence.traits,
            self.method,
            objective,
            start,
            schedule,
            seed=self.request.seed,
            cancel=self.cancel,
            emit=self.emit,
        )
        self.losses = trained.losses
        if self.recipe == "paper":
            return trained.parts
        weights = token_weights(evidence.divergences)
        return calibrate(self.model, evidence.rows, weights, trained.parts, self.method, self.cancel)[0]

    def _finish(
        self,
        evidence: Evidence,
        parts: dict[int, BlockHead],
        r2: dict[int, float],
        effect: Effect,
        asked: Sequence[str],
        kept: Sequence[Response],
        began: float,
    ) -> Distillation:
        model, rows = self.model, evidence.rows
        self.emit(Progress("measuring", 0, 2))
        head = self._head(parts, effect, asked, kept, r2)
        mix = Mix([head], model)
        faithful = faithfulness(model, rows, mix, evidence.base, evidence.targets)
        self.cancel.check()
        other = paraphrase(model, self.request.prompt)
        with torch.inference_mode():
            states, _ = record(model, lay_rows(model, self.request, kept, other))
        self.cancel.check()
        reference = distances(states, evidence.base, evidence.targets)
        self.emit(Progress("measuring", 1, 2))
        reach = strength_range(model, rows, mix, evidence.plain, evidence.prompted, self.cancel)
        self.seconds["total"] = time.perf_counter() - began
        figures = {
            **head.info.figures,
            "faithfulness": {str(block): round(value, 4) for block, value in faithful.items()},
            "paraphrase": {str(block): round(value, 4) for block, value in reference.items()},
        }
        head = replace(head, info=replace(head.info, strength_range=reach, figures=figures))
        self.emit(Progress("measuring", 2, 2))
        self.emit(HeadReady(head, True))
        return Distillation(
            head=head,
            effect=effect,
            responses=len(asked),
            kept=len(kept),
            blocks=tuple(sorted(parts)),
            seconds={k: round(v, 4) for k, v in self.seconds.items()},
            loss=self.losses,
            faithfulness=faithful,
            paraphrase=reference,
            gate_r2=r2,
            strength_range=reach,
            paraphrased=other,
        )

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
                "rank": request.rank,
            },
            figures={
                "kept": len(kept),
                "prompt_effect": round(effect.kl, 4),
                "gate_r2": {str(block): round(value, 4) for block, value in r2.items()},
            },
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return Head(dict(sorted(parts.items())), self.method.gate, info)

    def _require_effect(self, effect: Effect) -> None:
        if not effect.enough:
            raise InputError(
                "The prompt was not distilled",
                f"It changes the model by only {effect.kl:.3f} nats per token, which is next to nothing.",
                "Word it differently; this model may not know what it asks for.",
            )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def candidates(blocks: int) -> list[int]:
    """The blocks that a single-block method tries: all of a small model, evenly spread ones of a large one.

    The last block is left out: nothing after it could act on what is added there.
    """
    last = max(1, blocks - 1)
    count = min(_CANDIDATES, last)
    return sorted({round(i * (last - 1) / max(1, count - 1)) for i in range(count)})


def _short(prompt: str) -> str:
    """A name for the head: the prompt's first line without its end mark, 40 characters at most."""
    line = prompt.strip().splitlines()[0].rstrip(".!? ")
    return line if len(line) <= 40 else line[:39].rstrip() + "…"
