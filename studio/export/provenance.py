"""Where an answer comes from: what every exported file carries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from textwrap import shorten
from typing import Any

from studio.export.markdown import sampled_how
from studio.state.conversation import Answer, ColumnSource, Turn, steered_by, used_heads

_LONGEST = 240  # letters of a question in a caption
_ENDS = {"length": "cut at the limit", "cancelled": "stopped", "failed": "broken off"}


def of_turn(turn: Turn) -> dict[str, Any]:
    """Program, model, seed and sampling of a turn, and how every answer of it was made."""
    return {**_asked(turn), "answers": [_made(answer) for answer in turn.answers]}


def of_answer(answer: Answer, source: ColumnSource | None = None) -> dict[str, Any]:
    """The same of one answer alone. source: the column that it stands in, where it does."""
    return {**_asked(answer.turn), **_made(answer, source)}


def in_words(answer: Answer, source: ColumnSource | None = None) -> str:
    """The same in a few lines, for a caption."""
    turn = answer.turn
    told = [
        f"“{shorten(turn.question, _LONGEST, placeholder=' …')}”",
        f"{source.name}: {steered_by(answer)}" if source else steered_by(answer),
        f"{sampled_how(turn)}, seed {turn.settings.seed}{_precision(answer)}",
    ]
    if answer.state in _ENDS:
        told.append(_ENDS[answer.state])
    if answer.cut:
        told.append(f"first {answer.cut} messages left out to fit the context")
    return "; ".join(told)


def _precision(answer: Answer) -> str:
    return f", {answer.asked.precision}" if answer.asked and answer.asked.precision else ""


def _asked(turn: Turn) -> dict[str, Any]:
    s = turn.settings
    return {
        "program": program(),
        "model": turn.model,
        "question": turn.question,
        "seed": s.seed,
        "sampling": {
            "temperature": s.temperature,
            "top_k": s.top_k,
            "top_p": s.top_p,
            "repetition_penalty": s.repetition_penalty,
            "max_tokens": s.max_tokens,
        },
    }


def _made(answer: Answer, source: ColumnSource | None = None) -> dict[str, Any]:
    """Precision, heads with hash, blocks and strength at start and end, the prompts, how it ended, whether a
    person edited it, and how many messages there was no room for."""
    asked = answer.asked
    return {
        "lane": source.name if source else answer.lane,
        "made": source.made if source else steered_by(answer),
        "precision": asked.precision if asked else "",
        "system_prompt": asked.system if asked else None,
        "measured_beside": asked.truth if asked else None,
        "heads": [
            {
                "name": head.name,
                "hash": head.digest,
                "blocks": list(head.blocks) if head.blocks else None,  # all of its own
                "strength": head.strengths[0],
                "strength_at_the_end": head.strengths[-1],
            }
            for head in used_heads(answer)
        ],
        "ended": answer.state,
        "edited": answer.edited,
        "messages_left_out": answer.cut,
    }


def program() -> str:
    """The studio and its version."""
    try:
        return f"Steering Studio {version('steering-studio')}"
    except PackageNotFoundError:  # run from a folder that was not installed
        return "Steering Studio, unreleased"
