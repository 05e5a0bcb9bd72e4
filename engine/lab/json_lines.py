"""Files of one JSON object per line, as AxBench and IFEval have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import InputError

T = TypeVar("T")


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
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "It is no text"
        raise InputError(what, f"{why}.", remedy) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(make(json.loads(line), number))
        except InputError as error:
            raise InputError(what, f"Line {number}: {error.why}", error.remedy) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            told = f": {error}" if str(error) else ""
            raise InputError(what, f"Line {number} cannot be used{told}.", remedy) from None
    if not found:
        raise InputError(what, "There is none in it.", remedy)
    return found
