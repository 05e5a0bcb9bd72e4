"""A model's source as a person reads and types it: pocket, a folder, a hub id with a commit's beginning."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = re.compile(r"https?://[^/]+/([^/?#]+/[^/?#]+)(?:/(?:tree|blob|resolve)/([^/?#]+))?[^@]*")
_COMMIT = re.compile(r"(?<=@[0-9a-f]{7})[0-9a-f]{33}$")


def with_short_revision(source: str) -> str:
    """The source with seven letters of its commit, where it names one."""
    return _COMMIT.sub("", source)


def short_name(source: str) -> str:
    """The same without its owner or folder."""
    return "Pocket" if source == "pocket" else Path(with_short_revision(source)).name


def from_anywhere(source: str) -> str:
    """The same source seen from any folder: one that is a folder or a file, by its whole path."""
    place = Path(source).expanduser()
    return str(place.absolute()) if source != "pocket" and place.exists() else source


def of_typed(words: str) -> str:
    """The source that is meant by an id, the address of its page on the hub, or a folder's path."""
    words = words.strip()
    if page := _PAGE.fullmatch(words):
        return "@".join(part for part in page.groups() if part)
    folder = Path(words).expanduser()
    return str(folder.absolute()) if words.startswith(".") or folder.is_absolute() else words
