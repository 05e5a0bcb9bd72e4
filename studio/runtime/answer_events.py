"""The events and results of a run, written into the answers that show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from engine.events import PrefillStart
from studio.runtime.engine_objects import make_trace
from studio.state.conversation import Answer, AnswerRequest
from studio.state.requests import LaneRequest
from studio.state.workspace import Workspace


def note_asked(answers: Sequence[Answer], lanes: Sequence[LaneRequest], precision: str) -> None:
    """How each of the answers is asked for, all in one batch of a model in this precision."""
    batch = uuid4().hex
    for answer, lane in zip(answers, lanes, strict=True):
        answer.asked = AnswerRequest(lane.system, lane.truth, lane.opening, batch, precision, lane.place)


def take_events(workspace: Workspace, answers: Sequence[Answer], events: Sequence[Any]) -> None:
    """Each event, a PrefillStart or a token, to the answer of its lane; the workspace tells who listens."""
    for begun in (event for event in events if isinstance(event, PrefillStart)):
        workspace.update_answer(answers[begun.lane], prompt_tokens=begun.prompt_tokens, cut=begun.cut)
    tokens = [event for event in events if not isinstance(event, PrefillStart)]
    for index, answer in enumerate(answers):
        mine = [token for token in tokens if token.lane == index]
        if not mine:
            continue
        if answer.trace is None:
            workspace.update_answer(answer, trace=make_trace(mine[0]), state="running")
        workspace.add_tokens(answer, mine)


def take_results(answers: Sequence[Answer], generations: Sequence[Any]) -> None:
    """What each lane came to."""
    for answer, generation in zip(answers, generations, strict=True):
        answer.state = generation.stopped
        answer.text = generation.text
        answer.said = generation.tokens
        answer.tokens_per_second = generation.tokens_per_second
        answer.first_token_seconds = generation.first_token_seconds
        answer.cut = generation.cut
        answer.compiled = generation.compiled
        answer.prompt_tokens = generation.prompt_tokens
        answer.prompt_coefficients = tuple(generation.prompt_coefficients.tolist())
