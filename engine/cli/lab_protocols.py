"""`steer lab faithfulness, transfer, persona, axbench, ifeval`: the field's protocols."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.lab_match import target
from engine.cli.lab_options import (
    DISAGREEMENT,
    add_lab_options,
    add_output_options,
    chosen_questions,
    give,
    opened_store,
    require_outputs,
    speaker_and_judge,
)
from engine.cli.model import add_model_options, load_model
from engine.cli.progress import progress_bar
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from engine.lab.answers import Speaker
    from engine.lab.judges import Disagreement, Judge
    from engine.lab.report import Table

_METHODS = "none,prompt,s-psr,a-psr"


def add(commands: Any) -> None:
    _add_faithfulness(commands)
    _add_transfer(commands)
    _add_persona(commands)
    _add_axbench(commands)
    _add_ifeval(commands)


def _add_faithfulness(commands: Any) -> None:
    parser = commands.add_parser("faithfulness", help="how near each block comes to the prompted states")
    parser.add_argument("--prompt", required=True, help="the steering prompt")
    parser.add_argument("--methods", default="a-psr,s-psr,s-const,caa", help="as in steer lab match")
    add_model_options(parser)
    add_output_options(parser)
    parser.set_defaults(run=_faithfulness)


def _add_transfer(commands: Any) -> None:
    parser = commands.add_parser("transfer", help="heads where they were not distilled")
    parser.add_argument(
        "--prompt", action="append", metavar="P", help="may be given several times (default: three styles)"
    )
    parser.add_argument("--method", default="a-psr", help="default: a-psr")
    add_lab_options(parser, count=24)
    parser.set_defaults(run=_transfer)


def _add_persona(commands: Any) -> None:
    parser = commands.add_parser("persona", help="persona_vectors traits: methods at equal coherence")
    parser.add_argument("--traits", type=Path, required=True, metavar="FOLDER", help="of trait JSON files")
    parser.add_argument("--methods", default=_METHODS, help=f"as in steer lab match (default: {_METHODS})")
    parser.add_argument("--coherence", default="80", metavar="PERCENT|prompt|kl", help="default: 80")
    add_lab_options(parser)
    parser.set_defaults(run=_persona, seeds=10)


def _add_axbench(commands: Any) -> None:
    parser = commands.add_parser("axbench", help="AxBench concepts: the harmonic mean of three judgements")
    parser.add_argument("--concepts", type=Path, required=True, metavar="FILE", help="metadata.jsonl")
    parser.add_argument("--methods", default=_METHODS, help=f"as in steer lab match (default: {_METHODS})")
    parser.add_argument(
        "--template", metavar="TEXT", help="the steering prompt, with {concept} in it (default: a plain one)"
    )
    add_lab_options(parser, count=20)
    parser.set_defaults(run=_axbench)


def _add_ifeval(commands: Any) -> None:
    parser = commands.add_parser("ifeval", help="IFEval: verifiable instructions, checked by rule")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="input_data.jsonl")
    parser.add_argument("--methods", default=_METHODS, help=f"as in steer lab match (default: {_METHODS})")
    parser.add_argument("--strength", type=float, default=1.0, help="of the heads (default: 1)")
    add_lab_options(parser)
    parser.set_defaults(run=_ifeval)


def _faithfulness(options: argparse.Namespace) -> None:
    require_outputs(options)
    from engine.distill import distill
    from engine.lab.arms import parse_arms
    from engine.lab.pictures import blocks, svg
    from engine.lab.report import Table, report

    arms = [arm for arm in parse_arms(options.methods, options.prompt) if arm.request is not None]
    if not arms:
        raise InputError("There is nothing to compare", "No method makes a head.", "Name one, as a-psr.")
    model = load_model(options)
    lines: dict[str, dict[int, float]] = {}
    seconds: dict[str, float] = {}
    with progress_bar() as emit:
        for arm in arms:
            assert arm.request is not None
            made = distill(model, arm.request, emit=emit)
            lines[arm.name], reference = made.faithfulness, made.paraphrase
            seconds[arm.name], worded = made.seconds["total"], made.paraphrased
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
    give(
        options,
        told,
        f"{table.text()}\n{table.note}",
        lambda: report(table.title, facts, [table], [svg(figures["faithfulness"])]),
        lambda: figures,
        [
            {"method": name, "block": block, "faithfulness": value}
            for name, line in lines.items()
            for block, value in line.items()
        ],
        {"prompt": options.prompt, **facts},
    )


def _transfer(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.answers import judged_twice
    from engine.lab.report import Table
    from engine.lab.transfer import Setting, transfer

    prompts = options.prompt or ["Talk like a pirate.", "Use formal language.", "End with a question."]
    with _opened(options) as (speaker, judge):
        setting = Setting(speaker, judge, chosen_questions(options, speaker.model), options.method)
        with progress_bar() as emit:
            rows = transfer(setting, prompts, emit=emit)
        itself = judged_twice(speaker, judge, prompts[0], setting.asked, Cancel())
    table = Table(
        "Transfer",
        ("prompt", "condition", "strength", "trait", "coherence", "prompt's trait", "prompt's coherence"),
        tuple(
            (
                row.prompt, row.condition, f"{row.strength:g}", _told(row.trait), _told(row.coherence),
                _told(row.prompt_trait), _told(row.prompt_coherence),
            )
            for row in rows
        ),
    )  # fmt: skip
    _finish(options, speaker, judge, table, rows, itself)


def _persona(options: argparse.Namespace) -> None:
    from engine.lab.figures import match_figures
    from engine.lab.persona import persona, read_traits
    from engine.lab.report import Table

    wanted, traits = target(options.coherence), read_traits(options.traits)
    with _opened(options) as (speaker, judge), progress_bar() as emit:
        found = persona(speaker, judge, traits, options.methods, wanted, rollouts=options.seeds, emit=emit)
    rows = [
        {"trait_name": each.trait, "target": each.match.coherence, **asdict(row)}
        for each in found
        for row in each.match.rows
    ]
    failures = [f"{each.trait}, {f.method}: {f.why}" for each in found for f in each.match.failures]
    table = Table(
        "Persona traits",
        ("trait", "method", "strength", "score", "95 % interval", "coherence", "answers", "missing"),
        tuple(
            (
                row["trait_name"], row["method"], _told(row["strength"]), _told(row["trait"]),
                _between(row["trait_ci"]), _told(row["coherence"]), str(row["n"]), str(row["missing"]),
            )
            for row in rows
        ),
        "\n".join(failures),
    )  # fmt: skip
    figures = {
        f"{each.trait}-{name}": figure for each in found for name, figure in match_figures(each.match).items()
    }
    itself = found[0].match.disagreement
    _finish(options, speaker, judge, table, rows, itself, figures, failures=failures)


def _axbench(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.answers import judged_twice
    from engine.lab.axbench import TEMPLATE, AxFailure, axbench, read_concepts
    from engine.lab.report import Table

    concepts = read_concepts(options.concepts)
    with _opened(options) as (speaker, judge), progress_bar() as emit:
        asked = chosen_questions(options, speaker.model)
        found = axbench(
            speaker, judge, concepts, options.methods, asked, template=options.template or TEMPLATE, emit=emit
        )
        first = (options.template or TEMPLATE).replace("{concept}", concepts[0].text)
        itself = judged_twice(speaker, judge, first, asked, Cancel())
    rows = [row for row in found if not isinstance(row, AxFailure)]
    failures = [f"concept {f.concept}, {f.method}: {f.why}" for f in found if isinstance(f, AxFailure)]
    table = Table(
        "AxBench",
        ("concept", "method", "factor", "score", "concept", "instruct", "fluency", "answers", "missing"),
        tuple(
            (
                str(row.concept), row.method, _told(row.factor), _told(row.score), _told(row.concept_score),
                _told(row.instruct_score), _told(row.fluency_score), str(row.n), str(row.missing),
            )
            for row in rows
        ),
        "\n".join(failures),
    )  # fmt: skip
    _finish(options, speaker, judge, table, rows, itself, failures=failures)


def _ifeval(options: argparse.Namespace) -> None:
    from engine.events import Cancel
    from engine.lab.answers import judged_twice
    from engine.lab.ifeval import ifeval, read_cases
    from engine.lab.report import Table

    if not isfinite(options.strength):
        raise InputError("The heads cannot be applied", "The strength is no number.", "Give one, as 1.")
    cases = read_cases(options.data)
    with _opened(options) as (speaker, judge), progress_bar() as emit:
        rows = ifeval(speaker, judge, cases, options.methods, strength=options.strength, emit=emit)
        same = [case.question for case in cases if case.instruction == cases[0].instruction]
        itself = judged_twice(speaker, judge, cases[0].instruction, same, Cancel())
    table = Table(
        "IFEval",
        ("method", "strength", "accuracy", "95 % interval", "coherence", "answers", "missing"),
        tuple(
            (
                row.method, _told(row.strength), _told(row.accuracy), _between(row.accuracy_ci),
                _told(row.coherence), str(row.n), str(row.missing),
            )
            for row in rows
        ),
        "\n".join(failure for row in rows for failure in row.failures),
    )  # fmt: skip
    _finish(options, speaker, judge, table, rows, itself)


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[Speaker, Judge]]:
    require_outputs(options)
    model = load_model(options)
    with opened_store(options) as store:
        yield speaker_and_judge(options, model, store)


def _finish(
    options: argparse.Namespace,
    speaker: Speaker,
    judge: Judge,
    table: Table,
    rows: Sequence[Any],
    itself: Disagreement,
    figures: Mapping[str, Figure] | None = None,
    **more: Any,
) -> None:
    from engine.lab.pictures import svg
    from engine.lab.report import report

    drawn = figures or {}
    facts: Mapping[str, Any] = {"model": speaker.model.identity.id, "judge": judge.name}
    shown = {**facts, DISAGREEMENT: itself.words()}
    told = [row if isinstance(row, dict) else asdict(row) for row in rows]
    text = f"{table.text()}\n{table.note}".rstrip() + f"\n{DISAGREEMENT}: {itself.words()}"
    record = {**facts, "disagreement": asdict(itself), "rows": told, **more}
    pictures = [svg(figure) for figure in drawn.values()]
    page = report(table.title, shown, [table], pictures)
    give(options, record, text, lambda: page, lambda: drawn, told, facts)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _between(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
