"""`steer lab transfer`: heads where they were not distilled."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.lab_options import add_lab_options, chosen_questions, seeds
from engine.cli.lab_results import open_generator_and_judge, write_protocol_results
from engine.cli.terminal_progress import progress_bar


def add(commands: Any) -> None:
    """Adds `steer lab transfer`."""
    parser = commands.add_parser("transfer", help="heads where they were not distilled")
    parser.add_argument(
        "--prompt", action="append", metavar="P", help="may be given several times (default: three styles)"
    )
    parser.add_argument("--method", default="a-psr", help="default: a-psr")
    add_lab_options(parser, count=24)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.cached_answers import judged_twice
    from engine.lab.figures import transfer_figures
    from engine.lab.transfer import TransferSetup, transfer

    prompts = options.prompt or ["Talk like a pirate.", "Use formal language.", "End with a question."]
    drawn = seeds(options)
    with open_generator_and_judge(options) as (generator, judge):
        asked = chosen_questions(options, generator.model)
        setting = TransferSetup(generator, judge, asked, drawn, options.method)
        with progress_bar() as emit:
            rows = transfer(setting, prompts, emit=emit)
        disagreement = judged_twice(generator, judge, prompts[0], asked, cancel=Cancel())
    write_protocol_results(
        options,
        generator,
        judge,
        tables=_tables(rows),
        rows=[row.to_json() for row in rows],
        disagreement=disagreement,
        figures=lambda: transfer_figures(rows),
    )


def _tables(rows: Any) -> list[Any]:
    """Every kind of condition over the prompts, then every condition."""
    from engine.lab.report import Table, between, number
    from engine.lab.transfer import summaries

    scores = ("trait", "coherence", "prompt's trait", "prompt's coherence")
    kinds = Table(
        f"Transfer, over {len({row.prompt for row in rows})} prompts",
        ("condition", "strength", *scores, "trait above the prompt's", "missing"),
        tuple(
            (
                each.kind, f"{each.strength:g}", number(each.trait.value), number(each.coherence.value),
                number(each.prompt_trait.value), number(each.prompt_coherence.value),
                between(each.above.interval), str(each.missing),
            )
            for each in summaries(rows)
        ),
        "Above: the 95 % interval of the difference to the prompt itself, answer by answer; it tells no "
        "difference where it holds 0.",
    )  # fmt: skip
    whole = Table(
        "Every condition",
        ("prompt", "condition", "strength", *scores, "answers", "missing"),
        tuple(
            (
                row.prompt, row.condition, f"{row.strength:g}", number(row.head.trait),
                number(row.head.coherence), number(row.prompted.trait), number(row.prompted.coherence),
                str(row.head.n), str(row.missing),
            )
            for row in rows
        ),
    )  # fmt: skip
    return [kinds, whole]
