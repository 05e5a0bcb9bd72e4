"""What a format is: how its files are recognised, read and written, and what each way loses."""

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


ModelProvider = Callable[[], ModelIdentity]
"""The model that a file is for which names none; slow, so it is called once the file is checked."""


@dataclass(frozen=True)
class ImportOptions:
    """What a file leaves open.

    Attributes:
        shift: of GGUF, 0 where direction.k is block k, 1 where it is block k - 1.
        block: the only block to steer, or the block of a file that does not say it.
        concept: which row of a file with several.
    """

    shift: int | None = None
    block: int | None = None
    concept: int | None = None


@dataclass(frozen=True, eq=False)
class ImportedHead:
    """The head in a file, and what was lost in reading it."""

    head: Head
    losses: Losses


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: as in `steer convert --from`.
        about: one line for the help.
        matches_name: whether a file that is to be written has a name of this format; never raises.
        detect: whether an existing file is in this format; never raises.
        read: (path, model, options) -> the head in the file. Raises HeadError.
        write: (head, path, options) -> what the file does not hold. Raises HeadError; None for a format
            that is only read.
    """

    name: str
    about: str
    matches_name: Callable[[Path], bool]
    detect: Callable[[Path], bool]
    read: Callable[[Path, ModelProvider, ImportOptions], ImportedHead]
    write: Callable[[Head, Path, ImportOptions], Losses] | None = None


def refuse(path: Path, why: str, remedy: str) -> NoReturn:
    """Raises HeadError: the file was not converted."""
    raise HeadError(f"{path.name} was not converted", why, remedy) from None


def refuse_without_option(path: Path, why: str, remedy: str) -> NoReturn:
    """Raises ChoiceError: the file leaves something open; `remedy` names the option that says it."""
    raise ChoiceError(f"{path.name} was not converted", why, remedy) from None
