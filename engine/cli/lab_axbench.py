"""`steer lab axbench`: AxBench concepts, the harmonic mean of three judgements."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.lab_options import METHODS, add_lab_options, chosen_questions, seeds
from engine.cli.lab_results import open_generator_and_judge, write_protocol_results
from engine.cli.terminal_progress import progress_bar


def add(commands: Any) -> None:
    """Adds `steer lab axbench`."""
    parser = commands.add_parser("axbench", help="AxBench concepts: the harmonic mean of three judgements")
    parser.add_argument("--concepts", type=Path, required=True, metavar="FILE", help="metadata.jsonl")
    parser.add_argument("--methods", default=METHODS, help=f"as in steer lab match (default: {METHODS})")
    parser.add_argument(
        "--template", metavar="TEXT", help="the steering prompt, with {concept} in it (default: a plain one)"
    )
    add_lab_options(parser, count=20)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.axbench_concepts import read_concepts
    from engine.lab.axbench_protocol import TEMPLATE, AxFailure, AxRow, axbench
    from engine.lab.cached_answers import judged_twice
    from engine.lab.figures import axbench_figures

    concepts, drawn, template = read_concepts(options.concepts), seeds(options), options.template or TEMPLATE
    with open_generator_and_judge(options) as (generator, judge), progress_bar() as emit:
        asked = chosen_questions(options, generator.model)
        found = axbench(
            generator, judge, concepts, options.methods, asked, seeds=drawn, template=template, emit=emit
        )
        first = template.replace("{concept}", concepts[0].text)
        disagreement = judged_twice(generator, judge, first, asked, cancel=Cancel())
    rows = [row for row in found if isinstance(row, AxRow)]
    failures = [f"concept {f.concept}, {f.method}: {f.why}" for f in found if isinstance(f, AxFailure)]
    records = [row.to_json() for row in rows]
    tried = [
        {"concept": row.concept, "method": row.method, "point": "tried", "factor": factor, "score": score}
        for row in rows
        for factor, score in row.tried
    ]
    write_protocol_results(
        options,
        generator,
        judge,
        tables=_tables(rows, failures),
        rows=records,
        disagreement=disagreement,
        figures=lambda: axbench_figures(rows),
        points=[*({"point": "reported", **row} for row in records), *tried],
        failures=failures,
    )


def _tables(rows: Any, failures: list[str]) -> list[Any]:
    """Every method over the concepts, then every concept."""
    from engine.lab.axbench_protocol import JUDGED, summaries
    from engine.lab.report import Table, between, number

    over = Table(
        f"AxBench, over {len({row.concept for row in rows})} concepts",
        ("method", "factor", "score", "95 % interval", *JUDGED, "answers", "missing"),
        tuple(
            (
                each.method, number(each.factor), number(each.score.value), between(each.score.interval),
                *(number(mean.value) for mean in each.judgements.values()), str(each.score.n),
                str(each.score.missing),
            )
            for each in summaries(rows)
        ),
        "\n".join(failures),
    )  # fmt: skip
    records = [row.to_json() for row in rows]
    every = Table(
        "Every concept",
        ("concept", "method", "factor", "score", *JUDGED, "answers", "missing"),
        tuple(
            (
                str(row["concept"]), row["method"], number(row["factor"]), number(row["score"]),
                *(number(row[f"{name}_score"]) for name in JUDGED), str(row["n"]), str(row["missing"]),
            )
            for row in records
        ),
    )  # fmt: skip
    return [over, every]
