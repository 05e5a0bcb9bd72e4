"""One answer's trace as CSV or JSON, every figure of every token."""

from __future__ import annotations

import json
from typing import Any

from engine.generation.export import as_csv, token_records
from studio.export.provenance import provenance
from studio.turns import Answer


def to_csv(answer: Answer) -> str:
    """One line per token, below the provenance."""
    return as_csv(_facts(answer), [answer.trace])


def to_json(answer: Answer) -> str:
    """The provenance, and every token with its figures and alternatives."""
    told = {**_facts(answer), "text": answer.text, "tokens": token_records(answer.trace)}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1)


def _facts(answer: Answer) -> dict[str, Any]:
    return {**provenance(answer.turn), "question": answer.turn.question, "lane": answer.lane}
