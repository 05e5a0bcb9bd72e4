"""The paper's claims as tables, figures and verdicts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
from engine.errors import LabError
from engine.lab.bisection import Point
from engine.lab.bootstrap import interval
from engine.lab.claims import FAITHFUL, claims, mean_of
from engine.lab.effect_plots import histogram
from engine.lab.figure_export import write_figures
from engine.lab.figure_style import svg
from engine.lab.match_plots import blocks, pareto
from engine.lab.matching import MatchRow
from engine.lab.paper import RESPONSES, RIDGES, PaperResults, faithfulness, grid, select
from engine.lab.report import Table, report


def write(measured: PaperResults, folder: Path) -> list[Path]:
    """Writes paper.json, paper.md, paper.html, figures (SVG, PNG) and points.csv.

    Args:
        measured: the results.
        folder: where.

    Returns:
        The files written.

    Raises:
        LabError: when that fails.
    """
    tables, found = every_table(measured), claims(measured)
    figures = every_figure(measured)
    verdicts = Table(
        "Claims",
        ("claim", "here", "figures"),
        tuple((claim.claim, claim.verdict, claim.told) for claim in found),
        f"Differences are of the same style and seed. A claim holds or fails where the 95 % interval over "
        f"{len(measured.plan.styles)} styles and {measured.plan.seeds} seeds says so; else it is undecided.",
    )
    plan = measured.plan
    facts = {
        "model": "pocket",
        "styles": ", ".join(plan.styles),
        "seeds": plan.seeds,
        "questions": f"{plan.questions}, half to choose strengths on, half to report on",
        "minutes": f"{measured.seconds / 60:.1f}",
    }
    told = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    markdown = f"# The paper's claims on the bundled model\n\n{told}\n\n"
    markdown += "\n".join(table.markdown() for table in (verdicts, *tables))
    page = report(
        "The paper's claims on the bundled model",
        facts,
        [verdicts, *tables],
        [svg(f) for f in figures.values()],
    )
    record = {**facts, "claims": [asdict(claim) for claim in found], **_plain(measured)}
    written = []
    for name, data in (
        ("paper.json", _json(record)),
        ("paper.md", markdown.encode()),
        ("paper.html", page.encode()),
    ):
        write_atomic(folder / name, data, "result", LabError)
        written.append(folder / name)
    flat = [{k: v for k, v in row.items() if not isinstance(v, dict | list)} for row in measured.rows]
    return written + write_figures(folder, figures, flat, {})


def every_table(measured: PaperResults) -> list[Table]:
    """All tables, in order."""
    return [
        methods_table(measured),
        styles_table(measured),
        responses_table(measured),
        ridge_table(measured),
        faithfulness_table(measured),
        spread_table(measured),
    ]


def methods_table(measured: PaperResults) -> Table:
    """Trait, coherence and strength per method at both targets."""
    rows = []
    for method in (*measured.plan.methods, *measured.plan.once):
        cells = [method]
        for target in ("C80", "Cp"):
            traits = grid(measured, method, target)
            between = interval(traits)
            told = "-" if between is None else f"{np.nanmean(traits):.3f} ({between[0]:.2f}-{between[1]:.2f})"
            coherence = grid(measured, method, target, "coherence")
            strength = grid(measured, method, target, "strength").astype(float)
            steered = not np.isnan(strength).all() and np.nanmax(strength) > 0
            cells += [
                told,
                f"{np.nanmean(coherence):.2f}",
                f"{np.nanmean(strength):.2f}" if steered else "-",
            ]
        rows.append(tuple(cells))
    unreached = [row for row in measured.rows if not row["reached"]]
    names = sorted({f"{row['method']} ({row['style']}, {row['target']})" for row in unreached})
    note = (
        "TA@C80 and TA@Cp: the trait at a coherence of 0.80 and at prompting's own, means over styles and "
        "seeds with 95 % intervals; coherence: on the questions that strengths were not chosen on."
    )
    if names:
        note += f" The target was not reached by {', '.join(names)}."
    head = ("method", "TA@C80", "coherence", "strength", "TA@Cp", "coherence", "strength")
    return Table("Trait at matched coherence", head, tuple(rows), note)


def styles_table(measured: PaperResults) -> Table:
    """TA@C80 per method and style."""
    rows = [
        (method, *(mean_of(grid(measured, method, "C80")[i]) for i in range(len(measured.plan.styles))))
        for method in (*measured.plan.methods, *measured.plan.once)
    ]
    return Table("TA@C80 per style", ("method", *measured.plan.styles), tuple(rows))


def responses_table(measured: PaperResults) -> Table:
    """Instant heads by the number of responses."""
    return _instant_table(
        measured, "Instant heads by the number of responses", "responses",
        {str(n): f"a-psr:responses{n}" for n in RESPONSES},
    )  # fmt: skip


def ridge_table(measured: PaperResults) -> Table:
    """Instant heads by the ridge."""
    chosen = {f"{r:g}": f"a-psr:ridge{r:g}" for r in RIDGES}
    return _instant_table(measured, "Instant heads by the ridge", "ridge", chosen)


def faithfulness_table(measured: PaperResults) -> Table:
    """Faithfulness per method and block."""
    found = faithfulness(measured, FAITHFUL)
    count = max((len(values) for values in found.values()), default=0)
    head = ("method", *(f"block {block}" for block in range(count)))
    rows = tuple((name, *(f"{value:.2f}" for value in values.values())) for name, values in found.items())
    note = "Relative distance to the prompted states: 0 is the prompt itself, 1 doing nothing."
    return Table("Faithfulness", head, rows, note)


def spread_table(measured: PaperResults) -> Table:
    """Percentiles of the prompt's effect per style and block."""
    count = len(measured.spread[0]["p50"])
    rows = tuple(
        (
            row["style"],
            *(f"{row['p10'][b]:.1f} / {row['p50'][b]:.1f} / {row['p90'][b]:.1f}" for b in range(count)),
        )
        for row in measured.spread
    )
    note = (
        "10th, 50th and 90th percentile over tokens of the length that the prompt adds, in activation units."
    )
    head = ("style", *(f"block {b}" for b in range(count)))
    return Table("Spread of the prompt's effect", head, rows, note)


