"""Run files: `*.run.safetensors`, everything that is needed to get the very same tokens again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
from engine.errors import RunError
from engine.events import Cancel, ignore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation
from engine.generation.run_codec import lanes_and_answers, pack_lanes
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.model.identity import ModelIdentity
from engine.model.language_model import LanguageModel

FORMAT = 1
_DAMAGED = "Download the file again, or record the answer again."


@dataclass(frozen=True, eq=False)
class Run:
    """Lanes as they were answered together. The heads are part of it: no head file is needed.

    precision: that of the model's matrices; strengths of a lane: those in force at its prompt, while
    Generation.said has those of every token; left_out: answers that stood beside these and are not here, each
    with the reason.
    """

    model: ModelIdentity
    precision: str
    sampling: Sampling
    lanes: tuple[Lane, ...]
    answers: tuple[Generation, ...]
    left_out: tuple[str, ...] = ()


def record(
    model: LanguageModel, lanes: Sequence[Lane], sampling: Sampling, answers: Sequence[Generation]
) -> Run:
    """What `generate` was given and what it gave, kept apart from strengths that may still move."""
    kept = tuple(
        replace(lane, strengths=LiveStrengths(answer.said.strengths[0]))
        for lane, answer in zip(lanes, answers, strict=True)
    )
    return Run(model.identity, model.precision, sampling, kept, tuple(answers))


def replay(
    model: LanguageModel,
    run: Run,
    *,
    cancel: Cancel | None = None,
    on_token: Callable[[Token], object] = ignore,
) -> list[Generation]:
    """Answers the run's lanes again: the recorded strengths come token by token, every token is drawn anew.

    The same model gives the same tokens in the same precision, see `differences`. A draw that falls so near
    to the bound between two tokens that rounding decides (the states of earlier turns were kept then and are
    made again now) is settled by the record; Generation.agreement tells how often, and how near both are.
    A run that was stopped goes as far as it had come. Raises RunError for another model, and what `generate`
    raises.
    """
    if model.identity.fingerprint != run.model.fingerprint:
        raise RunError(
            "The run was not replayed",
            f"It was recorded with {run.model.id}, and this is {model.identity.id}.",
            f"Load {run.model.id} first.",
        )
    live = [LiveStrengths(lane.values()) for lane in run.lanes]
    lanes = [
        # Left out what was left out: a stopped run has another limit now, by which fewer turns might go.
        replace(
            lane,
            messages=lane.messages[answer.cut :],
            strengths=strengths,
            forced=_forced(lane, len(answer.trace)),
            recorded=answer if lane.forced is None and lane.follows is None else None,
        )
        for lane, strengths, answer in zip(run.lanes, live, run.answers, strict=True)
    ]
    forwards = count(1)

    def turn(rows: Sequence[int]) -> None:
        """During a forward, what the next one reads: row 0 is the prompt's, row 1 + i token i's."""
        at = next(forwards)
        for strengths, answer in zip(live, run.answers, strict=True):
            told = answer.said.strengths
            for head, value in enumerate(told[min(at, len(told) - 1)].tolist()):
                strengths.set(head, value)

    return generate(model, lanes, _as_far(run), cancel=cancel, on_token=on_token, on_forward=turn)


def differences(run: Run, answers: Sequence[Generation]) -> list[int | None]:
    """Per lane the first token that is not the recorded one; None where all are."""
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


def save_run(path: str | Path, run: Run) -> None:
    """Writes the run whole or not at all. Raises RunError when it cannot."""
    write_atomic(Path(path), pack_run(run), "run", RunError)


def pack_run(run: Run) -> bytes:
    """What a run file holds."""
    from safetensors.numpy import save

    lanes, heads, arrays = pack_lanes(run.lanes, run.answers)
    header = {
        "format": FORMAT,
        "model": {**asdict(run.model), "fingerprint": run.model.fingerprint},
        "precision": run.precision,
        "sampling": asdict(run.sampling),
        "heads": heads,
        "lanes": lanes,
        "left_out": run.left_out,
    }
    return save(arrays, metadata={"run": json.dumps(header, ensure_ascii=False, allow_nan=False)})


def load_run(path: str | Path) -> Run:
    """Reads and checks a run file; nothing in it is ever unpickled.

    Raises RunError: no such file, damaged, a newer format, values that are no numbers; and HeadError when a
    head in it is unsound.
    """
    path = Path(path)
    what = f"The run {path.name} was not loaded"
    header, arrays = _read(path, what)
    try:
        facts = {key: value for key, value in header["model"].items() if key != "fingerprint"}
        identity = ModelIdentity(**facts)
        sampling = Sampling(**{**header["sampling"], "stop": tuple(header["sampling"]["stop"])})
        lanes, answers = lanes_and_answers(header, arrays, identity.blocks, what)
        left_out = tuple(map(str, header.get("left_out", ())))  # older files know of none
        return Run(identity, str(header["precision"]), sampling, lanes, answers, left_out)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise RunError(what, "Something in it is missing or of the wrong kind.", _DAMAGED) from None


def _read(path: Path, what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        if not path.is_file():
            raise RunError(what, "There is no such file.", "Check the path.")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("run")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(text) if text is not None else None
    except OSError as error:
        raise RunError(what, f"{error.strerror or error}.", "Choose a file that can be read.") from None
    except (SafetensorError, TypeError, ValueError, RecursionError):
        raise RunError(what, "It is damaged or not a run file.", _DAMAGED) from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise RunError(what, "It is not a run file.", "Choose a file that this studio saved.")
    if header["format"] > FORMAT:
        why = f"It has format {header['format']}, and this version reads up to {FORMAT}."
        raise RunError(what, why, "Update the studio.")
    for name, array in arrays.items():
        # What the prompt would have done is not a number where nobody asked for it.
        if not name.endswith((".truth", ".gap")) and not np.isfinite(array).all():
            raise RunError(what, f"{name} holds NaN or infinite values.", _DAMAGED)
    return header, arrays


def _forced(lane: Lane, told: int) -> Sequence[int] | None:
    """A forced lane says what it came to say; one that came to nothing says nothing again."""
    if lane.forced is not None:
        return lane.forced[:told]
    return None if told or lane.follows is not None else ()


def _as_far(run: Run) -> Sampling:
    """A lane that was stopped has as many tokens as there was time for; no lane had more."""
    stopped = [len(answer.trace) for answer in run.answers if answer.stopped == "cancelled"]
    return replace(run.sampling, max_tokens=max(*stopped, 1)) if stopped else run.sampling
