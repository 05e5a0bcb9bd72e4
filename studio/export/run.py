"""One answer as a run file, from which `steer replay` gets the very same tokens again."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.errors import RunError
from engine.generation.answer import Generation
from engine.generation.recording import Run, pack_run, record
from engine.generation.strengths import Strengths
from studio.lanes import lanes_of, sampling_of
from studio.requests import LaneRequest, model_key
from studio.turns import Answer, Turn, history


def as_bytes(model: Any, turns: tuple[Turn, ...], answer: Answer) -> bytes:
    """The run file of `answer`, with its heads and the turns before it. model: the loaded LanguageModel.

    Raises RunError for an answer that cannot be made again: edited, broken off by a failure, another model's.
    """
    return pack_run(_run(model, turns, answer))


def _run(model: Any, turns: tuple[Turn, ...], answer: Answer) -> Run:
    turn, asked = answer.turn, answer.asked
    _require_replayable(model, answer)
    assert asked is not None
    before = turns[: turns.index(turn)] if turn in turns else ()  # a comparison has nothing before it
    request = LaneRequest(
        (*history(before, answer.lane, turn.model), ("user", turn.question, None)),
        answer.said.heads,
        Strengths(answer.said.strengths[0]) if answer.said.heads else None,
        asked.system,
        asked.truth,
        asked.opening,
    )
    seed = turn.settings.seed
    seconds = len(answer) / answer.tokens_per_second if answer.tokens_per_second else 0.0
    generation = Generation(
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
        seed=seed,
        compiled=answer.compiled,
    )
    return record(model, lanes_of(model, [request], seed), sampling_of(turn.settings), [generation])


def _require_replayable(model: Any, answer: Answer) -> None:
    loaded, turn = model.identity, answer.turn
    if answer.edited:
        raise _refused("Its words were edited by hand.", "Undo the edit, or choose another answer.")
    if turn.model != model_key(loaded):
        raise _refused(f"It was given by {turn.model}, and {loaded.id} is loaded.", "Load that model first.")
    if answer.said is None or answer.trace is None:
        raise _refused("It broke off, or a head of it is lost.", "Answer the question again.")
    if answer.asked is None or len(answer.prompt_coefficients) != loaded.blocks:
        raise _refused("An older version kept it without all that is needed.", "Answer the question again.")


def _refused(why: str, remedy: str) -> RunError:
    return RunError("The answer cannot be written as a run", why, remedy)
