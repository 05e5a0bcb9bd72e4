"""`steer lab`: methods compared fairly. One module per command, as for `steer` itself."""

from __future__ import annotations

from typing import Any

from engine.cli import lab_match, lab_paper, lab_protocols, lab_sweep


def add(commands: Any) -> None:
    parser = commands.add_parser("lab", help="compare methods at equal coherence")
    lab = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (lab_match, lab_sweep, lab_protocols, lab_paper):
        command.add(lab)
