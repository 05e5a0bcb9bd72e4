"""What the Lab measured, for others: a report, a table, a picture. Each tells what it was measured with."""

from __future__ import annotations

from engine.lab.figure_export import as_csv, match_points
from engine.lab.figure_style import drawn
from engine.lab.figures import match_figures, sweep_figures
from engine.lab.matching import Match
from engine.lab.report import match_report, sweep_report
from engine.lab.sweep import outcomes_to_json
from studio.export.provenance import program
from studio.lab.lab_jobs import Finished


def as_bytes(finished: Finished, suffix: str, picture: str, block: int | None = None) -> bytes:
    """An .html report with all pictures, a .csv of every point, or one picture (.svg, .png, .pdf).

    picture: one of those that belong to it; where it does not, the first. block: for a picture of one block.
    """
    found, facts = finished.found, {"program": program(), **finished.facts}
    asked = {"prompt": finished.request.prompt}
    if suffix == ".html":
        if isinstance(found, Match):
            return match_report(found, facts).encode()
        facts["judge self-disagreement"] = finished.disagreement.words()
        return sweep_report(finished.request.prompt, found, facts).encode()
    if suffix == ".csv":
        rows = match_points(found) if isinstance(found, Match) else outcomes_to_json(found)
        return as_csv(rows, {**asked, **facts}).encode()
    figures = match_figures(found, block) if isinstance(found, Match) else sweep_figures(found)
    heads = {"heads": found.heads} if isinstance(found, Match) else {}
    return drawn(figures.get(picture, figures["pareto"]), suffix, {**asked, **facts, **heads})
