"""The version of the installed program."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The installed version, or "dev" when run from a checkout."""
    try:
        return importlib.metadata.version("steering-studio")
    except importlib.metadata.PackageNotFoundError:
        return "dev"
