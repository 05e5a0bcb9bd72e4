"""`steer lab persona`: persona_vectors traits, methods at equal coherence."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.cli.lab_match import target
from engine.cli.lab_options import METHODS, add_lab_options, seeds
from engine.cli.lab_results import open_generator_and_judge, write_protocol_results
from engine.cli.terminal_progress import progress_bar


def add(commands: Any) -> None:
    """Adds `steer lab persona`."""
    parser = commands.add_parser("persona", help="persona_vectors traits: methods at equal coherence")
    parser.add_argument("--traits", type=Path, required=True, metavar="FOLDER", help="of trait JSON files")
    parser.add_argument("--methods", default=METHODS, help=f"as in steer lab match (default: {METHODS})")
    parser.add_argument("--coherence", default="80", metavar="PERCENT|prompt|kl", help="default: 80")
    add_lab_options(parser, asks=False)
    parser.set_defaults(run=_run, seeds=10)


def _run(options: argparse.Namespace) -> None:
    from engine.lab.figure_export import match_points
    from engine.lab.figures import match_figures
    from engine.lab.persona_protocol import persona, read_traits

    wanted, traits, drawn = target(options.coherence), read_traits(options.traits), seeds(options)
    with open_generator_and_judge(options) as (generator, judge), progress_bar() as emit:
        found = persona(generator, judge, traits, options.methods, wanted, rollouts=len(drawn), emit=emit)
    rows = [
        {"trait_name": each.trait, "target": each.match.coherence, **asdict(row)}
        for each in found
        for row in each.match.rows
    ]
    failures = [f"{each.trait}, {f.method}: {f.why}" for each in found for f in each.match.failures]
    write_protocol_results(
        options,
        generator,
        judge,
        tables=_tables(found, failures),
        rows=rows,
        disagreement=found[0].match.disagreement,
        figures=lambda: {
            f"{each.trait}-{name}": figure
            for each in found
            for name, figure in match_figures(each.match).items()
        },
        points=[{"trait_name": each.trait, **point} for each in found for point in match_points(each.match)],
        failures=failures,
    )


def _tables(found: Any, failures: list[str]) -> list[Any]:
    from engine.lab.report import Table, between, differences_table, number

    head = (
        "trait",
        "method",
        "strength",
        "score",
        "95 % interval",
        "coherence",
        "answers",
        "missing",
        "note",
    )
    rows = tuple(
        (
            each.trait, row.method, number(row.strength), number(row.trait), between(row.trait_ci),
            number(row.coherence), str(row.n), str(row.missing), row.note,
        )
        for each in found for row in each.match.rows
    )  # fmt: skip
    apart = [differences_table(each.match, each.trait) for each in found]
    return [Table("Persona traits", head, rows, "\n".join(failures)), *apart]
