"""Makes conversations fit the model's context: whole turns are left out from the front, and it is told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from engine.errors import InputError
from engine.generation.lanes import Lane, truth_lanes
from engine.model.chat_template import Message, Prompt, encode
from engine.model.language_model import LanguageModel

_STRIDE = 4  # so many times the turns that fitted are tried next
_SHARE = 4  # an answer may always have a quarter of the context, if it asks for so much


@dataclass(frozen=True, slots=True)
class TrimmedPrompt:
    """A lane's prompt; cut: how many of its first messages were left out; room: the tokens it may say."""

    prompt: Prompt
    cut: int
    room: int


@dataclass(frozen=True, slots=True)
class ContextUsage:
    """What an answer would take of the context, in tokens: prompt, as far as it is kept; cut: how many of the
    first messages would be left out; room: what is left for the answer, below 1 when even the last turn alone
    is too long; wanted: what the answer may have; context: what the model can take, None for no limit."""

    prompt: int
    cut: int
    room: int
    wanted: int
    context: int | None


def trim_to_context(model: LanguageModel, lanes: Sequence[Lane], wanted: int) -> list[TrimmedPrompt]:
    """Lanes that say the same words lose the same turns, so that what they know stays comparable.

    A turn is a message of the user and the answers to it; the last one always stays, and the system message.
    wanted: the most tokens to be said. Raises InputError when even the last turn alone is too long.
    """
    use, prompts = _shortened(model, lanes, wanted)
    if use.room < 1:
        raise InputError(
            "The conversation is too long",
            f"Its last turn has {use.prompt:,} tokens, but the model's context is {use.context:,}.",
            "Shorten the message.",
        )
    return [TrimmedPrompt(prompt, use.cut, min(wanted, use.room)) for prompt in prompts]


def predict_usage(model: LanguageModel, lanes: Sequence[Lane], wanted: int) -> list[ContextUsage]:
    """Per lane, with those that measure its truth, what `trim_to_context` would come to.

    Nothing is too long for it."""
    return [
        _shortened(model, [lane, *(truth_lanes(lane, at) if lane.truth is not None else ())], wanted)[0]
        for at, lane in enumerate(lanes)
    ]


def without(lane: Lane, fitted: TrimmedPrompt) -> Lane:
    """The lane as it is answered."""
    return replace(lane, messages=lane.messages[fitted.cut :]) if fitted.cut else lane


def _shortened(model: LanguageModel, lanes: Sequence[Lane], wanted: int) -> tuple[ContextUsage, list[Prompt]]:
    """Without as few turns as it takes: to lay out a long conversation costs time, so it is looked for from
    the end in growing strides, and then by halving."""

    @cache
    def prompts(cut: int) -> list[Prompt]:
        return [encode(model, lane.messages[cut:], lane.system, lane.lead) for lane in lanes]

    def longest(cut: int) -> int:
        return max(len(prompt.ids) for prompt in prompts(cut))

    if model.context is None:
        return ContextUsage(longest(0), 0, wanted, wanted, None), prompts(0)
    most = model.context - min(wanted, model.context // _SHARE)
    starts = _turns([lane.messages for lane in lanes])
    kept = 1
    while kept < len(starts) and longest(starts[-kept]) <= most:
        kept = min(_STRIDE * kept, len(starts))
    near = starts[-kept:]
    cut = near[0]
    if longest(cut) > most:
        cut = near[min(bisect_left(near, True, key=lambda at: longest(at) <= most), len(near) - 1)]
    return ContextUsage(longest(cut), cut, model.context - longest(cut), wanted, model.context), prompts(cut)


def _turns(conversations: Sequence[Sequence[Message]]) -> list[int]:
    """Where turns begin that begin there in every conversation."""
    return [
        index
        for index in range(min(map(len, conversations)))
        if index == 0 or all(messages[index].role == "user" for messages in conversations)
    ]
