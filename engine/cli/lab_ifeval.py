"""`steer lab ifeval`: IFEval, verifiable instructions checked by rule."""

from __future__ import annotations

import argparse
from math import isfinite
from pathlib import Path
from typing import Any

from engine.cli.lab_options import METHODS, add_lab_options, seeds
from engine.cli.lab_results import open_generator_and_judge, write_protocol_results
from engine.cli.terminal_progress import progress_bar
from engine.errors import InputError


def add(commands: Any) -> None:
    """Adds `steer lab ifeval`."""
    parser = commands.add_parser("ifeval", help="IFEval: verifiable instructions, checked by rule")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="input_data.jsonl")
    parser.add_argument("--methods", default=METHODS, help=f"as in steer lab match (default: {METHODS})")
    parser.add_argument("--strength", type=float, default=1.0, help="of the heads (default: 1)")
    parser.add_argument("--count", type=int, help="how many of the lines, from the first (default: all)")
    add_lab_options(parser, asks=False)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.cached_answers import judged_twice
    from engine.lab.figures import ifeval_figures
    from engine.lab.ifeval_cases import read_cases
    from engine.lab.ifeval_protocol import ifeval

    if not isfinite(options.strength):
        raise InputError(
            "The heads cannot be applied", "The strength is not a number.", "Give a number, e.g. 1."
        )
    if options.count is not None and options.count < 1:
        raise InputError("Nothing can be asked", f"{options.count} lines are too few.", "Ask for 1 or more.")
    drawn, cases = seeds(options), read_cases(options.data)[: options.count]
    with open_generator_and_judge(options) as (generator, judge), progress_bar() as emit:
        rows = ifeval(
            generator, judge, cases, options.methods, seeds=drawn, strength=options.strength, emit=emit
        )
        same = [case.question for case in cases if case.instruction == cases[0].instruction]
        disagreement = judged_twice(generator, judge, cases[0].instruction, same, cancel=Cancel())
    write_protocol_results(
        options,
        generator,
        judge,
        tables=[_table(rows)],
        rows=[row.to_json() for row in rows],
        disagreement=disagreement,
        figures=lambda: ifeval_figures(rows),
    )


def _table(rows: Any) -> Any:
    from engine.lab.report import Table, between, number

    return Table(
        "IFEval",
        ("method", "strength", "accuracy", "95 % interval", "coherence", "95 % interval", "answers",
         "missing"),
        tuple(
            (
                row.method, number(row.strength), number(row.accuracy.value), between(row.accuracy.interval),
                number(row.coherence.value), between(row.coherence.interval), str(row.accuracy.n),
                str(row.coherence.missing),
            )
            for row in rows
        ),
        "\n".join(f"{row.method}: {failure}" for row in rows for failure in row.failures),
    )  # fmt: skip
