"""`steer lab paper`: the paper's claims on the bundled model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from engine.cli.terminal_progress import progress_bar


def add(commands: Any) -> None:
    """Adds `steer lab paper`."""
    parser = commands.add_parser("paper", help="the paper's claims, measured on the bundled model")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where tables, figures and the store go"
    )
    parser.add_argument("--styles", help="between commas (default: five that differ)")
    parser.add_argument("--methods", help="between commas, as in steer lab match (default: the paper's)")
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--questions", type=int, default=24, help="default: 24")
    parser.add_argument("--json", action="store_true", help="print the claims as one JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.lab.claims import claims
    from engine.lab.figure_export import make_folder
    from engine.lab.paper import PaperPlan, measure
    from engine.lab.paper_report import write
    from engine.lab.result_cache import ResultCache
    from engine.model.loading import load

    chosen: dict[str, Any] = {}
    if options.styles:
        chosen["styles"] = tuple(word.strip() for word in options.styles.split(","))
    if options.methods:
        chosen |= {"methods": tuple(word.strip() for word in options.methods.split(",")), "once": ()}
    plan = PaperPlan(seeds=options.seeds, questions=options.questions, **chosen)
    make_folder(options.out)
    model, store = load(), ResultCache(options.out / "paper.sqlite")
    try:
        with progress_bar() as emit:
            measured = measure(model, plan, store, emit=emit)
    finally:
        store.close()
    written = write(measured, options.out)
    if options.json:
        told = [{"claim": c.claim, "holds": c.holds, "told": c.told} for c in claims(measured)]
        print(json.dumps({"claims": told, "files": [str(path) for path in written]}))
        return
    for claim in claims(measured):
        print(f"{claim.verdict:<13}  {claim.claim}: {claim.told}")
    print(f"written to {options.out}")
