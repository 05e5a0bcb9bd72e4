"""Lane requests and settings as the engine takes them. The engine is imported inside, late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studio.state.conversation import WRITTEN, Told
from studio.state.requests import LaneRequest
from studio.state.sampling_settings import SamplingSettings

if TYPE_CHECKING:
    from engine.generation.lanes import Lane
    from engine.generation.sampling import Sampling
    from engine.model.chat_template import Message


def lanes_of(model: Any, requests: Sequence[LaneRequest], seed: int) -> list[Lane]:
    """The requests as lanes of one batch."""
    from engine.generation.lanes import Lane
    from engine.model.chat_template import placed

    return [
        Lane(
            [_message(model, told) for told in request.messages],
            **placed(request.system, request.place),
            heads=request.heads,
            strengths=request.strengths,
            seed=seed,
            opening=request.opening,
            reference_prompt=request.truth,
            reference_place=request.place,
        )
        for request in requests
    ]


def sampling_of(settings: SamplingSettings) -> Sampling:
    from engine.generation.sampling import Sampling

    return Sampling(
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        repetition_penalty=settings.repetition_penalty,
    )


def settings_of(sampling: Sampling) -> SamplingSettings:
    """Settings with the sampling's rules, else as they are at first."""
    return SamplingSettings(
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
    )


def _message(model: Any, told: Told) -> Message:
    """What a person wrote in an answer's place has the tokens of its text, and no head steers them."""
    from engine.generation.result import SteeredTokens
    from engine.model.chat_template import Message, written_ids

    role, text, said = told
    if said == WRITTEN:
        said = SteeredTokens(tuple(written_ids(model, text)))
    return Message(role, text, said)


def ids_of(model: Any, text: str) -> list[int]:
    """The tokens of `text` alone; how long it may be is said by those who know what it is for."""
    return model.tokenizer.encode(text, add_special_tokens=False, verbose=False)
