"""What heads do to the tokens of the prompt's own answers: no judge, no sampling, the same for every head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.hooked_forward import output_hooks, run, squares
from engine.distill.teacher_forcing import Response, TeacherForcedBatch, collate
from engine.distill.token_losses import divergences
from engine.events import Cancel
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.lab.cached_answers import CachedGenerator, Query
from engine.lab.effect_distribution import BINS, PERCENTILES, EffectLengths, Spread
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel

LIMIT = 1.0  # nats; iso-KL, METHOD.md section 5
SHARE = 0.95  # of the tokens stay below it
_MOST = 16  # answers: some hundred tokens tell a percentile well enough
_STRONGEST = 64.0
_FINE = 0.05  # a bracket this narrow, relative to its end, is halved no more
_SHOWN = 0.995  # of the prompt's lengths lie below the last bin's end


@dataclass(frozen=True)
class IsoKL:
    """strength: where the 95th percentile of KL(steered || unsteered) per token is 1 nat; kl: what it truly
    is there; reached: whether that is so, else `strength` is the end that was nearest."""

    strength: float
    kl: float
    reached: bool


@dataclass(frozen=True, eq=False)
class TeacherForcedAnswers:
    """The prompt's answers, laid behind the bare question and behind the prompt.

    plain: the trunk's output without anything, [M, d] over all answers' M tokens; prompted: per block the
    length [M] of what the prompt adds there (the paper's Eq. 3, accumulated).
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
        """From the prompt's answers to the first questions."""
        asked, model = asked[:_MOST], generator.model
        responses = []
        for each, text in zip(asked, generator.answers(asked, prompt, [], cancel), strict=True):
            ids = tuple(model.tokenizer.encode(text, add_special_tokens=False))
            responses.append(Response(each.question, ids, -1, text, 1.0, 1.0))
        bare, under = (
            collate(
                model, [encode(model, [Message("user", r.question)], system) for r in responses], responses
            )
            for system in (None, prompt)
        )
        states: list[Tensor] = []
        moved: list[Tensor] = []
        with output_hooks(model, lambda _, hidden: states.append(under.at(hidden))):
            run(model, under)
        cancel.check()
        with output_hooks(model, lambda b, hidden: moved.append(squares(bare.at(hidden), states[b]).sqrt())):
            plain = run(model, bare)
        return cls(model, bare, under, plain, moved, cancel)

    def iso_kl(self, head: Head, *, beside_prompt: bool) -> IsoKL:
        """Doubles the strength until the limit is passed, then halves the bracket."""

        def high(strength: float) -> float:
            return self.kl(head, strength, beside_prompt=beside_prompt)

        low, strength = 0.0, 1.0
        if beside_prompt and (alone := high(0.0)) >= LIMIT:
            return IsoKL(0.0, alone, False)
        while (found := high(strength)) < LIMIT:
            if strength >= _STRONGEST:
                return IsoKL(strength, found, False)
            low, strength = strength, strength * 2
        while strength - low > _FINE * strength:
            middle = (low + strength) / 2
            value = high(middle)
            if value < LIMIT:
                low = middle
            else:
                strength, found = middle, value
        return IsoKL(strength, found, True)

    @torch.inference_mode()
    def kl(self, head: Head | None, strength: float, *, beside_prompt: bool) -> float:
        """The 95th percentile over tokens of KL(steered || unsteered), in nats."""
        self.cancel.check()
        rows = self.under if beside_prompt else self.bare
        with Steering(self.model, Mix([] if head is None else [head], self.model)) as steering:
            steering.strengths = rows.steered.unsqueeze(-1) * strength
            states = run(self.model, rows)
        return float(divergences(self.model, states.unsqueeze(1), self.plain).quantile(SHARE))

    @torch.inference_mode()
    def effects(self, head: Head) -> Spread:
        """What the head adds at strength 1, at the blocks that it steers."""
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

    def truth(self) -> Spread:
        """What the prompt adds, at every block."""
        return {block: _lengths(values, self._end(block)) for block, values in enumerate(self.prompted)}

    def _end(self, block: int) -> float:
        return max(float(self.prompted[block].float().quantile(_SHOWN)), 1e-6)


def _lengths(values: Tensor, end: float) -> EffectLengths:
    values = values.float().cpu()
    counts = torch.histc(values.clamp(max=end), BINS, 0.0, end)
    return EffectLengths(
        _rounded(values.quantile(torch.tensor(PERCENTILES))), _rounded(counts / len(values)), end
    )


def _rounded(values: Tensor) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
