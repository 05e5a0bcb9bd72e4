"""How a turn and its answers are stored: the writer and the reader of each part stand side by side.

A turn is a row of the library's table `turn`, with `facts`: settings (SamplingSettings), mix (rows of name,
digest, strength and blocks or null) and model. An answer is a row of `answer`, with `facts`:
tokens_per_second, first_token_seconds, edited, cut, compiled, prompt_tokens, prompt_coefficients, and where
known asked (AnswerRequest), heads (digests of what steered it) and before (their strengths on the prompt);
and `trace`: the bytes of engine.library.traces. What older libraries lack has a default here. Heads are
files of their own, see engine.library.heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from engine.library.records import AnswerRecord, TurnRecord
from studio.state.conversation import Answer, AnswerRequest, MixEntry, Turn
from studio.state.sampling_settings import SamplingSettings

if TYPE_CHECKING:
    from engine.heads.head import Head


DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading a record raises that is not as it was written."""

PLAIN = {"prompt": "", "question": "", "source": "pocket", "bypass": False, "compare": False, "truth": False}
"""Values of a session that are kept as they are, with their defaults."""


def turn_record(turn: Turn) -> TurnRecord:
    """The turn without its traces, which `traced` adds. `read_turn` is the way back."""
    facts = {
        "settings": asdict(turn.settings),
        "mix": [list(share) for share in turn.mix],  # the blocks as a list, or null
        "model": turn.model,
    }
    answers = tuple(AnswerRecord(a.lane, a.state, a.text, _answer_facts(a)) for a in turn.answers)
    return TurnRecord(turn.key, turn.question, facts, answers)


def traced(turns: Iterable[TurnRecord], traces: Mapping[tuple[str, str], Any]) -> tuple[TurnRecord, ...]:
    """The turns with their answers' traces, as bytes."""
    return tuple(
        replace(
            turn,
            answers=tuple(replace(a, trace=_packed(traces.get((turn.key, a.lane)))) for a in turn.answers),
        )
        for turn in turns
    )


def read_turn(record: TurnRecord, heads: Mapping[str, Head]) -> tuple[Turn, bool]:
    """The turn, and whether the figures of all its answers could be read. Raises one of DAMAGE."""
    from engine.library.traces import said_of, unpack

    traces, said, whole = {}, {}, True
    for answer in record.answers:
        trace = unpack(answer.trace) if answer.trace else None
        whole = whole and (trace is not None or not answer.trace)
        if trace is not None:
            traces[answer.lane] = trace
            used = [heads.get(digest) for digest in head_digests(answer)]
            said[answer.lane] = said_of(trace, used, answer.facts.get("before", ()))
    return _turn_of(record, traces, said), whole


def head_digests(answer: AnswerRecord) -> list[str]:
    """Of the heads that steered it."""
    found = answer.facts.get("heads", ())
    return [str(digest) for digest in found] if isinstance(found, list | tuple) else []


def read_settings(values: Mapping[str, Any]) -> SamplingSettings:
    """Those of a session before `edited` was kept count as edited where they were no longer greedy."""
    kinds = asdict(SamplingSettings())
    found = SamplingSettings(**{name: type(kinds[name])(value) for name, value in values.items()})
    if "edited" not in values:
        found = replace(found, edited=found != found.with_rules(SamplingSettings()))
    return found


def _answer_facts(answer: Answer) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "tokens_per_second": answer.tokens_per_second,
        "first_token_seconds": answer.first_token_seconds,
        "edited": answer.edited,
        "cut": answer.cut,
        "compiled": answer.compiled,
        "prompt_tokens": answer.prompt_tokens,
        "prompt_coefficients": list(answer.prompt_coefficients),
    }
    if answer.asked is not None:
        facts["asked"] = asdict(answer.asked)
    if answer.said is not None:
        facts["heads"] = [head.digest for head in answer.said.heads]
        facts["before"] = [float(s) for s in answer.said.strengths[0]] if answer.said.heads else []
    return facts


def _turn_of(record: TurnRecord, traces: Mapping[str, Any], said: Mapping[str, Any]) -> Turn:
    """A turn with its traces, by lane; an answer that was running has been cut off. Raises one of DAMAGE."""
    from studio.state.heatmap_quantities import scales_of  # brings numpy: not before the first paint

    facts = record.facts
    if not record.answers:
        raise ValueError
    turn = Turn(
        record.question,
        read_settings(facts["settings"]),
        tuple(_share(*share) for share in facts["mix"]),
        key=record.key,
        model=facts.get("model", ""),
    )
    for found in record.answers:
        answer = turn.add(found.lane)
        answer.state = "cancelled" if found.state in ("waiting", "running") else found.state  # type: ignore[assignment]
        answer.text = found.text
        answer.trace = traces.get(found.lane)
        if len(answer):
            scales_of(answer)  # here, and not while the window waits for hundreds of turns
        answer.said = said.get(found.lane)
        answer.tokens_per_second = float(found.facts.get("tokens_per_second", 0.0))
        answer.first_token_seconds = float(found.facts.get("first_token_seconds", 0.0))
        answer.edited = bool(found.facts.get("edited", False))
        answer.cut = int(found.facts.get("cut", 0))
        answer.compiled = bool(found.facts.get("compiled", False))
        answer.prompt_tokens = int(found.facts.get("prompt_tokens", 0))
        answer.prompt_coefficients = tuple(float(c) for c in found.facts.get("prompt_coefficients", ()))
        asked = found.facts.get("asked")
        if asked is not None:
            answer.asked = AnswerRequest(**{**asked, "opening": tuple(asked["opening"])})
    return turn


def _share(name: str, digest: str, strength: float, blocks: Sequence[int] | None = None) -> MixEntry:
    """Older turns know of no blocks."""
    return MixEntry(
        str(name), str(digest), float(strength), (int(blocks[0]), int(blocks[1])) if blocks else None
    )


def _packed(trace: Any) -> bytes | None:
    if trace is None:
        return None
    from engine.library.traces import pack

    return pack(trace)
