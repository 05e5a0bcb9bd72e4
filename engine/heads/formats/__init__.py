"""Heads in the files of other tools. One module per format, each ending in a Format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import HeadError, InputError
from engine.heads.formats import (
    axbench,
    easyedit,
    gguf_control_vector,
    native,
    persona_vectors,
    saklas,
    steering_lite,
)
from engine.heads.formats.format import AskModel, Format, ImportedHead, ImportOptions, Losses
from engine.heads.head import Head

__all__ = [
    "FORMATS",
    "Conversion",
    "Format",
    "ImportOptions",
    "ImportedHead",
    "convert",
    "detect",
    "format_named",
    "read",
]

FORMATS: tuple[Format, ...] = (
    native.FORMAT,
    gguf_control_vector.FORMAT,
    persona_vectors.FORMAT,
    axbench.FORMAT,
    easyedit.FORMAT,
    steering_lite.FORMAT,
    saklas.FORMAT,
)


@dataclass(frozen=True, eq=False)
class Conversion:
    """What was converted; losses: what the new file does not hold, or the old one did not say."""

    head: Head
    read_as: str
    written_as: str
    losses: Losses


def convert(
    source: Path,
    target: Path,
    model: AskModel,
    choice: ImportOptions,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
) -> Conversion:
    """Reads a head from one format and writes it in another, the formats told by the files unless named.

    model: asked only for a file that names no model itself. Raises HeadError and InputError, with nothing
    written then; otherwise the new file is there whole.
    """
    named = [format for format in FORMATS if format.named(target)]
    writer = format_named(write_as) if write_as else _first(named, target, "--to")
    if writer.write is None:
        raise InputError(
            f"{target} was not written", f"Files of {writer.name} are only read.", "Write gguf instead."
        )
    found, reader = read(source, model, choice, read_as=read_as)
    losses = writer.write(found.head, target, choice)
    return Conversion(found.head, reader.name, writer.name, [*found.losses, *losses])


def read(
    source: Path, model: AskModel, choice: ImportOptions, *, read_as: str | None = None
) -> tuple[ImportedHead, Format]:
    """The head in a file of any format, and the format. Raises HeadError and InputError."""
    if not source.exists():
        raise HeadError(f"{source} was not converted", "There is no such file.", "Check the path.")
    detected = detect(source)
    reader = format_named(read_as) if read_as else _first(detected, source, "--from")
    return reader.read(source, model, choice), reader


def detect(source: Path) -> list[Format]:
    """The formats that a file, or a folder, is in by its content or its name. Raises HeadError for what only
    looks like a file: a pipe is never opened, for nobody may be at its other end."""
    if source.exists() and not (source.is_file() or source.is_dir()):
        raise HeadError(f"{source.name} was not read", "It is not a file.", "Give the path of a head file.")
    return [format for format in FORMATS if format.detect(source)]


def format_named(name: str) -> Format:
    for format in FORMATS:
        if format.name == name:
            return format
    known = ", ".join(format.name for format in FORMATS)
    raise InputError("Nothing was converted", f"There is no format {name}.", f"Use one of {known}.")


def _first(found: list[Format], path: Path, option: str) -> Format:
    if not found:
        raise InputError(
            f"{path} cannot be converted",
            "Neither its content nor its name tells the format.",
            f"Name it with {option}: {', '.join(format.name for format in FORMATS)}.",
        )
    return found[0]
