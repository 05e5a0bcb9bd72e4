"""Lanes: the rows of one batch, each a conversation with its own heads, strengths and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.errors import InputError
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation, SpokenTurn
from engine.heads.head import Head
from engine.model.chat_template import Message, Place


@dataclass(frozen=True, eq=False)
class Lane:
    """One answer to be generated.

    heads and strengths: what steers it, one live strength per head (None: 1 each); a head knows itself which
    tokens it steers. forced: the ids that this lane is made to say, whatever its model would choose; such a
    lane ends with them and knows no other limit. opening: ids that it is made to say first, before it goes
    on by itself. recorded: an answer that it gave before and is to give again; where it would say another
    token and rounding alone made the difference, the recorded one counts. follows: another lane of the batch
    whose tokens this one is made to say, as they come. truth: a steering prompt; the trace then holds, per
    token and block, what that prompt would have done at the very same tokens. system: the system message;
    lead: a text before the first question, in the same turn; truth_place: where the prompt of `truth` goes.
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
    truth: str | None = None
    truth_place: Place = "system"
    lead: str | None = None

    def values(self) -> tuple[float, ...]:
        """The strengths now, one per head."""
        return (1.0,) * len(self.heads) if self.strengths is None else self.strengths.values()


def truth_lanes(lane: Lane, index: int) -> tuple[Lane, Lane]:
    """The lane without its heads, and the same under the prompt asked for in `truth`; both follow it.

    Earlier answers keep their words and lose their steering: A[x] and A[x'] of METHOD.md section 1.
    """
    messages = [
        replace(message, said=message.said.unsteered()) if isinstance(message.said, SpokenTurn) else message
        for message in lane.messages
    ]
    bare = replace(
        lane,
        messages=messages,
        heads=(),
        strengths=None,
        forced=None,
        opening=(),
        recorded=None,
        follows=index,
        truth=None,
    )
    # The lane may be under the prompt itself: what that adds is seen against the lane without it.
    name = "system" if lane.truth_place == "system" else "lead"
    there: str | None = getattr(lane, name)
    plain = None if there == lane.truth else there
    prompted = f"{plain}\n\n{lane.truth}" if plain else lane.truth
    return _with_text(bare, name, plain), _with_text(bare, name, prompted)


def _with_text(lane: Lane, name: str, text: str | None) -> Lane:
    return replace(lane, system=text) if name == "system" else replace(lane, lead=text)


def require_sense(lanes: Sequence[Lane]) -> None:
    """Raises InputError for a lane that cannot be answered as it is."""
    for index, lane in enumerate(lanes):
        given = len(lane.values())
        if given != len(lane.heads):
            raise InputError(
                "The strengths do not match the heads",
                f"There are {given} strengths for {len(lane.heads)} heads.",
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
