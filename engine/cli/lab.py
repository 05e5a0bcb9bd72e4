"""`steer lab`: methods compared at equal coherence. One module per command, as for `steer` itself."""

from __future__ import annotations

from typing import Any

from engine.cli import (
    lab_axbench,
    lab_faithfulness,
    lab_ifeval,
    lab_match,
    lab_paper,
    lab_persona,
    lab_sweep,
    lab_transfer,
)

_COMMANDS = (
    lab_match, lab_sweep, lab_faithfulness, lab_transfer, lab_persona, lab_axbench, lab_ifeval, lab_paper,
)  # fmt: skip


def add(commands: Any) -> None:
    """Adds `steer lab`."""
    parser = commands.add_parser("lab", help="compare methods at equal coherence")
    lab = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(lab)
