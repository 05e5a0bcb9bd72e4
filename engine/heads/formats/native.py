"""The studio's own head files among the formats."""

from __future__ import annotations

from pathlib import Path

from engine.heads import HEAD_SUFFIX
from engine.heads.formats.constant_vectors import only_block
from engine.heads.formats.format import AskModel, Format, ImportedHead, ImportOptions, Losses
from engine.heads.formats.safetensors_file import names_in
from engine.heads.head import Head
from engine.heads.head_file import load_head, save_head


def _named(path: Path) -> bool:
    return path.name.endswith(HEAD_SUFFIX)


def _detect(path: Path) -> bool:
    return any(name.startswith("block.") for name in names_in(path))


def _read(path: Path, model: AskModel, choice: ImportOptions) -> ImportedHead:
    return only_block(path, ImportedHead(load_head(path), []), choice.block)


def _write(head: Head, path: Path, choice: ImportOptions) -> Losses:
    save_head(head, path)
    return []


FORMAT = Format("head", "a head file of this studio", _named, _detect, _read, _write)
