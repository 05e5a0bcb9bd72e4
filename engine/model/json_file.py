"""Settings in JSON files as people have them: with or without a byte order mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """What the file holds. Raises OSError, and ValueError (also for too deep nesting) for what is no JSON."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
