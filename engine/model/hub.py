"""Fetches a model's files from the hub, with progress and a way to stop."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from engine.errors import Cancelled, ModelError
from engine.events import Cancel, Emit, Progress

_OWNER_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def is_hub_id(source: str) -> bool:
    """Whether a source has the shape owner/name of a hub id."""
    return _OWNER_NAME.fullmatch(source) is not None


def fetch(
    source: str, revision: str | None, *, code: bool, emit: Emit, cancel: Cancel | None
) -> tuple[Path, str]:
    """The local folder of a hub model and the commit it was pinned to; downloads what is missing.

    Only safetensors weights are fetched, and Python files only when `code` is set. An interrupted download
    resumes where it stopped. Raises ModelError with the cause, Cancelled when asked to stop.
    """
    from huggingface_hub import snapshot_download

    patterns = [*_FILES, "*.py"] if code else _FILES
    try:
        folder = snapshot_download(
            source, revision=revision, allow_patterns=patterns, tqdm_class=_reporter(emit, cancel)
        )
    except Cancelled:
        raise
    except Exception as error:
        if cancel:
            raise Cancelled from None
        raise ModelError(
            f"The model {source} could not be fetched", f"{_cause(error)}.", _remedy(error)
        ) from error
    return Path(folder), Path(folder).name


def _reporter(emit: Emit, cancel: Cancel | None) -> type:
    """A tqdm class that draws nothing, tells of written bytes and stops the download when asked to.

    The hub library counts received and written bytes in two bars; only the written ones have a true total.
    """
    from tqdm import tqdm

    class Reporter(tqdm):
        monitor_interval = 0  # no watching thread of tqdm's own

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._told = kwargs.get("unit") == "B" and not str(kwargs.get("desc")).startswith("Downloading")
            super().__init__(*args, **{**kwargs, "disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            if cancel:
                raise Cancelled
            return super().update(n)

        def display(self, *args: Any, **kwargs: Any) -> None:
            if self._told and self.total:
                rate = self.format_dict["rate"]
                eta = (self.total - self.n) / rate if rate else None
                emit(Progress("downloading", int(self.n), int(self.total), eta))

    return Reporter


def _cause(error: Exception) -> str:
    words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return words if len(words) < 200 else words[:200] + "..."


def _remedy(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "Accept the model's terms on its hub page and log in with `hf auth login`."
    if isinstance(error, errors.RevisionNotFoundError):
        return "Choose a revision that exists."
    if isinstance(error, errors.RepositoryNotFoundError):
        return "Check the spelling of owner/name; a private model needs `hf auth login`."
    return "Check the network connection, or give a local folder that holds the model, or use pocket."
