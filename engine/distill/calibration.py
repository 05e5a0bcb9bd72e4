"""A head's strength 1, set to where the responses that it was made from are likeliest."""

from __future__ import annotations

import torch

from engine.distill.evidence import Evidence
from engine.distill.methods import Method
from engine.distill.reading import Reading, read
from engine.events import Cancel
from engine.heads.head import BlockHead
from engine.heads.mix import Mix, MixBlock, floor_of
from engine.model.language_model import LanguageModel

# A ridge shrinks and a gate regresses to the mean, so a fit does too little rather than too much; one block
# alone has to carry what all of them would.
_TRIED_ON_ALL = (1.15, 1.3, 1.5)
_TRIED_ON_ONE = (*_TRIED_ON_ALL, 1.75, 2.0, 2.5, 3.0)


def calibrate(
    model: LanguageModel,
    evidence: Evidence,
    parts: dict[int, BlockHead],
    method: Method,
    reading: Reading,
    cancel: Cancel,
) -> tuple[dict[int, BlockHead], Reading]:
    """The parts scaled to the best of the tried strengths, and what was read there.

    reading: at strength 1, on all responses. The others are tried on a third of them, and only until the
    loss rises: it has one minimum.
    """
    sample = evidence.first(3, 4)
    best, strength = reading.first(sample.count), 1.0
    loss = best.loss(evidence)
    mix = mix_of(parts, method, model)
    for tried in _TRIED_ON_ALL if method.every_block else _TRIED_ON_ONE:
        cancel.check()
        found = read(model, evidence, sample, mix, tried)
        if found.loss(evidence) >= loss:
            break
        best, strength, loss = found, tried, found.loss(evidence)
    scaled = {i: BlockHead(p.w * strength, p.b * strength, p.z) for i, p in parts.items()}
    return scaled, reading if strength == 1.0 else best


def mix_of(parts: dict[int, BlockHead], method: Method, model: LanguageModel) -> Mix:
    """The parts ready to steer, on the model's device."""
    rank = next(iter(parts.values())).rank
    return Mix.of_tensors({i: tensors(part, method, model) for i, part in parts.items()}, [rank])


def tensors(part: BlockHead, method: Method, model: LanguageModel) -> MixBlock:
    """One block's arrays as the tensors that steer, on the model's device."""
    w, b, z = (torch.from_numpy(array).to(model.device) for array in (part.w, part.b, part.z))
    return MixBlock(w, b, z, torch.full((part.rank,), floor_of(method.gate), device=model.device))
