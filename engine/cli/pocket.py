"""`steer pocket`: train the bundled model, measure it, judge an answer by its rules."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import assets
from engine.cli.terminal_progress import progress_bar
from engine.errors import InputError

_LONGEST = 1 << 20  # characters of an answer
_FOLDER = Path(assets.__file__).parent / "pocket"


def add(commands: Any) -> None:
    """Adds `steer pocket`."""
    parser = commands.add_parser("pocket", help="the bundled model: train, check, judge")
    parts = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = parts.add_parser("train", help="train it from scratch (about an hour on two cores)")
    train.add_argument("--out", type=Path, default=_FOLDER, help="the model folder to write")
    train.add_argument("--work", type=Path, default=Path(".train/pocket"), help="where checkpoints go")
    train.add_argument("--steps", type=int, help="fewer steps than the plan's, for a trial")
    train.add_argument("--seed", type=int, help="the plan's by default")
    train.set_defaults(run=_train)

    check = parts.add_parser("check", help="measure it on held-out questions, wordings and seeds")
    check.add_argument("--model", default="pocket", help="a model folder (default: the bundled one)")
    check.add_argument("--seed", type=int, default=0, help="default: 0")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=_check)

    judge = parts.add_parser("judge", help="trait and coherence of an answer read from stdin, by rule")
    judge.add_argument("--style", required=True, help="pirate, cheerful, gloomy, ...")
    judge.add_argument("--question", required=True, help="what was asked")
    judge.set_defaults(run=_judge)


def _train(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from engine.pocket.training import TrainingPlan, train

    changes = {k: v for k in ("steps", "seed") if (v := getattr(options, k)) is not None}
    with progress_bar() as emit:
        train(options.out, options.work, replace(TrainingPlan(), **changes), emit=emit)
    print(f"{options.out}: trained. Measure it with `steer pocket check`.")


def _check(options: argparse.Namespace) -> None:
    from engine.pocket.check import check

    with progress_bar() as emit:
        report = check(options.model, seed=options.seed, emit=emit)
    if options.json:
        print(json.dumps(report))
        return
    for figure in report["figures"]:
        mark = "ok  " if figure["passed"] else "MISS"
        print(f"{mark} {figure['name']:<44} {figure['value']:.3f}  (bar {figure['bar']})")
    for style, value in report["styles"].items():
        print(f"     {style:<12} known {value['known']:.3f}  held out {value['held_out']:.3f}")


def _answer() -> str:
    try:
        text = sys.stdin.read(_LONGEST + 1).strip() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        raise InputError("The answer was not judged", "It is not UTF-8 text.", "Convert it first.") from None
    if not text:
        raise InputError("The answer was not judged", "There is none on stdin.", "Pipe it in.")
    if len(text) > _LONGEST:
        raise InputError("The answer was not judged", "It is endless.", "Pipe in a single answer.")
    return text


def _judge(options: argparse.Namespace) -> None:
    from engine.pocket.rules import judge
    from engine.pocket.styles import STYLES

    if options.style not in STYLES:
        raise InputError(
            "The answer was not judged",
            f"There is no style {options.style}.",
            f"Use one of {', '.join(STYLES)}.",
        )
    judgement = judge(options.style, _answer(), options.question)
    print(json.dumps({"trait": judgement.trait, "coherence": judgement.coherence}))
