"""One answer's trace as CSV or JSON, every figure of every token."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from studio.export.provenance import provenance
from studio.turns import Answer

_COLUMNS = {"coefficients": "coefficient", "lengths": "length", "truth": "truth", "gap": "gap"}


def to_csv(answer: Answer) -> str:
    """One line per token, below comment lines (#) with the provenance as JSON.

    Columns: index, id, text, logprob, rank, strength_<head>, and per block coefficient_<l>, length_<l>, and
    where they were measured truth_<l> and gap_<l>.
    """
    trace = answer.trace
    measured = [name for name in _COLUMNS if np.isfinite(getattr(trace, name)).any()]
    head = ["index", "id", "text", "logprob", "rank"]
    head += [f"strength_{i}" for i in range(trace.strengths.shape[1])]
    head += [f"{_COLUMNS[n]}_{b}" for n in measured for b in range(trace.coefficients.shape[1])]
    out = io.StringIO()
    for key, value in _facts(answer).items():
        out.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for at, piece in enumerate(trace.pieces):
        row = [at, int(trace.ids[at]), piece, float(trace.logprobs[at]), int(trace.ranks[at])]
        cells = [c for name in measured for c in _cells(getattr(trace, name)[at], "")]
        writer.writerow([*row, *trace.strengths[at].tolist(), *cells])
    return out.getvalue()


def to_json(answer: Answer) -> str:
    """The provenance, and every token with its figures and alternatives."""
    trace = answer.trace
    tokens = [
        {
            "index": at,
            "id": int(trace.ids[at]),
            "text": piece,
            "logprob": float(trace.logprobs[at]),
            "rank": int(trace.ranks[at]),
            "alternatives": [list(other) for other in trace.alternatives[at]],
            "strengths": trace.strengths[at].tolist(),
            **{name: _cells(getattr(trace, name)[at], None) for name in _COLUMNS},
        }
        for at, piece in enumerate(trace.pieces)
    ]
    told = {**_facts(answer), "text": answer.text, "tokens": tokens}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1)


def _facts(answer: Answer) -> dict[str, Any]:
    return {**provenance(answer.turn), "question": answer.turn.question, "lane": answer.lane}


def _cells(row: np.ndarray, nothing: Any) -> list[Any]:
    return [value if np.isfinite(value) else nothing for value in row.tolist()]
