"""`steer models`: what can be loaded without a download, and what a download would bring."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Adds `steer models`."""
    parser = commands.add_parser(
        "models", help="list the bundled model and those in the local hub cache, or describe one"
    )
    parser.add_argument(
        "id",
        nargs="?",
        help="a hub id, owner/name or owner/name@revision, a folder or a GGUF file: its size and fit; "
        "nothing is fetched",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.model.available_models import local_model, local_models

    if options.id is not None and not _is_here(options.id):
        _describe(options.id, options.json)
        return
    found: Any = local_models() if options.id is None else local_model(options.id)
    if options.json:
        print(json.dumps(found))
        return
    for model in found if options.id is None else [found]:
        print(f"{model['id']:<40} {model['architecture']:<24} {model['blocks']:>3} blocks  {_fit(model)}")


def _is_here(words: str) -> bool:
    from engine.model.source import is_path

    return is_path(words) or Path(words).exists()


def _describe(words: str, as_json: bool) -> None:
    from engine.model.hub import describe
    from engine.model.memory import in_words

    name, _, revision = words.partition("@")
    offer = describe(name, revision or None)
    facts = {**asdict(offer), "fits": offer.fits}
    if as_json:
        print(json.dumps(facts))
        return
    print(f"{offer.id} at {offer.revision[:12]}: {offer.architecture}, {offer.blocks} blocks, {_fit(facts)}")
    print(f"{len(offer.files)} files, {in_words(offer.bytes - offer.here)} to fetch")
    if offer.gated:
        print("Its owner asks for consent to terms first: see its hub page.")


def _fit(model: dict[str, Any]) -> str:
    """Size and fit in words."""
    from engine.model.memory import in_words

    verdict = "fits" if model["fits"] else "does not fit"
    need = f"{in_words(model['needs'])} in {model['runs_in']}"
    return f"{in_words(model['bytes']):>9} stored in {model['dtype']}, needs {need}: {verdict}"
