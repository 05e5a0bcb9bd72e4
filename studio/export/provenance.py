"""Where an answer comes from: what every exported file carries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from studio.turns import Answer, Turn, heads_in_words, heard


def provenance(turn: Turn) -> dict[str, Any]:
    """Program, model, heads with hash and strength at start and end, seed and sampling of a turn; and of
    every answer how it ended, whether a person edited it, and how many messages there was no room for."""
    s = turn.settings
    return {
        "program": program(),
        "model": turn.model,
        "heads": [
            {
                "name": head.name,
                "hash": head.digest,
                "strength": head.strengths[0],
                "strength_at_the_end": head.strengths[-1],
            }
            for answer in turn.answers[:1]
            for head in heard(answer)
        ],
        "seed": s.seed,
        "sampling": {
            "temperature": s.temperature,
            "top_k": s.top_k,
            "top_p": s.top_p,
            "max_tokens": s.max_tokens,
        },
        "answers": [
            {"lane": a.lane, "ended": a.state, "edited": a.edited, "messages_left_out": a.cut}
            for a in turn.answers
        ],
    }


def in_words(answer: Answer) -> str:
    """The same in a line or two, for a caption."""
    turn = answer.turn
    how = heads_in_words(answer) or "no head"
    return f"{turn.model}; {how}; seed {turn.settings.seed}, temperature {turn.settings.temperature:g}"


def program() -> str:
    """The studio and its version."""
    try:
        return f"Steering Studio {version('steering-studio')}"
    except PackageNotFoundError:  # run from a folder that was not installed
        return "Steering Studio, unreleased"
