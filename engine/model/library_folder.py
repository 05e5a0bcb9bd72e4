"""Model folders that transformers does not read as they are, shown to it as it would have them."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.model import adapter
from engine.model.json_file import read_json
from engine.model.weights import INDEX, SINGLE, Weights, tensor_names

_SETTINGS = (".json", ".jinja")


@contextmanager
def library_folder(folder: Path, weights: Weights) -> Iterator[Path]:
    """The folder itself, or for as long as it is needed a temporary one with links to its files.

    There byte order marks are gone, parts have an index, and no adapter lies beside the model, which
    transformers would merge into it unasked.
    """
    changed = _changed(folder, weights)
    if not changed:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="steering-studio-", ignore_cleanup_errors=True) as draft:
        for file in folder.iterdir():
            if file.name not in changed:
                _link(file, Path(draft) / file.name)
        for name, content in changed.items():
            if content is not None:
                (Path(draft) / name).write_bytes(content)
        yield Path(draft)


def _changed(folder: Path, weights: Weights) -> dict[str, bytes | None]:
    """By name the files with other content; None for those that are left out."""
    changed: dict[str, bytes | None] = {}
    for file in folder.iterdir():
        if file.suffix in _SETTINGS and file.is_file():
            with file.open("rb") as stream:
                marked = stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
            if marked:
                changed[file.name] = file.read_bytes()[len(codecs.BOM_UTF8) :]
    if (folder / adapter.CONFIG).is_file():
        changed[adapter.CONFIG] = None
    if weights.files != (SINGLE,) and not _sound_index(folder / INDEX):
        places = {name: part for part in weights.files for name in tensor_names(folder / part)}
        changed[INDEX] = json.dumps({"metadata": {}, "weight_map": places}).encode()
    return changed


def _sound_index(index: Path) -> bool:
    """transformers wants the entry "metadata" too, which says nothing that is needed."""
    return index.is_file() and isinstance(read_json(index).get("metadata"), dict)


def _link(file: Path, place: Path) -> None:
    """A link of the kind that the system allows: Windows has symbolic ones for administrators only, and hard
    ones within one disk."""
    file = file.resolve()
    try:
        place.symlink_to(file, target_is_directory=file.is_dir())
    except OSError:
        if file.is_dir():
            shutil.copytree(file, place)
            return
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)
