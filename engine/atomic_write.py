"""Writes a file whole or not at all: beside its place, synced to disk, then renamed."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from engine.errors import EngineError


def write_atomic(path: Path, data: bytes, thing: str, family: type[EngineError]) -> None:
    """Puts `data` at `path`; an older file there is untouched until the new one is complete.

    Args:
        path: where to.
        data: the content.
        thing: what it is, for the sentence of an error ("head").
        family: the error to raise.

    Raises:
        family: it cannot be written; nothing is then left beside `path`.
    """
    require_writable(path, thing, family)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".saving.", dir=path.parent)  # no longer than any name
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise family(
            f"The {thing} was not saved as {path}",
            f"{error.strerror or error}.",
            "Choose a folder that exists, can be written to and has room.",
        ) from None


def require_writable(path: Path, thing: str, family: type[EngineError]) -> None:
    """Raises `family` where `write_atomic` would: a missing or read-only folder, or `path` no file."""
    what = f"The {thing} cannot be saved as {path}"
    try:
        folder, taken = path.parent.is_dir(), path.exists() and not path.is_file()
    except OSError as error:
        raise family(what, f"{error.strerror or error}.", "Choose a shorter name, or another.") from None
    if not folder:
        raise family(what, f"The folder {path.parent} does not exist.", "Create it, or choose another.")
    if taken:
        raise family(what, "What is there is not a file.", "Choose another name.")
    if not os.access(path.parent, os.W_OK):
        raise family(what, f"The folder {path.parent} is read-only.", "Choose another folder.")


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power failure, on systems that can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
