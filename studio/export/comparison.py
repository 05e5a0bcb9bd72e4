"""What the Lab measured, for others: a report, a table, a picture. Each tells what it was measured with."""

from __future__ import annotations

import csv
import io
from typing import Any

from engine.lab.matching import Match
from engine.lab.pictures import curves, pareto, svg
from engine.lab.report import match_report, means, sweep_report
from engine.lab.sweep import told
from studio.lab_work import Finished

DPI = 200


def as_bytes(finished: Finished, suffix: str) -> bytes:
    """An .html report with pictures, a .csv of every point, or the main picture (.svg, .png, .pdf)."""
    found = finished.found
    if suffix == ".html":
        if isinstance(found, Match):
            return match_report(found, finished.facts).encode()
        return sweep_report(finished.request.prompt, found, finished.facts).encode()
    if suffix == ".csv":
        return _csv(finished).encode()
    figure = pareto(found.rows, found.coherence) if isinstance(found, Match) else curves(means(found))
    if suffix == ".svg":
        return svg(figure).encode()
    made = io.BytesIO()
    figure.savefig(made, format=suffix[1:], dpi=DPI)
    return made.getvalue()


def _csv(finished: Finished) -> str:
    rows = _matched(finished.found) if isinstance(finished.found, Match) else told(finished.found)
    common = {"prompt": finished.request.prompt, **finished.facts}
    names = list(dict.fromkeys(name for row in rows for name in (*row, *common)))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, **common} for row in rows)
    return text.getvalue()


def _matched(found: Match) -> list[dict[str, Any]]:
    """The figure of every method, and behind it the strengths that were tried for it."""
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        low, high = row.trait_ci or (None, None)
        rows.append(
            {
                "method": row.method, "point": "reported", "strength": row.strength, "trait": row.trait,
                "trait_low": low, "trait_high": high, "coherence": row.coherence, "n": row.n,
                "missing": row.missing, "target": found.coherence, "note": row.note,
            }
        )  # fmt: skip
        rows += [
            {
                "method": row.method, "point": "tried", "strength": p.strength, "trait": p.trait,
                "coherence": p.coherence, "missing": p.missing, "target": found.coherence,
            }
            for p in row.curve
        ]  # fmt: skip
    return rows
