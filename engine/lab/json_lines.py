"""Files of one JSON object per line, as AxBench and IFEval have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.decoding import from_json, json_lines, refusing
from engine.errors import InputError

T = TypeVar("T")

_LARGEST = 64 << 20  # bytes
_LONGEST_LINE = 1 << 20  # bytes


def read_each(path: Path, make: Callable[[Any, int], T], things: str, remedy: str) -> list[T]:
    """`make(facts, number)` of every line that is not empty, numbered from 1.

    Args:
        path: the file.
        make: raises an InputError of its own, or whatever a wrong object makes it raise.
        things: what the lines are, for the message.
        remedy: for the message.

    Raises:
        InputError: for a file that is no text or holds nothing, and for a line that `make` cannot use.
    """
    what = f"The {things} in {path} were not read"
    found = []
    with refusing(InputError, what, remedy):
        for number, line in json_lines(path, _LARGEST, _LONGEST_LINE):
            try:
                with refusing(InputError, what, remedy, "it is not as the format has it."):
                    found.append(make(from_json(line), number))
            except InputError as error:
                raise InputError(what, f"Line {number}: {error.why}", error.remedy) from None
    if not found:
        raise InputError(what, "There is none in it.", remedy)
    return found
