"""Heads in the file formats of other tools: one module per format, each ending in a Format."""

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
from engine.heads.formats.format import Format, ImportedHead, ImportOptions, Losses, ModelProvider
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
    """What was converted.

    Attributes:
        head: the head.
        read_as, written_as: names of the formats.
        losses: sentences about what the old file did not say and what the new one does not hold.
    """

    head: Head
    read_as: str
    written_as: str
    losses: Losses


def convert(
    source: Path,
    target: Path,
    model: ModelProvider,
    options: ImportOptions,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
) -> Conversion:
    """Reads a head from one format and writes it in another.

    Args:
        source: the file or folder to read.
        target: the file to write; it is written whole or not at all.
        model: called only for a file that does not name its model.
        options: what the files leave open.
        read_as, write_as: names of the formats; by default the files' content and names decide.

    Raises:
        HeadError: a file cannot be read or written.
        InputError: no format fits, or an option makes no sense.
    """
    matching = [format for format in FORMATS if format.matches_name(target)]
    writer = format_named(write_as) if write_as else _first(matching, target, "--to")
    if writer.write is None:
        raise InputError(
            f"{target} was not written", f"Files of {writer.name} are only read.", "Write gguf instead."
        )
    imported, reader = read(source, model, options, read_as=read_as)
    losses = writer.write(imported.head, target, options)
    return Conversion(imported.head, reader.name, writer.name, [*imported.losses, *losses])


def read(
    source: Path, model: ModelProvider, options: ImportOptions, *, read_as: str | None = None
) -> tuple[ImportedHead, Format]:
    """The head in a file of any format, and that format; arguments and errors as in `convert`."""
    if not source.exists():
        raise HeadError(f"{source} was not converted", "There is no such file.", "Check the path.")
    detected = detect(source)
    reader = format_named(read_as) if read_as else _first(detected, source, "--from")
    return reader.read(source, model, options), reader


def detect(source: Path) -> list[Format]:
    """The formats that a file or folder can be in, by its content or its name.

    Raises:
        HeadError: it is neither. A pipe is never opened: that would wait for somebody at its other end.
    """
    if source.exists() and not (source.is_file() or source.is_dir()):
        raise HeadError(f"{source.name} was not read", "It is not a file.", "Give the path of a head file.")
    return [format for format in FORMATS if format.detect(source)]


def format_named(name: str) -> Format:
    """The format of that name. Raises InputError for an unknown one."""
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
