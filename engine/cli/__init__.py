"""The command line: one module per command, each with `add(commands)` and what it runs."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from engine.cli import convert, distill, generate, lab, models, pocket, replay
from engine.errors import Cancelled, EngineError


def run(arguments: Sequence[str]) -> int:
    """Parses and runs one command; every failure that a person can act on is one sentence on stderr."""
    parser = _Parser(
        prog="steer", description="Steer language models: distill prompts into heads, apply them."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (models, distill, generate, replay, convert, lab, pocket):
        command.add(commands)
    try:
        options = parser.parse_args(arguments)
        options.run(options)
        sys.stdout.flush()
        return 0
    except _BadArguments as error:
        return _fail(str(error))
    except EngineError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, Cancelled):
        return _fail("Stopped.", 130)
    except BrokenPipeError:
        # The reader went away; nothing is wrong here. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _fail("The output was not written: the disk is full. Free some space and run it again.")


class _BadArguments(Exception):
    """What argparse has to say about the words of the command."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _BadArguments(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")


def _fail(sentence: str, status: int = 2) -> int:
    print(f"steer: {sentence}", file=sys.stderr)
    return status
