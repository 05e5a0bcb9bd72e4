"""Answers that came together as a run file, from which `steer replay` gets the very same tokens again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.errors import RunError
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation
from engine.generation.run_file import Run, pack_run, record
from studio.runtime.lane_builder import lanes_of, sampling_of
from studio.state.conversation import Answer, Turn, came_together, history
from studio.state.requests import LaneRequest, model_key
from studio.widgets.translation import tr


def as_bytes(
    model: Any, turns: tuple[Turn, ...], answer: Answer, beside: Sequence[tuple[str, Answer]] = ()
) -> tuple[bytes, tuple[str, ...]]:
    """The run file of `answer` and of those that came in one batch with it, with their heads and the turns
    before them; and who else is left out, each with the reason, which the file says too.

    model: the loaded LanguageModel; beside: the answers shown side by side, `answer` among them, by name.
    Raises RunError for an answer that cannot be made again: edited, broken off by a failure, another model's.
    """
    reason = _why_not(model, answer)
    if reason is not None:
        raise RunError(tr("The answer cannot be written as a run"), *reason)
    together, left_out = [], []
    for name, other in beside or [("", answer)]:
        why_not = _why_not(model, other)
        if why_not is not None:
            left_out.append(f"{name}: {why_not[0]}")
        elif other is answer or came_together(answer, other):
            together.append(other)
        else:
            elsewhere = tr("It was answered at another time, and is a run of its own.")
            left_out.append(f"{name}: {elsewhere}")
    return pack_run(replace(_run(model, turns, together), left_out=tuple(left_out))), tuple(left_out)


def _run(model: Any, turns: tuple[Turn, ...], answers: Sequence[Answer]) -> Run:
    settings = answers[0].turn.settings
    lanes = lanes_of(model, [_request(turns, answer) for answer in answers], settings.seed)
    run = record(model, lanes, sampling_of(settings), [_generation(answer) for answer in answers])
    assert answers[0].asked is not None
    # The model may have been loaded in another since.
    return replace(run, precision=answers[0].asked.precision)


def _request(turns: tuple[Turn, ...], answer: Answer) -> LaneRequest:
    turn, asked = answer.turn, answer.asked
    assert asked is not None
    before = turns[: turns.index(turn)] if turn in turns else ()  # a comparison has nothing before it
    return LaneRequest(
        (*history(before, answer.lane, turn.model), ("user", turn.question, None)),
        answer.said.heads,
        LiveStrengths(answer.said.strengths[0]) if answer.said.heads else None,
        asked.system,
        asked.truth,
        asked.opening,
        asked.place,
    )


def _generation(answer: Answer) -> Generation:
    seconds = len(answer) / answer.tokens_per_second if answer.tokens_per_second else 0.0
    return Generation(
        trace=answer.trace,
        text=answer.text,
        stopped=answer.state,  # type: ignore[arg-type]  # waiting, running and failed were refused
        prompt_tokens=answer.prompt_tokens,
        cut=answer.cut,
        prompt_coefficients=np.asarray(answer.prompt_coefficients, np.float32),
        said=answer.said,
        seconds=answer.first_token_seconds + seconds,
        first_token_seconds=answer.first_token_seconds,
        tokens_per_second=answer.tokens_per_second,
        seed=answer.turn.settings.seed,
        compiled=answer.compiled,
    )


def _why_not(model: Any, answer: Answer) -> tuple[str, str] | None:
    """Why it cannot be made again, and what to do; None when it can."""
    loaded, turn = model.identity, answer.turn
    if answer.edited:
        return tr("Its words were edited by hand."), tr("Undo the edit, or choose another answer.")
    if turn.model != model_key(loaded):
        why = tr("It was given by {0}, and {1} is loaded.").format(turn.model, loaded.id)
        return why, tr("Load that model first.")
    if answer.said is None or answer.trace is None:
        return tr("It broke off, or a head of it is lost."), tr("Answer the question again.")
    if answer.asked is None or not answer.asked.precision or len(answer.prompt_coefficients) != loaded.blocks:
        return tr("An older version kept it without all that is needed."), tr("Answer the question again.")
    return None
