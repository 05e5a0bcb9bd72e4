"""One answer's trace as CSV or JSON, every figure of every token."""

from __future__ import annotations

import json

from engine.generation.trace_export import token_records, traces_to_csv
from studio.export.provenance import of_answer
from studio.state.conversation import Answer, ColumnSource


def to_csv(answer: Answer, source: ColumnSource | None = None) -> str:
    """One line per token, below the provenance. source: the column that the answer stands in."""
    return traces_to_csv(of_answer(answer, source), [answer.trace])


def to_json(answer: Answer, source: ColumnSource | None = None) -> str:
    """The provenance, and every token with its figures and alternatives."""
    told = {**of_answer(answer, source), "text": answer.text, "tokens": token_records(answer.trace)}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1)
