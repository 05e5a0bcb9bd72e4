"""Tokens and results of a run into the answers that show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.jobs import make_trace
from studio.turns import Answer
from studio.workspace import Workspace


def take_tokens(workspace: Workspace, answers: Sequence[Answer], tokens: Sequence[Any]) -> None:
    """Each token to the answer of its lane; the workspace tells who listens."""
    for index, answer in enumerate(answers):
        mine = [token for token in tokens if token.lane == index]
        if not mine:
            continue
        if answer.trace is None:
            answer.trace = make_trace(mine[0])
            answer.state = "running"
            workspace.answerChanged.emit(answer)
        first = len(answer)
        for token in mine:
            answer.trace.append(token)
        answer.text += "".join(token.text for token in mine)
        workspace.widen(
            min(float(token.coefficients.min()) for token in mine),
            max(float(token.coefficients.max()) for token in mine),
        )
        workspace.answerGrew.emit(answer, first)


def take_results(answers: Sequence[Answer], generations: Sequence[Any]) -> None:
    """What each lane came to."""
    for answer, generation in zip(answers, generations, strict=True):
        answer.state = generation.stopped
        answer.text = generation.text
        answer.said = generation.said
        answer.tokens_per_second = generation.tokens_per_second
        answer.first_token_seconds = generation.first_token_seconds
        answer.cut = generation.cut
        answer.compiled = generation.compiled
        answer.prompt_tokens = generation.prompt_tokens
        answer.prompt_coefficients = tuple(generation.prompt_coefficients.tolist())
