"""`steer models`: what can be loaded without a download."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser("models", help="list the bundled model and those in the local hub cache")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.model.catalogue import local_models

    found = local_models()
    if options.json:
        print(json.dumps(found))
        return
    for model in found:
        size = f"{model['bytes'] / 1e6:,.0f} MB"
        print(f"{model['id']:<40} {model['architecture']:<24} {model['blocks']:>3} blocks  {size:>10}")
