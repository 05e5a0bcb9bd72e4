"""A recorded run as a JSON header and named arrays, and back: what a run file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.decoding import refusing, shaped
from engine.errors import RunError
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.recorded_run import Run
from engine.generation.result import Generation, SteeredTokens, Stopped
from engine.generation.sampling import Sampling
from engine.generation.trace_arrays import trace_from, trace_to_arrays, trace_to_json
from engine.heads.head import Head
from engine.heads.head_codec import decode_head, head_arrays, head_metadata
from engine.model.chat_template import Message, Place, Role
from engine.model.identity import ModelIdentity

FORMAT = 1
DAMAGED = "Download the file again, or record the answer again."

_ANSWER_FACTS = (
    "stopped",
    "prompt_tokens",
    "cut",
    "seconds",
    "first_token_seconds",
    "tokens_per_second",
    "compiled",
)
_Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class _MessageRow:
    role: Role
    text: str
    said: list[int] | None = None  # places of the heads that steered it; None for what no model generated


@dataclass(frozen=True)
class _AnswerRow:
    stopped: Stopped
    prompt_tokens: int
    cut: int
    seconds: float
    first_token_seconds: float
    tokens_per_second: float
    compiled: bool
    pieces: list[str]
    alternatives: list[list[tuple[int, str, float]]]


@dataclass(frozen=True)
class _LaneRow:
    messages: list[_MessageRow]
    system: str | None
    heads: list[int]
    seed: int
    truth: str | None
    follows: int | None
    forced: list[int] | None
    opening: list[int]
    answer: _AnswerRow
    lead: str | None = None  # older runs have none of these two
    truth_place: Place = "system"


@dataclass(frozen=True)
class _RunRow:
    model: ModelIdentity
    precision: str
    sampling: Sampling
    heads: list[dict[str, Any]]
    lanes: list[_LaneRow]
    left_out: tuple[str, ...] = ()  # older files have none


def encode_run(run: Run) -> tuple[dict[str, Any], _Arrays]:
    """The header and the arrays of a run.

    Returns:
        The header as JSON values, and the arrays `head.<k>.<name>` of every head once, `lane.<i>.<name>` of
        every answer, and `lane.<i>.said.<m>.<name>` of message m of a lane where a model generated it.
    """
    heads = _distinct_heads(run.lanes)
    index_of = {_key(head): index for index, head in enumerate(heads)}
    arrays = {
        f"head.{index}.{name}": array
        for index, head in enumerate(heads)
        for name, array in head_arrays(head).items()
    }
    rows = []
    for index, (lane, answer) in enumerate(zip(run.lanes, run.answers, strict=True)):
        row, lane_arrays = _encode_lane(lane, answer, index_of)
        rows.append(row)
        arrays |= {f"lane.{index}.{name}": np.ascontiguousarray(a) for name, a in lane_arrays.items()}
    header = {
        "format": FORMAT,
        "model": {**asdict(run.model), "fingerprint": run.model.fingerprint},
        "precision": run.precision,
        "sampling": asdict(run.sampling),
        "heads": [{**head_metadata(head), "hash": head.digest} for head in heads],
        "lanes": rows,
        "left_out": run.left_out,
    }
    return header, arrays


def decode_run(header: Any, arrays: _Arrays, what: str) -> Run:
    """The run that `encode_run` took apart.

    Args:
        header: JSON values.
        arrays: by name.
        what: begins the sentence of an error ("The run x was not loaded").

    Raises:
        RunError: not a run, a newer format, something missing, of the wrong kind or not finite, a damaged
            head.
    """
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise RunError(what, "It is not a run file.", "Choose a file that this studio saved.")
    if header["format"] > FORMAT:
        why = f"It has format {header['format']}, and this version reads up to {FORMAT}."
        raise RunError(what, why, "Update the studio.")
    for name, array in arrays.items():
        # The prompt's effect is NaN where it was not measured.
        if not name.endswith((".truth", ".gap")) and not np.isfinite(array).all():
            raise RunError(what, f"{name} holds NaN or infinite values.", DAMAGED)
    with refusing(RunError, what, DAMAGED, "Something in it is missing or of the wrong kind."):
        row = shaped(header, _RunRow, "Its header")
        lanes, answers = _decode_lanes(row, arrays, what)
        return Run(
            model=row.model,
            precision=row.precision,
            sampling=row.sampling,
            lanes=lanes,
            answers=answers,
            left_out=row.left_out,
        )


def _encode_lane(
    lane: Lane, answer: Generation, index_of: Mapping[tuple[str, str, str], int]
) -> tuple[dict[str, Any], _Arrays]:
    """A lane and its answer as JSON values and arrays; index_of: place of each head by `_key`."""
    arrays: _Arrays = {
        **trace_to_arrays(answer.trace),
        "prompt_coefficients": answer.prompt_coefficients,
        "prompt_strengths": np.asarray(answer.tokens.strengths[0], np.float32),
    }
    messages = []
    for number, message in enumerate(lane.messages):
        row: dict[str, Any] = {"role": message.role, "text": message.text}
        if message.tokens is not None:
            arrays[f"said.{number}.ids"] = np.array(list(message.tokens.ids), np.int64)
            row["said"] = []
        if isinstance(message.tokens, SteeredTokens):
            arrays[f"said.{number}.strengths"] = np.asarray(message.tokens.strengths, np.float32)
            row["said"] = [index_of[_key(head)] for head in message.tokens.heads]
        messages.append(row)
    facts = {
        "messages": messages,
        "system": lane.system,
        "lead": lane.lead,
        "heads": [index_of[_key(head)] for head in lane.heads],
        "seed": lane.seed,
        "truth": lane.reference_prompt,
        "truth_place": lane.reference_place,
        "follows": lane.follows,
        "forced": None if lane.forced is None else list(lane.forced),
        "opening": list(lane.opening),
        "answer": {name: getattr(answer, name) for name in _ANSWER_FACTS} | trace_to_json(answer.trace),
    }
    return facts, arrays


def _decode_lanes(
    run: _RunRow, arrays: _Arrays, what: str
) -> tuple[tuple[Lane, ...], tuple[Generation, ...]]:
    heads = [
        decode_head(facts, _with_prefix(arrays, f"head.{index}."), what)
        for index, facts in enumerate(run.heads)
    ]
    if [head.digest for head in heads] != [facts["hash"] for facts in run.heads]:
        raise ValueError
    pairs = [
        _decode_lane(row, _with_prefix(arrays, f"lane.{index}."), heads, run)
        for index, row in enumerate(run.lanes)
    ]
    return tuple(lane for lane, _ in pairs), tuple(answer for _, answer in pairs)


def _decode_lane(
    row: _LaneRow, arrays: _Arrays, heads: Sequence[Head], run: _RunRow
) -> tuple[Lane, Generation]:
    steering = tuple(heads[index] for index in _within(row.heads, len(heads)))
    _require_shapes(arrays, len(steering), run.model.blocks)
    vocabulary = run.model.vocabulary
    ids = _within(arrays["ids"].tolist(), vocabulary)
    trace = trace_from(arrays, {"pieces": row.answer.pieces, "alternatives": row.answer.alternatives})
    strengths = np.concatenate([arrays["prompt_strengths"][None], arrays["strengths"]])
    lane = Lane(
        [
            _decode_message(message, number, arrays, heads, vocabulary)
            for number, message in enumerate(row.messages)
        ],
        system=row.system,
        lead=row.lead,
        heads=steering,
        strengths=LiveStrengths(arrays["prompt_strengths"]),
        seed=row.seed,
        forced=None if row.forced is None else _within(row.forced, vocabulary),
        opening=_within(row.opening, vocabulary),
        follows=None if row.follows is None else _within([row.follows], len(run.lanes))[0],
        reference_prompt=row.truth,
        reference_place=row.truth_place,
    )
    if len(trace) != len(ids):
        raise ValueError
    answer = Generation(
        trace=trace,
        text=trace.text,
        prompt_coefficients=arrays["prompt_coefficients"],
        tokens=SteeredTokens(ids, steering, strengths),
        seed=lane.seed,
        **{name: getattr(row.answer, name) for name in _ANSWER_FACTS},
    )
    return lane, answer


def _decode_message(
    row: _MessageRow, number: int, arrays: _Arrays, heads: Sequence[Head], vocabulary: int
) -> Message:
    if row.said is None:
        return Message(row.role, row.text)
    ids = _within(arrays[f"said.{number}.ids"].tolist(), vocabulary)
    steering = tuple(heads[index] for index in _within(row.said, len(heads)))
    if not steering:
        return Message(row.role, row.text, SteeredTokens(ids))
    strengths = arrays[f"said.{number}.strengths"]
    if strengths.shape != (len(ids) + 1, len(steering)):
        raise ValueError
    return Message(row.role, row.text, SteeredTokens(ids, steering, strengths))


def _within(numbers: Sequence[int], end: int) -> tuple[int, ...]:
    """The numbers, all of which lie in [0, end). Raises ValueError where one does not."""
    if not all(type(number) is int and 0 <= number < end for number in numbers):
        raise ValueError
    return tuple(numbers)


def _require_shapes(arrays: _Arrays, heads: int, blocks: int) -> None:
    n = len(arrays["ids"])
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("ids", "logprobs", "ranks"), (n,))
    shapes |= dict.fromkeys(("coefficients", "lengths", "truth", "gap"), (n, blocks))
    shapes |= {"strengths": (n, heads), "prompt_strengths": (heads,), "prompt_coefficients": (blocks,)}
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError
    kinds = {"ids": np.int64, "ranks": np.int32}
    if any(arrays[name].dtype != kinds.get(name, np.float32) for name in shapes):
        raise ValueError


def _distinct_heads(lanes: Sequence[Lane]) -> list[Head]:
    """Every head that steers a lane or steered an earlier answer in it, once."""
    turns = [message.tokens for lane in lanes for message in lane.messages]
    groups = [lane.heads for lane in lanes]
    groups += [turn.heads for turn in turns if isinstance(turn, SteeredTokens)]
    return list({_key(head): head for group in groups for head in group}.values())


def _key(head: Head) -> tuple[str, str, str]:
    """What a replay must tell apart: the numbers, the positions they steer, the name that is shown."""
    return head.digest, head.info.positions, head.info.name


def _with_prefix(arrays: _Arrays, prefix: str) -> _Arrays:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
