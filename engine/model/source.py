"""From what a person writes for a model to the folder that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import assets
from engine.errors import ModelError
from engine.events import Cancel, Emit
from engine.model.hub import fetch, is_hub_id
from engine.model.identity import POCKET

POCKET_FOLDER = Path(assets.__file__).parent / "pocket"


@dataclass(frozen=True)
class Located:
    """A model's folder; id: "pocket", the folder as given, or owner/name; revision: a hub model's commit."""

    folder: Path
    id: str
    revision: str | None = None


def locate(source: str, revision: str | None, *, code: bool, emit: Emit, cancel: Cancel | None) -> Located:
    """Takes "pocket", a folder, owner/name or owner/name@revision; fetches a hub model that is not here yet.

    Raises ModelError (no such thing, or what the hub has to say) and Cancelled.
    """
    if source == POCKET:
        return Located(POCKET_FOLDER, POCKET)
    folder = Path(source).expanduser()
    if folder.is_dir():
        return Located(folder, source)
    name, _, wanted = source.partition("@")
    if is_hub_id(name):
        found, commit = fetch(name, revision or wanted or None, code=code, emit=emit, cancel=cancel)
        return Located(found, name, commit)
    raise ModelError(
        f"The model {source} was not found",
        "It is neither a folder nor a Hugging Face model.",
        'Give "pocket", the path of a model folder, owner/name, or owner/name@revision.',
    )
