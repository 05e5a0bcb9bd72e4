"""The command line: one module per command, each with `add(commands)` and what it runs."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from engine.cli import convert, distill, generate, lab, models, pocket, replay
from engine.errors import Cancelled, EngineError
from engine.model.memory import ran_out

_NAME = 80  # characters of a path in a message


def run(arguments: Sequence[str]) -> int:
    """Parses and runs one command.

    Args:
        arguments: without the program's name.

    Returns:
        The exit status: 0; 2 for a failure that a person can act on, told in one sentence on stderr; 130 when
            stopped.
    """
    parser = _Parser(
        prog="steer", description="Steer language models: distill prompts into heads, apply them."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (models, distill, generate, replay, convert, lab, pocket):
        command.add(commands)
    try:
        _forgive(sys.stdout, sys.stderr)
        options = parser.parse_args(arguments)
        options.run(options)
        print(end="", flush=True)  # unlike sys.stdout.flush(), also where there is no such stream
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
    except UnicodeEncodeError:  # from the bytes of an argument; what is printed is forgiven
        return _fail("The words were not understood: some are not UTF-8 text. Type them again.")
    except Exception as error:
        if ran_out(error):
            return _fail("Memory ran out. Close other programs, or choose a smaller model.")
        if not isinstance(error, OSError):
            raise
        return _fail(_refusal(error))


class _BadArguments(Exception):
    """What argparse has to say about the words of the command."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _BadArguments(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")


def _forgive(*streams: Any) -> None:
    """A character that a stream's encoding lacks is written as a question mark; it ends nothing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _refusal(error: OSError) -> str:
    """What the system would not do, of a file that a command could not foresee."""
    if error.errno == errno.ENOSPC:
        return "The output was not written: the disk is full. Free some space and run it again."
    name = "A file" if error.filename is None else _short(os.fsdecode(error.filename))
    return f"{name} cannot be used: {error.strerror or error}. Check the path and its permissions."


def _short(path: str) -> str:
    return path if len(path) <= _NAME else f"{path[:_NAME]}…"


def _fail(sentence: str, status: int = 2) -> int:
    print(f"steer: {sentence}", file=sys.stderr)
    return status
