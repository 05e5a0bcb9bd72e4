"""What a format is: how its files are told, read and written, and what each way loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from engine.errors import ChoiceError, HeadError
from engine.heads.head import Head
from engine.model.identity import ModelIdentity

Losses = Sequence[str]
"""Sentences, one per thing that the other side cannot hold or does not say."""


AskModel = Callable[[], ModelIdentity]
"""Whom a file that names no model is read for; asked once the file proved sound, for it takes time."""


@dataclass(frozen=True)
class ImportOptions:
    """What a file may leave open. shift: how far a GGUF's numbers are above our blocks'; block: the one to
    steer, or that a file without a place for it steers; concept: the row of a file that holds many."""

    shift: int | None = None
    block: int | None = None
    concept: int | None = None


@dataclass(frozen=True, eq=False)
class ImportedHead:
    """What a file held, as a head, and what was lost on the way."""

    head: Head
    losses: Losses


@dataclass(frozen=True)
class Format:
    """One row of the formats.

    named(path): whether a name to be written asks for it; detect(path): whether what is there is of it; both
    never raise. read(path, model, choice), write(head, path, choice): raise HeadError, its remedy naming the
    option that helps. write is None for formats that are only read.
    """

    name: str
    about: str
    named: Callable[[Path], bool]
    detect: Callable[[Path], bool]
    read: Callable[[Path, AskModel, ImportOptions], ImportedHead]
    write: Callable[[Head, Path, ImportOptions], Losses] | None = None


def refuse(path: Path, why: str, remedy: str) -> NoReturn:
    raise HeadError(f"{path.name} was not converted", why, remedy) from None


def refuse_without_option(path: Path, why: str, remedy: str) -> NoReturn:
    """remedy: names the option of `steer convert` that helps."""
    raise ChoiceError(f"{path.name} was not converted", why, remedy) from None
