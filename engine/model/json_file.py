"""Settings in JSON files as people have them: with or without a byte order mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.decoding import read_bytes

LARGEST = 64 << 20  # bytes


def read_json(path: Path) -> Any:
    """What the file holds. Raises OSError, and ValueError for what is no JSON, too large or too deep.

    The numbers are not bounded: other programs' settings hold Infinity and 10^30.
    """
    try:
        return json.loads(read_bytes(path, LARGEST).decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
