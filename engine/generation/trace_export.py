"""Traces as CSV or JSON for other programs, with the provenance that is needed to make them again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.generation.recorded_run import Run
from engine.generation.trace import Trace
from engine.generation.trace_arrays import STORED_NAMES

_PER_BLOCK = ("coefficients", "lengths", "prompt_effect", "distance_to_prompt")
_SINGULAR = {"coefficients": "coefficient", "lengths": "length"}  # of CSV columns


def to_csv(run: Run) -> str:
    """All lanes of a run as CSV, see `traces_to_csv`."""
    return traces_to_csv(provenance(run), [answer.trace for answer in run.answers])


def to_json(run: Run) -> str:
    """The provenance of a run and, per lane, its text, how it ended, and its tokens as `token_records`."""
    lanes = [
        {"lane": lane, "text": answer.text, "stopped": answer.stopped, "tokens": token_records(answer.trace)}
        for lane, answer in enumerate(run.answers)
    ]
    return json.dumps({**provenance(run), "answers": lanes}, ensure_ascii=False, allow_nan=False, indent=1)


def traces_to_csv(facts: Mapping[str, Any], traces: Sequence[Trace]) -> str:
    """One line per token, below comment lines (#) with `facts` as JSON.

    Args:
        facts: the provenance, JSON values by name.
        traces: one per lane; they may differ in their number of heads.

    Returns:
        CSV with the columns lane, index, id, text, logprob, rank, strength_<head>, and per block
        coefficient_<l>, length_<l>, and where any trace has them truth_<l> (prompt effect) and gap_<l>
        (distance to the prompt). A cell is empty where a lane has no such head or was not measured.
    """
    heads = max((trace.strengths.shape[1] for trace in traces), default=0)
    blocks = max((trace.coefficients.shape[1] for trace in traces), default=0)
    measured = [name for name in _PER_BLOCK if any(np.isfinite(getattr(t, name)).any() for t in traces)]
    columns = ["lane", "index", "id", "text", "logprob", "rank", *(f"strength_{i}" for i in range(heads))]
    for name in measured:
        column = _SINGULAR.get(name, STORED_NAMES[name])
        columns += [f"{column}_{block}" for block in range(blocks)]
    out = io.StringIO()
    for key, value in facts.items():
        out.write(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for lane, trace in enumerate(traces):
        for at, piece in enumerate(trace.pieces):
            strengths = [*trace.strengths[at].tolist(), *[""] * (heads - trace.strengths.shape[1])]
            row = [lane, at, int(trace.ids[at]), piece, float(trace.logprobs[at]), int(trace.ranks[at])]
            values = [_cells(getattr(trace, name)[at], "") for name in measured]
            writer.writerow([*row, *strengths, *(cell for cells in values for cell in cells)])
    return out.getvalue()


def token_records(trace: Trace) -> list[dict[str, Any]]:
    """Every token of a trace as JSON values by published name; null where nothing was measured."""
    return [
        {
            "index": at,
            "id": int(trace.ids[at]),
            "text": piece,
            "logprob": float(trace.logprobs[at]),
            "rank": int(trace.ranks[at]),
            "alternatives": [list(other) for other in trace.alternatives[at]],
            "strengths": trace.strengths[at].tolist(),
            **{STORED_NAMES[name]: _cells(getattr(trace, name)[at], None) for name in _PER_BLOCK},
        }
        for at, piece in enumerate(trace.pieces)
    ]


def provenance(run: Run) -> dict[str, Any]:
    """What made a run, as JSON values: model, sampling, and per lane its conversation, seed and heads.

    `truth` is the reference prompt of a lane; `strength` is the one in force at its prompt.
    """
    return {
        "model": {"id": run.model.id, "revision": run.model.revision, "fingerprint": run.model.fingerprint},
        "precision": run.precision,
        "sampling": {
            "temperature": run.sampling.temperature,
            "top_k": run.sampling.top_k,
            "top_p": run.sampling.top_p,
            "repetition_penalty": run.sampling.repetition_penalty,
            "max_tokens": run.sampling.max_tokens,
            "stop": list(run.sampling.stop),
        },
        "lanes": [
            {
                "messages": [{"role": message.role, "text": message.text} for message in lane.messages],
                "system": lane.system,
                "truth": lane.reference_prompt,
                "seed": lane.seed,
                "heads": [
                    {"name": head.info.name, "hash": head.digest, "strength": strength}
                    for head, strength in zip(lane.heads, lane.current_strengths(), strict=True)
                ],
            }
            for lane in run.lanes
        ],
    }


def _cells(row: np.ndarray, missing: Any) -> list[Any]:
    return [value if np.isfinite(value) else missing for value in row.tolist()]
