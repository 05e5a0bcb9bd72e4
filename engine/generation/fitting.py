"""Makes conversations fit the model's context: whole turns are left out from the front, and it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import InputError
from engine.generation.lanes import Lane
from engine.model.chat import Message, Prompt, encode
from engine.model.language_model import LanguageModel

_SHARE = 4  # an answer may always have a quarter of the context, if it asks for so much


@dataclass(frozen=True, slots=True)
class Fitted:
    """A lane's prompt; cut: how many of its first messages were left out; room: the tokens it may say."""

    prompt: Prompt
    cut: int
    room: int


def fit(model: LanguageModel, lanes: Sequence[Lane], wanted: int) -> list[Fitted]:
    """Lanes that say the same words lose the same turns, so that what they know stays comparable.

    A turn is a message of the user and the answers to it; the last one always stays, and the system message.
    wanted: the most tokens to be said. Raises InputError when even the last turn alone is too long.
    """
    cut = 0
    while True:
        prompts = [encode(model, lane.messages[cut:], lane.system) for lane in lanes]
        longest = max(len(prompt.ids) for prompt in prompts)
        if model.context is None:
            return [Fitted(prompt, cut, wanted) for prompt in prompts]
        if longest + min(wanted, model.context // _SHARE) <= model.context:
            break
        following = _next_turn([lane.messages for lane in lanes], cut)
        if following is None:
            break
        cut = following
    room = model.context - longest
    if room < 1:
        raise InputError(
            "The conversation is too long",
            f"Its last turn has {longest} tokens and the model can take {model.context}.",
            "Shorten the message.",
        )
    return [Fitted(prompt, cut, min(wanted, room)) for prompt in prompts]


def without(lane: Lane, fitted: Fitted) -> Lane:
    """The lane as it is answered."""
    return replace(lane, messages=lane.messages[fitted.cut :]) if fitted.cut else lane


def _next_turn(conversations: Sequence[Sequence[Message]], start: int) -> int | None:
    """Where the turn after `start` begins in every conversation, None when one has no further turn."""
    for index in range(start + 1, min(map(len, conversations))):
        if all(messages[index].role == "user" for messages in conversations):
            return index
    return None
