"""Measurements at the tokens of the prompt's own answers, without a judge and without sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.hooked_forward import output_hooks, run, squares
from engine.distill.iso_kl import LIMIT_NATS, IsoKL, find_strength, percentile
from engine.distill.teacher_forcing import Response, TeacherForcedBatch, collate
from engine.distill.token_losses import divergences
from engine.events import Cancel
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.lab.cached_answers import CachedGenerator, Query
from engine.lab.effect_distribution import BINS, PERCENTILES, EffectLengths, Spread
from engine.model.chat_template import Message, encode, placed
from engine.model.language_model import LanguageModel

_MOST = 16  # answers: some hundred tokens are enough for a percentile
_BINNED = 0.995  # of the prompt's lengths lie below the last bin's end


@dataclass(frozen=True, eq=False, kw_only=True)
class TeacherForcedAnswers:
    """The prompt's answers, appended to the bare question and to the prompted one.

    Attributes:
        model: the model that gave them.
        bare: the answers after the questions alone, M tokens in all.
        under: the same answers after the steering prompt and the questions.
        plain: the trunk's output of `bare` without steering, [M, d].
        prompted: per block the length of what the prompt adds, [M], in activation units
            (engine/README.md, Eq. 1, accumulated).
        cancel: checked before every pass.
    """

    model: LanguageModel
    bare: TeacherForcedBatch
    under: TeacherForcedBatch
    plain: Tensor
    prompted: list[Tensor]
    cancel: Cancel

    @classmethod
    @torch.inference_mode()
    def of(
        cls, generator: CachedGenerator, prompt: str, asked: Sequence[Query], cancel: Cancel
    ) -> TeacherForcedAnswers:
        """The prompt's answers to the first 16 questions, generated or from the cache.

        Args:
            generator: the model and the cache of its answers.
            prompt: the steering prompt.
            asked: the questions with their seeds.
            cancel: checked between passes.

        Raises:
            Cancelled: when asked to stop.
            ModelError: when the model computes values that are not finite.
        """
        asked, model = asked[:_MOST], generator.model
        responses = []
        for each, text in zip(asked, generator.answers(asked, prompt, [], cancel), strict=True):
            ids = tuple(model.tokenizer.encode(text, add_special_tokens=False))
            responses.append(
                Response(question=each.question, ids=ids, end=-1, text=text, trait=1.0, coherence=1.0)
            )
        bare, under = (
            collate(
                model, [encode(model, [Message("user", r.question)], **texts) for r in responses], responses
            )
            for texts in (placed(None, "system"), placed(prompt, generator.place_of(prompt, cancel)))
        )
        states: list[Tensor] = []
        lengths: list[Tensor] = []
        with output_hooks(model, lambda _, hidden: states.append(under.at(hidden))):
            run(model, under)
        cancel.check()
        with output_hooks(
            model, lambda b, hidden: lengths.append(squares(bare.at(hidden), states[b]).sqrt())
        ):
            plain = run(model, bare)
        return cls(model=model, bare=bare, under=under, plain=plain, prompted=lengths, cancel=cancel)

    def iso_kl(self, head: Head, *, beside_prompt: bool) -> IsoKL:
        """The strength at which 95 % of the tokens change by less than 1 nat (engine/README.md, Eq. 17).

        Args:
            head: the head.
            beside_prompt: the head is used together with the prompt. Where the prompt alone exceeds the limit
                the strength is 0 and not reached.
        """
        if beside_prompt and (alone := self.kl(None, 0.0, beside_prompt=True)) >= LIMIT_NATS:
            return IsoKL(0.0, alone, False)
        return find_strength(lambda strength: self.kl(head, strength, beside_prompt=beside_prompt))

    @torch.inference_mode()
    def kl(self, head: Head | None, strength: float, *, beside_prompt: bool) -> float:
        """The 95th percentile over tokens of KL(steered || unsteered), in nats.

        Args:
            head: the head; None for the prompt alone, or nothing.
            strength: its strength.
            beside_prompt: whether the steering prompt is there too.
        """
        self.cancel.check()
        rows = self.under if beside_prompt else self.bare
        with Steering(self.model, Mix([] if head is None else [head], self.model)) as steering:
            steering.strengths = rows.steered.unsqueeze(-1) * strength
            states = run(self.model, rows)
        return percentile(divergences(self.model, states.unsqueeze(1), self.plain))

    @torch.inference_mode()
    def effects(self, head: Head) -> Spread:
        """How the lengths of what the head adds at strength 1 are distributed, per steered block."""
        self.cancel.check()
        mix = Mix([head], self.model)
        with Steering(self.model, mix) as steering:
            steering.strengths = self.bare.steered.unsqueeze(-1)
            run(self.model, self.bare)
            applied = [self.bare.at(coefficients) for coefficients in steering.coefficients()]
        found: dict[int, EffectLengths] = {}
        for (block, part), values in zip(mix.blocks.items(), applied, strict=True):
            z = part.z.to(values.device)
            found[block] = _lengths(applied_length(values, z @ z.mT).abs(), self._end(block))
        return found

    def prompt_effects(self) -> Spread:
        """The same for what the prompt adds, at every block."""
        return {block: _lengths(values, self._end(block)) for block, values in enumerate(self.prompted)}

    def _end(self, block: int) -> float:
        return max(float(self.prompted[block].float().quantile(_BINNED)), 1e-6)


def _lengths(values: Tensor, end: float) -> EffectLengths:
    values = values.float().cpu()
    counts = torch.histc(values.clamp(max=end), BINS, 0.0, end)
    return EffectLengths(
        percentiles=_rounded(values.quantile(torch.tensor(PERCENTILES))),
        shares=_rounded(counts / len(values)),
        end=end,
    )


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
