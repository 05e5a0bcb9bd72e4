"""`steer lab match`: the trait of every method at the same coherence."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.lab_options import add_lab_options, chosen_questions, seeds
from engine.cli.lab_results import (
    DISAGREEMENT,
    generator_and_judge,
    open_store,
    require_outputs,
    write_results,
)
from engine.cli.model import load_model
from engine.cli.terminal_progress import progress_bar
from engine.errors import InputError


def add(commands: Any) -> None:
    """Adds `steer lab match`."""
    parser = commands.add_parser("match", help="the trait of every method at the same coherence")
    parser.add_argument("--prompt", required=True, help="the steering prompt that all of them stand for")
    parser.add_argument(
        "--methods",
        default="none,prompt,caa,s-const,s-psr,a-psr",
        help="between commas: none, prompt, METHOD, METHOD:VARIANT (a recipe, an objective, rankN, blockN, "
        "responsesN, ridgeX), METHOD+prompt (default: none,prompt,caa,s-const,s-psr,a-psr)",
    )
    parser.add_argument(
        "--coherence",
        default="80",
        metavar="PERCENT|prompt|kl",
        help="the coherence to match: a percentage, or prompt for what prompting has itself; kl: no "
        "coherence, but the strength at which 95 %% of the tokens move by less than 1 nat (default: 80)",
    )
    add_lab_options(parser)
    parser.set_defaults(run=_run)


def target(words: str) -> Any:
    """ "prompt", "kl", or a share from a percentage. Raises InputError."""
    if words in ("prompt", "kl"):
        return words
    try:
        percent = float(words)
    except ValueError:
        percent = -1.0
    if not 0 < percent <= 100:
        raise InputError(
            "The methods cannot be compared",
            f"{words} is not a coherence.",
            "Give a percentage above 0, prompt, or kl.",
        )
    return percent / 100


def _run(options: argparse.Namespace) -> None:
    wanted = target(options.coherence)
    require_outputs(options)
    drawn = seeds(options)
    if not options.prompt.strip():
        raise InputError("The methods cannot be compared", "The prompt is empty.", "Give one.")

    from engine.lab.figure_export import match_points
    from engine.lab.figures import match_figures
    from engine.lab.matching import MatchSetup, match
    from engine.lab.method_specs import parse_method_specs
    from engine.lab.report import differences_table, match_report, match_table

    specs = parse_method_specs(options.methods, options.prompt)
    model = load_model(options)
    with open_store(options) as store:
        generator, judge = generator_and_judge(options, model, store)
        setup = MatchSetup(generator, judge, options.prompt, chosen_questions(options, model), drawn)
        with progress_bar() as emit:
            found = match(setup, specs, wanted, emit=emit)
    facts = {
        "model": model.identity.id,
        "judge": judge.name,
        "questions": len(setup.questions),
        "seeds": len(setup.seeds),
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
    }
    tables = [match_table(found), differences_table(found)]
    text = "\n\n".join(f"{table.title}\n{table.text()}\n{table.note}".rstrip() for table in tables)
    write_results(
        options,
        record={**found.to_json(), **facts},
        text=f"{text}\n{DISAGREEMENT}: {found.disagreement.words()}",
        page=lambda: match_report(found, facts),
        figures=lambda: match_figures(found),
        points=match_points(found),
        facts={"prompt": options.prompt, **facts},
    )
