"""`python -m tests.benchmarks NAME`: prints tables, exits 1 when a bar is missed."""

from __future__ import annotations

import argparse
import sys

import engine  # noqa: F401  before torch, as in the product
from tests.benchmarks import decoding, distillation, first_light, gui

BENCHMARKS = {"first-light": first_light, "speed": decoding, "distillation": distillation, "gui": gui}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    commands = parser.add_subparsers(required=True, metavar="NAME")
    for name, module in BENCHMARKS.items():
        command = commands.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
        module.arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args()
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
