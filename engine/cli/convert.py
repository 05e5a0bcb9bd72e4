"""`steer convert`: heads from other tools' files, and into them."""

from __future__ import annotations

import argparse
import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.model import add_model_options, load_model

if TYPE_CHECKING:
    from engine.model.identity import ModelIdentity


def add(commands: Any) -> None:
    """Adds `steer convert`."""
    parser = commands.add_parser("convert", help="read and write the head files of other tools")
    parser.add_argument(
        "source", type=Path, metavar="IN", help="a head file of this studio or another tool's"
    )
    parser.add_argument("target", type=Path, metavar="OUT", help="the file to write, its name as that tool's")
    names = "head, gguf, persona_vectors, axbench, easyedit2, steering-lite or saklas"
    parser.add_argument("--from", dest="read_as", metavar="FORMAT", help=f"{names}; by default what IN is")
    parser.add_argument("--to", dest="write_as", metavar="FORMAT", help="by default from OUT's name")
    parser.add_argument(
        "--shift",
        type=int,
        choices=(0, 1),
        help="gguf: direction.k belongs to block k (0: repeng) or k - 1 (1: llama.cpp's generator); by "
        "default from the file; when writing 0, without block 0, which llama.cpp refuses",
    )
    parser.add_argument("--block", type=int, help="the one block to keep, or that axbench weights steer")
    parser.add_argument("--concept", type=int, help="axbench: which of its concepts")
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object about the result")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.heads.formats import ImportOptions, convert

    @cache
    def identity() -> ModelIdentity:
        return load_model(options).identity

    choice = ImportOptions(options.shift, options.block, options.concept)
    done = convert(
        options.source,
        options.target,
        identity,
        choice,
        read_as=options.read_as,
        write_as=options.write_as,
    )
    for loss in done.losses:
        print(f"steer: {loss}", file=sys.stderr)
    if options.json:
        report = {
            "from": done.read_as,
            "to": done.written_as,
            "file": str(options.target),
            "name": done.head.info.name,
            "model": done.head.info.model.id,
            "blocks": sorted(done.head.blocks),
            "hash": done.head.digest,
            "losses": list(done.losses),
        }
        print(json.dumps(report))
    else:
        print(f"{options.target}: {done.written_as}, {len(done.head.blocks)} blocks")
