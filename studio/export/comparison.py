"""What the Lab measured, for others: a report, a table, a picture. Each tells what it was measured with."""

from __future__ import annotations

import io

from engine.lab.drawing import svg
from engine.lab.exports import as_csv, match_points
from engine.lab.figures import match_figures, sweep_figures
from engine.lab.matching import Match
from engine.lab.report import match_report, sweep_report
from engine.lab.sweep import told
from studio.lab_work import Finished

DPI = 200


def as_bytes(finished: Finished, suffix: str, picture: str, block: int | None = None) -> bytes:
    """An .html report with all pictures, a .csv of every point, or one picture (.svg, .png, .pdf).

    picture: one of those that belong to it; where it does not, the first. block: for a picture of one block.
    """
    found = finished.found
    if suffix == ".html":
        if isinstance(found, Match):
            return match_report(found, finished.facts).encode()
        facts = {**finished.facts, "judge's disagreement with itself": finished.disagreement.words()}
        return sweep_report(finished.request.prompt, found, facts).encode()
    if suffix == ".csv":
        rows = match_points(found) if isinstance(found, Match) else told(found)
        return as_csv(rows, {"prompt": finished.request.prompt, **finished.facts}).encode()
    figures = match_figures(found, block) if isinstance(found, Match) else sweep_figures(found)
    figure = figures.get(picture, figures["pareto"])
    if suffix == ".svg":
        return svg(figure).encode()
    made = io.BytesIO()
    figure.savefig(made, format=suffix[1:], dpi=DPI)
    return made.getvalue()
