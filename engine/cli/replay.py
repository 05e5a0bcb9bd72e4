"""`steer replay`: a recorded run once more, and whether it comes out the same."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.model import add_model_options, load_model

if TYPE_CHECKING:
    from engine.generation.recorded_run import Run
    from engine.generation.result import Agreement


def add(commands: Any) -> None:
    """Adds `steer replay`."""
    parser = commands.add_parser("replay", help="answer once more what `generate --save` recorded")
    parser.add_argument("file", type=Path, help="the run file (*.run.safetensors)")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the recorded tokens as .csv or .json instead; no model is loaded",
    )
    add_model_options(parser)
    parser.set_defaults(model=None)  # the recorded one
    parser.add_argument("--json", action="store_true", help="print one JSON object about the result")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.generation.recorded_run import first_differences, replay
    from engine.generation.run_file import load_run

    run = load_run(options.file)
    if options.export is not None:
        _export(run, options.export)
        return
    recorded = run.model.id if run.model.revision is None else f"{run.model.id}@{run.model.revision}"
    options.model = options.model or recorded
    options.dtype = options.dtype or run.precision
    answers = replay(load_model(options), run)
    where = first_differences(run, answers)
    if options.json:
        lanes = [
            {
                "text": answer.text,
                "tokens": len(answer.trace),
                "same": at is None,
                "differs_at": at,
                **({} if answer.agreement is None else asdict(answer.agreement)),
            }
            for answer, at in zip(answers, where, strict=True)
        ]
        same = all(lane["same"] and lane.get("alike", True) for lane in lanes)
        record = {"same": same, "lanes": lanes, "left_out": run.left_out}
        print(json.dumps(record))
        return
    for answer, at in zip(answers, where, strict=True):
        print(answer.text)
        print("The very same tokens." if at is None else f"Other tokens from number {at} on.")
        if answer.agreement is not None:
            print(_agreement_words(answer.agreement))
    for words in run.left_out:
        print(f"Left out when it was recorded: {words}")


def _agreement_words(agreement: Agreement) -> str:
    words = f"Logprobs are within {agreement.within:.1g} of the recorded ones at nine of ten tokens"
    if not agreement.alike:
        return f"{words}: more than rounding usually explains. The steering or the model may differ."
    if agreement.ties:
        words += f"; at {agreement.ties} rounding decided, and the recorded one was taken"
    return f"{words}."


def _export(run: Run, path: Path) -> None:
    from engine.atomic_write import write_atomic
    from engine.errors import InputError, RunError
    from engine.generation.trace_export import to_csv, to_json

    writers = {".csv": to_csv, ".json": to_json}
    if path.suffix not in writers:
        raise InputError(
            f"{path} was not written", "Its name does not tell the format.", "Name it .csv or .json."
        )
    write_atomic(path, writers[path.suffix](run).encode(), "table", RunError)
    print(path)