def every_figure(measured: PaperResults) -> dict[str, Any]:
    """All figures by name."""
    style = measured.plan.styles[0]
    first = [_row(row) for row in select(measured.rows, style=style, seed=0, target="C80")]
    effects = {
        name: np.array(values) for name, values in measured.effects.items() if isinstance(values, list)
    }
    found = {
        "pareto": pareto(first, 0.8),
        "effects": histogram(effects, f"effect at block {measured.effects['block']} ({style})"),
    }
    lines = faithfulness(measured, FAITHFUL)
    if lines:
        found["faithfulness"] = blocks(lines, "faithfulness", "paraphrase")
    return found


def _instant_table(measured: PaperResults, title: str, column: str, variants: dict[str, str]) -> Table:
    def cells(variant: str) -> tuple[str, ...]:
        rows = [select(measured.instant, style=s, variant=variant)[0] for s in measured.plan.styles]
        each = [f"{row['trait']:.2f} / {row['coherence']:.2f}" for row in rows]
        traits, coherences, seconds = (
            float(np.mean([row[name] for row in rows])) for name in ("trait", "coherence", "seconds")
        )
        return (*each, f"{traits:.3f} / {coherences:.3f}", f"{seconds:.1f}")

    return Table(
        title,
        (column, *measured.plan.styles, "mean", "seconds"),
        tuple((name, *cells(variant)) for name, variant in variants.items()),
        "Trait / coherence at strength 1.",
    )


def _row(record: Any) -> MatchRow:
    facts = {name: value for name, value in record.items() if name not in ("style", "seed", "target")}
    return MatchRow(**{**facts, "curve": tuple(Point(**point) for point in facts["curve"])})


def _plain(measured: PaperResults) -> dict[str, Any]:
    return {name: getattr(measured, name) for name in ("rows", "instant", "spread", "effects")}


def _json(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1).encode()
