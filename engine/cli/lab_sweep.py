"""`steer lab sweep`: every combination of methods, objectives, blocks, ranks, strengths and seeds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

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

if TYPE_CHECKING:
    from engine.lab.sweep import Runner
    from engine.model.language_model import LanguageModel

T = TypeVar("T", int, float)
_LONGEST = 1000  # numbers in one span: no model has more blocks


def add(commands: Any) -> None:
    """Adds `steer lab sweep`."""
    parser = commands.add_parser(
        "sweep", help="every combination of methods, objectives, blocks, ranks, strengths and seeds"
    )
    parser.add_argument("--prompt", required=True, help="the steering prompt")
    parser.add_argument("--methods", default="a-psr", help="as in steer lab match (default: a-psr)")
    parser.add_argument("--objectives", default="", help="between commas: mse, ll, mse+ll")
    parser.add_argument("--blocks", default="", help="for single-block methods: 0,1,2 or 0-5")
    parser.add_argument("--ranks", default="", help="for methods that have them: 1,2,3")
    parser.add_argument("--strengths", default="0.5,1,1.5,2", help="default: 0.5,1,1.5,2")
    parser.add_argument(
        "--ray", metavar="ADDRESS|local", help="compute on a Ray cluster, or on this machine's processors"
    )
    add_lab_options(parser, count=24)
    parser.set_defaults(run=_run)


def numbers(words: str, kind: Callable[[str], T], what: str) -> list[T]:
    """From "1,2,5" or, for whole numbers, "1-5". Raises InputError."""
    found: list[T] = []
    try:
        for part in filter(None, (p.strip() for p in words.split(","))):
            first, dash, last = part.partition("-")
            if dash and first:
                span = range(int(first), int(last) + 1)
                if len(span) > _LONGEST:
                    raise ValueError
                found += [kind(str(i)) for i in span]
            else:
                found.append(kind(part))
        if not all(map(isfinite, found)):
            raise ValueError
    except ValueError:
        raise InputError(
            "The sweep cannot be made", f'"{words}" are not {what}.', "Give comma-separated numbers."
        ) from None
    return found


def _run(options: argparse.Namespace) -> None:
    require_outputs(options)
    if not options.prompt.strip():
        raise InputError("The sweep cannot be made", "The prompt is empty.", "Give one.")

    from engine.distill.request import OBJECTIVES
    from engine.events import Cancel
    from engine.lab.cached_answers import judged_twice
    from engine.lab.figures import sweep_figures
    from engine.lab.method_specs import parse_method_specs
    from engine.lab.report import sweep_report, sweep_table
    from engine.lab.sweep import SweepSetup, cells, outcomes_to_json, sweep

    objectives = [word.strip() for word in options.objectives.split(",") if word.strip()]
    strengths = numbers(options.strengths, float, "strengths")
    if set(objectives) - set(OBJECTIVES):
        raise InputError(
            "The sweep cannot be made", "There is no such objective.", f"Use {', '.join(OBJECTIVES)}."
        )
    wanted = cells(
        [spec.name for spec in parse_method_specs(options.methods, options.prompt)],
        objectives=objectives,
        blocks=numbers(options.blocks, int, "blocks"),
        ranks=numbers(options.ranks, int, "ranks"),
        strengths=strengths,
        seeds=seeds(options),
    )
    if not wanted:
        raise InputError("The sweep cannot be made", "It has no cells.", "Name strengths.")
    model = load_model(options)
    with open_store(options) as store:
        generator, judge = generator_and_judge(options, model, store)
        setup = SweepSetup(generator, judge, options.prompt, chosen_questions(options, model))
        with progress_bar() as emit:
            outcomes = sweep(setup, wanted, runner=_runner(options, model, setup), emit=emit)
        disagreement = judged_twice(generator, judge, options.prompt, setup.questions, cancel=Cancel())
    facts = {"model": model.identity.id, "judge": judge.name, "questions": len(setup.questions)}
    shown = {**facts, DISAGREEMENT: disagreement.words()}
    table = sweep_table(options.prompt, outcomes)
    write_results(
        options,
        record={
            "prompt": options.prompt,
            **facts,
            "disagreement": asdict(disagreement),
            "rows": outcomes_to_json(outcomes),
        },
        text=f"{table.text()}\n{table.note}".rstrip() + f"\n{DISAGREEMENT}: {disagreement.words()}",
        page=lambda: sweep_report(options.prompt, outcomes, shown),
        figures=lambda: sweep_figures(outcomes),
        points=outcomes_to_json(outcomes),
        facts={"prompt": options.prompt, **facts},
    )


def _runner(options: argparse.Namespace, model: LanguageModel, setup: Any) -> Runner | None:
    if options.ray is None:
        return None
    from engine.lab.ray_runner import Recipe, on_ray

    dtype = str(model.dtype).removeprefix("torch.") if model.precision != "int8" else "int8"
    recipe = Recipe(
        model.source,
        dtype,
        options.judge,
        options.prompt,
        setup.questions,
        setup.generator.sampling,
        setup.generator.place,
    )
    return on_ray(options.ray, recipe)
