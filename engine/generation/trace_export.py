"""Traces as a table for other programs: CSV or JSON, below what is needed to make them again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.generation.run_file import Run
from engine.generation.trace import Trace

_PER_BLOCK = {"coefficients": "coefficient", "lengths": "length", "truth": "truth", "gap": "gap"}


def to_csv(run: Run) -> str:
    """All lanes of a run; see `as_csv`."""
    return as_csv(provenance(run), [answer.trace for answer in run.answers])


def to_json(run: Run) -> str:
    """The provenance, and per lane its tokens with the same figures as in `to_csv` and the alternatives."""
    lanes = [
        {"lane": lane, "text": answer.text, "stopped": answer.stopped, "tokens": token_records(answer.trace)}
        for lane, answer in enumerate(run.answers)
    ]
    return json.dumps({**provenance(run), "answers": lanes}, ensure_ascii=False, allow_nan=False, indent=1)


def as_csv(facts: Mapping[str, Any], traces: Sequence[Trace]) -> str:
    """One line per token, below comment lines (#) with `facts` as JSON.

    Columns: lane, index, id, text, logprob, rank, strength_<head>, and per block coefficient_<l>, length_<l>,
    and where it was measured truth_<l>, gap_<l>; empty where a lane has no such head or truth.
    """
    most = max((trace.strengths.shape[1] for trace in traces), default=0)
    blocks = max((trace.coefficients.shape[1] for trace in traces), default=0)
    measured = [name for name in _PER_BLOCK if any(np.isfinite(getattr(t, name)).any() for t in traces)]
    head = ["lane", "index", "id", "text", "logprob", "rank", *(f"strength_{i}" for i in range(most))]
    head += [f"{_PER_BLOCK[name]}_{block}" for name in measured for block in range(blocks)]
    out = io.StringIO()
    for key, value in facts.items():
        out.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for lane, trace in enumerate(traces):
        for at, piece in enumerate(trace.pieces):
            strengths = [*trace.strengths[at].tolist(), *[""] * (most - trace.strengths.shape[1])]
            row = [lane, at, int(trace.ids[at]), piece, float(trace.logprobs[at]), int(trace.ranks[at])]
            values = [_cells(getattr(trace, name)[at], "") for name in measured]
            writer.writerow([*row, *strengths, *(cell for cells in values for cell in cells)])
    return out.getvalue()


def token_records(trace: Trace) -> list[dict[str, Any]]:
    """Every token with its figures and alternatives, as JSON says it; null where nothing was measured."""
    return [
        {
            "index": at,
            "id": int(trace.ids[at]),
            "text": piece,
            "logprob": float(trace.logprobs[at]),
            "rank": int(trace.ranks[at]),
            "alternatives": [list(other) for other in trace.alternatives[at]],
            "strengths": trace.strengths[at].tolist(),
            **{name: _cells(getattr(trace, name)[at], None) for name in _PER_BLOCK},
        }
        for at, piece in enumerate(trace.pieces)
    ]


def provenance(run: Run) -> dict[str, Any]:
    """Model, sampling, and per lane its conversation, seed, and heads with hash and first strength."""
    return {
        "model": {"id": run.model.id, "revision": run.model.revision, "fingerprint": run.model.fingerprint},
        "precision": run.precision,
        "sampling": {
            "temperature": run.sampling.temperature,
            "top_k": run.sampling.top_k,
            "top_p": run.sampling.top_p,
            "max_tokens": run.sampling.max_tokens,
            "stop": list(run.sampling.stop),
        },
        "lanes": [
            {
                "messages": [{"role": message.role, "text": message.text} for message in lane.messages],
                "system": lane.system,
                "truth": lane.truth,
                "seed": lane.seed,
                "heads": [
                    {"name": head.info.name, "hash": head.digest, "strength": strength}
                    for head, strength in zip(lane.heads, lane.values(), strict=True)
                ],
            }
            for lane in run.lanes
        ],
    }


def _cells(row: np.ndarray, nothing: Any) -> list[Any]:
    return [value if np.isfinite(value) else nothing for value in row.tolist()]
