"""Lanes: the rows of one batch, each a conversation with its own strengths and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import InputError
from engine.generation.strengths import Strengths
from engine.heads.head import Positions
from engine.model.chat import Message, Prompt


@dataclass(frozen=True, eq=False)
class Lane:
    """One answer to be generated.

    strengths: one per head of the mix, None for an unsteered lane; positions: which tokens are steered
    (see `steered`); forced: the ids that this lane is made to say, whatever its model would choose; such a
    lane ends with them and knows no other limit.
    """

    messages: Sequence[Message]
    system: str | None = None
    strengths: Strengths | None = None
    seed: int = 0
    positions: Positions = "response"
    forced: Sequence[int] | None = None


def steered(prompt: Prompt, positions: Positions) -> list[bool]:
    """For each prompt token whether it is steered (METHOD.md section 2).

    Always the last one, whose activation yields the first response token, and earlier answers as they were
    when they were generated: each with the token before it. With question_and_response also the user's
    tokens. Every generated token is steered besides.
    """
    marks = [False] * len(prompt.ids)
    marks[-1] = True
    for span in prompt.spans:
        if span.role == "assistant":
            start = max(span.start - 1, 0)
        elif span.role == "user" and positions == "question_and_response":
            start = span.start
        else:
            continue
        marks[start : span.stop] = [True] * (span.stop - start)
    return marks


def require_fit(lanes: Sequence[Lane], heads: int) -> None:
    """Raises InputError unless every lane's strengths match the number of heads in the mix."""
    for lane in lanes:
        given = 0 if lane.strengths is None else len(lane.strengths.values())
        if lane.strengths is not None and given != heads:
            raise InputError(
                "The strengths do not match the heads",
                f"There are {given} strengths for {heads} heads.",
                "Give one strength per head.",
            )
        if not lane.messages:
            raise InputError("There is nothing to answer", "The conversation is empty.", "Type a message.")
