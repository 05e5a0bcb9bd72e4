"""Lanes: the rows of one batch, each a conversation with its own heads, strengths and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import InputError
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation, SteeredTokens
from engine.heads.head import Head
from engine.model.chat_template import Message, Place


@dataclass(frozen=True, eq=False)
class Lane:
    """One answer to be generated.

    Attributes:
        messages: the conversation, up to and with the message to be answered.
        system: a system message, a steering prompt for instance.
        lead: a text before the first question, in the same turn.
        heads: the heads that steer it; each says itself which positions it steers.
        strengths: one live strength per head; None stands for 1 each.
        seed: of its sampling.
        forced: ids that the answer consists of, whatever the model would choose; no end token, stop string
            or limit ends it earlier.
        opening: ids that the answer begins with, before the model goes on by itself.
        recorded: an earlier answer of this lane to be reproduced; where another token is drawn and rounding
            alone made the difference, the recorded one is taken.
        follows: index of another lane of the batch whose tokens this one repeats as they come.
        reference_prompt: a steering prompt whose effect is measured at the same tokens; the trace then has
            `prompt_effect` and `distance_to_prompt`. It costs two more rows in the batch.
        reference_place: where the reference prompt goes, as `system` or as `lead`.
    """

    messages: Sequence[Message]
    system: str | None = None
    heads: Sequence[Head] = ()
    strengths: LiveStrengths | None = None
    seed: int = 0
    forced: Sequence[int] | None = None
    opening: Sequence[int] = ()
    recorded: Generation | None = None
    follows: int | None = None
    reference_prompt: str | None = None
    reference_place: Place = "system"
    lead: str | None = None

    def current_strengths(self) -> tuple[float, ...]:
        """One strength per head, as they are now."""
        return (1.0,) * len(self.heads) if self.strengths is None else self.strengths.values()


def reference_lanes(lane: Lane, index: int) -> tuple[Lane, Lane]:
    """The two lanes from which the effect of a reference prompt is read, A[x] and A[x'] of Eq. 1.

    Earlier answers in the conversation keep their tokens and lose their steering.

    Args:
        lane: a lane with a reference prompt.
        index: its place in the batch, which both follow.

    Returns:
        The lane without heads, and the same with the reference prompt in its place, behind what stands there
        already. Where that is the reference prompt itself, the first lane is without it.
    """
    messages = [
        replace(message, tokens=message.tokens.unsteered())
        if isinstance(message.tokens, SteeredTokens)
        else message
        for message in lane.messages
    ]
    base = replace(
        lane,
        messages=messages,
        heads=(),
        strengths=None,
        forced=None,
        opening=(),
        recorded=None,
        follows=index,
        reference_prompt=None,
    )
    text = lane.system if lane.reference_place == "system" else lane.lead
    plain = None if text == lane.reference_prompt else text
    prompted = f"{plain}\n\n{lane.reference_prompt}" if plain else lane.reference_prompt
    return _with_text(base, lane.reference_place, plain), _with_text(base, lane.reference_place, prompted)


def _with_text(lane: Lane, place: Place, text: str | None) -> Lane:
    return replace(lane, system=text) if place == "system" else replace(lane, lead=text)


def validate_lanes(lanes: Sequence[Lane]) -> None:
    """Checks that every lane can be answered as it is.

    Raises:
        InputError: no message, strengths that do not match the heads, or a lane that follows none which
            chooses its own tokens.
    """
    for index, lane in enumerate(lanes):
        strengths = len(lane.current_strengths())
        if strengths != len(lane.heads):
            raise InputError(
                "The strengths do not match the heads",
                f"There are {strengths} strengths for {len(lane.heads)} heads.",
                "Give one strength per head.",
            )
        if not lane.messages:
            raise InputError("There is nothing to answer", "The conversation is empty.", "Type a message.")
        if lane.follows is not None:
            leads = 0 <= lane.follows < len(lanes) and lane.follows != index
            if not leads or lanes[lane.follows].follows is not None or lane.forced is not None:
                raise InputError(
                    "The lanes cannot be answered together",
                    f"Lane {index} cannot follow lane {lane.follows}.",
                    "Let it follow another lane that chooses its own tokens.",
                )
