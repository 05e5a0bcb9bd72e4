"""`steer lab faithfulness`: how near each block comes to the prompted states."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.lab_options import add_output_options
from engine.cli.lab_results import require_outputs, write_results
from engine.cli.model import add_model_options, load_model
from engine.cli.terminal_progress import progress_bar
from engine.errors import InputError


def add(commands: Any) -> None:
    """Adds `steer lab faithfulness`."""
    parser = commands.add_parser("faithfulness", help="how near each block comes to the prompted states")
    parser.add_argument("--prompt", required=True, help="the steering prompt")
    parser.add_argument("--methods", default="a-psr,s-psr,s-const,caa", help="as in steer lab match")
    add_model_options(parser)
    add_output_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    require_outputs(options)
    from engine.distill import distill
    from engine.lab.figure_style import svg
    from engine.lab.match_plots import blocks
    from engine.lab.method_specs import parse_method_specs
    from engine.lab.report import Table, report

    specs = [spec for spec in parse_method_specs(options.methods, options.prompt) if spec.request is not None]
    if not specs:
        raise InputError("There is nothing to compare", "No method makes a head.", "Name one, e.g. a-psr.")
    model = load_model(options)
    lines: dict[str, dict[int, float]] = {}
    seconds: dict[str, float] = {}
    with progress_bar() as emit:
        for spec in specs:
            assert spec.request is not None
            made = distill(model, spec.request, emit=emit)
            lines[spec.name], reference = made.faithfulness, made.paraphrase
            seconds[spec.name], worded = made.seconds["total"], made.paraphrased
    lines["paraphrase"] = reference
    table = Table(
        f"Faithfulness: {options.prompt}",
        ("method", *(f"block {block}" for block in reference)),
        tuple((name, *(f"{value:.3f}" for value in values.values())) for name, values in lines.items()),
        f'0 is the prompt itself, 1 doing nothing; paraphrase: "{worded}"',
    )
    told = {
        "prompt": options.prompt,
        "model": model.identity.id,
        "paraphrased": worded,
        "rows": [
            {
                "method": name,
                "seconds": seconds.get(name),
                "faithfulness": line,
            }
            for name, line in lines.items()
        ],
    }
    facts = {"model": model.identity.id}
    figures = {"faithfulness": blocks(lines, "faithfulness", "paraphrase")}
    write_results(
        options,
        record=told,
        text=f"{table.text()}\n{table.note}",
        page=lambda: report(table.title, facts, [table], [svg(figures["faithfulness"])]),
        figures=lambda: figures,
        points=[
            {"method": name, "block": block, "faithfulness": value}
            for name, line in lines.items()
            for block, value in line.items()
        ],
        facts={"prompt": options.prompt, **facts},
    )
