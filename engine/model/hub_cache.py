"""The hub library's own cache, shared with other programs: what is in it, and how files get into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.model.config import read_config
from engine.model.download import Wanted
from engine.model.hub_errors import refused
from engine.model.memory import in_words
from engine.model.weights import read_weights

COMMIT = re.compile(r"[0-9a-f]{40}")
VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
)  # one of them is what a load reads


def fetched_before(source: str, revision: str | None) -> Path | None:
    """The folder of a model that was fetched before, by this program or another, whole."""
    place, name = repository(source), revision or "main"
    try:
        commit = name if COMMIT.fullmatch(name) else (place / "refs" / name).read_text().strip()
        folder = place / "snapshots" / commit
        read_config(folder)
        read_weights(folder)
    except (ModelError, OSError):
        return None
    return folder if any((folder / name).is_file() for name in VOCABULARIES) else None


def snapshot_of(folder: Path) -> Path | None:
    """The folder of the model within its folder in a hub cache, models--OWNER--NAME: that which the branch
    main was last, else the newest. None where `folder` is no such folder.

    Raises ModelError when it holds no snapshot.
    """
    if not folder.name.startswith("models--") or not (folder / "snapshots").is_dir():
        return None
    ref = folder / "refs" / "main"
    snapshots = [place for place in (folder / "snapshots").iterdir() if place.is_dir()]
    if not snapshots:
        raise ModelError(
            f"The model in {folder} was not loaded",
            "Its download was never finished.",
            "Download it again.",
        )
    named = folder / "snapshots" / ref.read_text().strip() if ref.is_file() else None
    if named in snapshots:
        return named
    return max(snapshots, key=lambda place: place.stat().st_mtime)


def hand_over(source: str, commit: str, files: Sequence[Wanted]) -> Path:
    """Lets the hub library show, under their names, the files that lie in its cache under their hashes.

    Where it cannot link it copies; the first copy is then dropped.
    """
    from huggingface_hub import snapshot_download
    from tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    names = [file.name for file in files]
    folder = Path(snapshot_download(source, revision=commit, allow_patterns=names, tqdm_class=Silent))
    for file in files:
        if not file.shown.is_symlink():
            file.target.unlink(missing_ok=True)
    return folder


def remember(source: str, revision: str, commit: str) -> None:
    """Notes in the cache which commit a branch or tag was, so that it is found without the hub."""
    if not COMMIT.fullmatch(revision):
        ref = repository(source) / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)


def repository(source: str) -> Path:
    """Where the hub library's cache keeps a model."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model")


def require_room(source: str, files: Sequence[Wanted]) -> None:
    """Raises ModelError when the disk has no room for what is still to come."""
    missing = sum(file.size - file.here for file in files)
    place = files[0].target.parent
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if missing > free:
        raise refused(
            source,
            f"It needs {in_words(missing)} of disk space, and {in_words(free)} are free.",
            "Free some space, or set HF_HOME to a folder on another disk.",
        )
