"""The lanes and answers of a run as JSON values and arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation, SpokenTurn, Stopped
from engine.generation.trace_arrays import arrays_of as trace_arrays
from engine.generation.trace_arrays import trace_of, words_of
from engine.heads.head import Head
from engine.heads.head_codec import arrays_of, facts_of, head_of
from engine.model.chat_template import Message, Role

_FIGURES = (
    "stopped",
    "prompt_tokens",
    "cut",
    "seconds",
    "first_token_seconds",
    "tokens_per_second",
    "compiled",
)
_Arrays = dict[str, np.ndarray]


def pack_lanes(
    lanes: Sequence[Lane], answers: Sequence[Generation]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], _Arrays]:
    """The lanes' facts, the facts of every head that steered any of them or an earlier turn, and the arrays:
    `head.<k>.block...`, `lane.<i>.<name>` and, for earlier answers, `lane.<i>.said.<m>.<name>`."""
    heads = _heads(lanes)
    place = {_key(head): index for index, head in enumerate(heads)}
    arrays = {
        f"head.{index}.{name}": array
        for index, head in enumerate(heads)
        for name, array in arrays_of(head).items()
    }
    rows = []
    for index, (lane, answer) in enumerate(zip(lanes, answers, strict=True)):
        own: _Arrays = {**trace_arrays(answer.trace), "prompt_coefficients": answer.prompt_coefficients}
        own["prompt_strengths"] = np.asarray(answer.said.strengths[0], np.float32)
        messages = []
        for number, message in enumerate(lane.messages):
            row: dict[str, Any] = {"role": message.role, "text": message.text}
            if message.said is not None:
                own[f"said.{number}.ids"] = np.array(list(message.said.ids), np.int64)
                row["said"] = []
            if isinstance(message.said, SpokenTurn):
                own[f"said.{number}.strengths"] = np.ascontiguousarray(message.said.strengths, np.float32)
                row["said"] = [place[_key(head)] for head in message.said.heads]
            messages.append(row)
        arrays |= {f"lane.{index}.{name}": np.ascontiguousarray(array) for name, array in own.items()}
        rows.append(
            {
                "messages": messages,
                "system": lane.system,
                "lead": lane.lead,
                "heads": [place[_key(head)] for head in lane.heads],
                "seed": lane.seed,
                "truth": lane.truth,
                "truth_place": lane.truth_place,
                "follows": lane.follows,
                "forced": None if lane.forced is None else list(lane.forced),
                "opening": list(lane.opening),
                "answer": {name: getattr(answer, name) for name in _FIGURES} | words_of(answer.trace),
            }
        )
    facts = [{**facts_of(head), "hash": head.digest} for head in heads]
    return rows, facts, arrays


def lanes_and_answers(
    header: Mapping[str, Any], arrays: _Arrays, blocks: int, what: str
) -> tuple[tuple[Lane, ...], tuple[Generation, ...]]:
    """What `pack_lanes` took apart. Raises HeadError, beginning with `what`, for an unsound head, and
    KeyError, IndexError, TypeError or ValueError for anything else that is not as it was."""
    heads = [
        head_of(facts, _under(arrays, f"head.{index}."), what) for index, facts in enumerate(header["heads"])
    ]
    if [head.digest for head in heads] != [facts["hash"] for facts in header["heads"]]:
        raise ValueError
    pairs = [
        _lane(row, _under(arrays, f"lane.{index}."), heads, blocks)
        for index, row in enumerate(header["lanes"])
    ]
    return tuple(lane for lane, _ in pairs), tuple(answer for _, answer in pairs)


def _lane(
    row: Mapping[str, Any], own: _Arrays, heads: Sequence[Head], blocks: int
) -> tuple[Lane, Generation]:
    steering = tuple(heads[index] for index in row["heads"])
    _require_shapes(own, len(steering), blocks)
    trace = trace_of(own, row["answer"])
    used = np.concatenate([own["prompt_strengths"][None], own["strengths"]])
    lane = Lane(
        [_message(message, number, own, heads) for number, message in enumerate(row["messages"])],
        system=row["system"],
        lead=row.get("lead"),  # none in runs of before
        heads=steering,
        strengths=LiveStrengths(own["prompt_strengths"]),
        seed=int(row["seed"]),
        forced=row["forced"],
        opening=tuple(row["opening"]),
        follows=row["follows"],
        truth=row["truth"],
        truth_place=row.get("truth_place", "system"),
    )
    figures = {name: row["answer"][name] for name in _FIGURES}
    if figures["stopped"] not in get_args(Stopped) or len(trace) != len(own["ids"]):
        raise ValueError
    answer = Generation(
        trace=trace,
        text=trace.text,
        prompt_coefficients=own["prompt_coefficients"],
        said=SpokenTurn(tuple(own["ids"].tolist()), steering, used),
        seed=lane.seed,
        **figures,
    )
    return lane, answer


def _message(row: Mapping[str, Any], number: int, own: _Arrays, heads: Sequence[Head]) -> Message:
    if row["role"] not in get_args(Role) or not isinstance(row["text"], str):
        raise ValueError
    if "said" not in row:
        return Message(row["role"], row["text"])
    ids = tuple(own[f"said.{number}.ids"].tolist())
    steering = tuple(heads[index] for index in row["said"])
    if not steering:
        return Message(row["role"], row["text"], SpokenTurn(ids))
    strengths = own[f"said.{number}.strengths"]
    if strengths.shape != (len(ids) + 1, len(steering)):
        raise ValueError
    return Message(row["role"], row["text"], SpokenTurn(ids, steering, strengths))


def _require_shapes(own: _Arrays, heads: int, blocks: int) -> None:
    n = len(own["ids"])
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("ids", "logprobs", "ranks"), (n,))
    shapes |= dict.fromkeys(("coefficients", "lengths", "truth", "gap"), (n, blocks))
    shapes |= {"strengths": (n, heads), "prompt_strengths": (heads,), "prompt_coefficients": (blocks,)}
    if any(own[name].shape != shape for name, shape in shapes.items()):
        raise ValueError


def _heads(lanes: Sequence[Lane]) -> list[Head]:
    """Every head, once."""
    told = [m.said for lane in lanes for m in lane.messages if isinstance(m.said, SpokenTurn)]
    groups = [*(lane.heads for lane in lanes), *(said.heads for said in told)]
    return list({_key(head): head for group in groups for head in group}.values())


def _key(head: Head) -> tuple[str, str, str]:
    """What a replay must tell apart: the numbers, the tokens that they steer, and the name that is shown."""
    return head.digest, head.info.positions, head.info.name


def _under(arrays: _Arrays, prefix: str) -> _Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
