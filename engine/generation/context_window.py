"""Trims conversations to the model's context: whole turns are left out from the front."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from engine.errors import InputError
from engine.generation.lanes import Lane, reference_lanes
from engine.model.chat_template import Message, Prompt, encode
from engine.model.language_model import LanguageModel

_GROWTH = 4  # the search tries this many times the turns that fitted before
_ANSWER_FRACTION = 4  # an answer can have at least a quarter of the context, if that much is requested


@dataclass(frozen=True, slots=True)
class TrimmedPrompt:
    """A lane's prompt as it fits the context.

    Attributes:
        prompt: the tokens that the model reads.
        cut: how many of the first messages were left out.
        max_new_tokens: the most tokens that the answer can have.
    """

    prompt: Prompt
    cut: int
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class ContextUsage:
    """What an answer takes of the context.

    Attributes:
        prompt_tokens: length of the prompt after trimming.
        cut: how many of the first messages are left out.
        remaining: tokens left for the answer; below 1 when even the last turn alone is too long.
        requested: the most tokens that the answer is to have.
        context: the model's context in tokens; None for no limit.
    """

    prompt_tokens: int
    cut: int
    remaining: int
    requested: int
    context: int | None


def trim_to_context(model: LanguageModel, lanes: Sequence[Lane], requested: int) -> list[TrimmedPrompt]:
    """The prompts of lanes that are to stay comparable: all of them lose the same turns.

    A turn is a message of the user and the answers to it. The last turn and the system message always stay.

    Args:
        model: the model that reads them.
        lanes: lanes that repeat the same tokens.
        requested: the most tokens that the answer is to have.

    Returns:
        One prompt per lane.

    Raises:
        InputError: the last turn alone is too long.
        ModelError: the chat template refuses the conversation.
    """
    usage, prompts = _trim(model, lanes, requested)
    if usage.remaining < 1:
        raise InputError(
            "The conversation is too long",
            f"Its last turn has {usage.prompt_tokens:,} tokens, "
            f"but the model's context is {usage.context:,}.",
            "Shorten the message.",
        )
    return [TrimmedPrompt(prompt, usage.cut, min(requested, usage.remaining)) for prompt in prompts]


def predict_usage(model: LanguageModel, lanes: Sequence[Lane], requested: int) -> list[ContextUsage]:
    """What `trim_to_context` would come to, per lane together with its reference lanes.

    Unlike that, it raises nothing for a turn that is too long.

    Args:
        model, lanes, requested: as in `trim_to_context`.
    """
    groups = [
        [lane, *(reference_lanes(lane, index) if lane.reference_prompt is not None else ())]
        for index, lane in enumerate(lanes)
    ]
    return [_trim(model, group, requested)[0] for group in groups]


def trimmed_lane(lane: Lane, trimmed: TrimmedPrompt) -> Lane:
    """The lane without the messages that its prompt leaves out."""
    return replace(lane, messages=lane.messages[trimmed.cut :]) if trimmed.cut else lane


def _trim(model: LanguageModel, lanes: Sequence[Lane], requested: int) -> tuple[ContextUsage, list[Prompt]]:
    """Leaves out as few turns as possible.

    Encoding a long conversation takes time, so the number of turns that fit is searched from the end in
    growing steps and then by bisection: turns far before it are never encoded.
    """

    @cache
    def prompts(cut: int) -> list[Prompt]:
        return [encode(model, lane.messages[cut:], lane.system, lane.lead) for lane in lanes]

    def longest(cut: int) -> int:
        return max(len(prompt.ids) for prompt in prompts(cut))

    if model.context is None:
        return ContextUsage(longest(0), 0, requested, requested, None), prompts(0)
    most = model.context - min(requested, model.context // _ANSWER_FRACTION)
    starts = _turn_starts([lane.messages for lane in lanes])
    count = 1
    while count < len(starts) and longest(starts[-count]) <= most:
        count = min(_GROWTH * count, len(starts))
    candidates = starts[-count:]
    cut = candidates[0]
    if longest(cut) > most:
        first = bisect_left(candidates, True, key=lambda start: longest(start) <= most)
        cut = candidates[min(first, len(candidates) - 1)]
    remaining = model.context - longest(cut)
    return ContextUsage(longest(cut), cut, remaining, requested, model.context), prompts(cut)


def _turn_starts(conversations: Sequence[Sequence[Message]]) -> list[int]:
    """The message indices at which a turn begins in every conversation."""
    return [
        index
        for index in range(min(map(len, conversations)))
        if index == 0 or all(messages[index].role == "user" for messages in conversations)
    ]
