"""A run as a table for other programs: CSV or JSON, with what is needed to make it again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from engine.generation.recording import Run

_PER_BLOCK = ("coefficients", "lengths", "truth", "gap")


def to_csv(run: Run) -> str:
    """One line per token, below comment lines (#) with the provenance as JSON.

    Columns: lane, index, id, text, logprob, rank, strength_<head>, and per block coefficient_<l>, length_<l>,
    truth_<l>, gap_<l>; empty where a lane has no such head or nobody asked for the truth.
    """
    blocks = run.model.blocks
    most = max((len(lane.heads) for lane in run.lanes), default=0)
    measured = [name for name in _PER_BLOCK if name not in ("truth", "gap") or _asked(run)]
    names = {"coefficients": "coefficient", "lengths": "length", "truth": "truth", "gap": "gap"}
    head = ["lane", "index", "id", "text", "logprob", "rank", *(f"strength_{i}" for i in range(most))]
    head += [f"{names[name]}_{block}" for name in measured for block in range(blocks)]
    out = io.StringIO()
    for key, value in provenance(run).items():
        out.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for lane, answer in enumerate(run.answers):
        trace = answer.trace
        for at, piece in enumerate(trace.pieces):
            strengths = [*trace.strengths[at].tolist(), *[""] * (most - trace.strengths.shape[1])]
            row = [lane, at, int(trace.ids[at]), piece, float(trace.logprobs[at]), int(trace.ranks[at])]
            values = [_cells(getattr(trace, name)[at], "") for name in measured]
            writer.writerow([*row, *strengths, *(cell for cells in values for cell in cells)])
    return out.getvalue()


def to_json(run: Run) -> str:
    """The provenance, and per lane its tokens with the same figures as in `to_csv` and the alternatives."""
    lanes = []
    for lane, answer in enumerate(run.answers):
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
                **{name: _cells(getattr(trace, name)[at], None) for name in _PER_BLOCK},
            }
            for at, piece in enumerate(trace.pieces)
        ]
        lanes.append({"lane": lane, "text": answer.text, "stopped": answer.stopped, "tokens": tokens})
    return json.dumps({**provenance(run), "answers": lanes}, ensure_ascii=False, allow_nan=False, indent=1)


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


def _asked(run: Run) -> bool:
    return any(np.isfinite(answer.trace.truth).any() for answer in run.answers)


def _cells(row: np.ndarray, nothing: Any) -> list[Any]:
    return [value if np.isfinite(value) else nothing for value in row.tolist()]
