"""A model's source as a person reads it: pocket, a folder, or a hub id with the beginning of its commit."""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"(?<=@[0-9a-f]{7})[0-9a-f]{33}$")


def with_short_revision(source: str) -> str:
    """The source with seven letters of its commit, where it names one."""
    return _COMMIT.sub("", source)


def short_name(source: str) -> str:
    """The same without its owner or folder."""
    return "Pocket" if source == "pocket" else Path(with_short_revision(source)).name
