"""A recorded run: lanes, sampling and answers, from which the same tokens can be generated again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, zip_longest

from engine.errors import RunError
from engine.events import Cancel, ignore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.model.identity import ModelIdentity
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """Lanes that were answered in one batch. The heads are part of it: no head file is needed.

    Attributes:
        model: the model that answered.
        precision: of the model's weight matrices.
        sampling: as it was.
        lanes: with the strengths in force at their prompts; Generation.tokens has those of every token.
        answers: one per lane.
        left_out: answers that stood beside these and are not part of the run, each with the reason.
    """

    model: ModelIdentity
    precision: str
    sampling: Sampling
    lanes: tuple[Lane, ...]
    answers: tuple[Generation, ...]
    left_out: tuple[str, ...] = ()


def record_run(
    model: LanguageModel, lanes: Sequence[Lane], sampling: Sampling, answers: Sequence[Generation]
) -> Run:
    """A run of what `generate` was given and returned, independent of strengths that still move."""
    fixed = tuple(
        replace(lane, strengths=LiveStrengths(answer.tokens.strengths[0]))
        for lane, answer in zip(lanes, answers, strict=True)
    )
    return Run(
        model=model.identity,
        precision=model.precision,
        sampling=sampling,
        lanes=fixed,
        answers=tuple(answers),
    )


def replay(
    model: LanguageModel,
    run: Run,
    *,
    cancel: Cancel | None = None,
    on_token: Callable[[Token], object] = ignore,
) -> list[Generation]:
    """Answers the lanes of a run again, with the recorded strengths and newly sampled tokens.

    The same model in the same precision gives the same tokens. Where the record was made from cached keys and
    values, rounding may decide differently between two tokens; then the recorded one is taken, and
    Generation.agreement says how often and how closely both agree. A run that was stopped is replayed as far
    as it had come.

    Args:
        model: the model that made the run.
        run: what to replay.
        cancel: stops it; the answers are then "cancelled".
        on_token: called with every finished token.

    Returns:
        One answer per lane.

    Raises:
        RunError: the model is another one.
        EngineError: whatever `generate` raises.
    """
    if model.identity.fingerprint != run.model.fingerprint:
        raise RunError(
            "The run was not replayed",
            f"It was recorded with {run.model.id}, and this is {model.identity.id}.",
            f"Load {run.model.id} first.",
        )
    live = [LiveStrengths(lane.current_strengths()) for lane in run.lanes]
    lanes = [
        replace(
            lane,
            # The same messages are left out: a run that was stopped gets a lower limit of tokens below, with
            # which more of them would fit the context.
            messages=lane.messages[answer.cut :],
            strengths=strengths,
            forced=_forced_ids(lane, len(answer.trace)),
            recorded=answer if lane.forced is None and lane.follows is None else None,
        )
        for lane, strengths, answer in zip(run.lanes, live, run.answers, strict=True)
    ]
    forwards = count(1)

    def set_next_strengths(rows: Sequence[int]) -> None:
        """Called before each forward pass: sets the strengths of the next one."""
        at = next(forwards)  # row of the record; row 0 is the prompt's
        for strengths, answer in zip(live, run.answers, strict=True):
            table = answer.tokens.strengths
            for head, value in enumerate(table[min(at, len(table) - 1)].tolist()):
                strengths.set(head, value)

    sampling = _sampling_as_far(run)
    return generate(model, lanes, sampling, cancel=cancel, on_token=on_token, on_forward=set_next_strengths)


def first_differences(run: Run, answers: Sequence[Generation]) -> list[int | None]:
    """Per lane the index of the first token that is not the recorded one; None where all are."""
    return [
        next(
            (
                index
                for index, (one, other) in enumerate(zip_longest(old.trace.ids, new.trace.ids))
                if one != other
            ),
            None,
        )
        for old, new in zip(run.answers, answers, strict=True)
    ]


def _forced_ids(lane: Lane, length: int) -> Sequence[int] | None:
    """The forced ids of a lane that had come to `length` tokens; none for a lane that samples.

    A lane that was stopped before its first token is forced to stay empty.
    """
    if lane.forced is not None:
        return lane.forced[:length]
    return None if length or lane.follows is not None else ()


def _sampling_as_far(run: Run) -> Sampling:
    """The sampling with a limit of as many tokens as the lanes had when they were stopped."""
    stopped = [len(answer.trace) for answer in run.answers if answer.stopped == "cancelled"]
    return replace(run.sampling, max_tokens=max(*stopped, 1)) if stopped else run.sampling
