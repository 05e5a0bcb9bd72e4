"""The studio's own head files among the formats."""

from __future__ import annotations

from pathlib import Path

from engine.heads import HEAD_SUFFIX
from engine.heads.formats.constant_vectors import only_block
from engine.heads.formats.format import Format, ImportedHead, ImportOptions, Losses, ModelProvider
from engine.heads.formats.safetensors_file import names_in
from engine.heads.head import Head
from engine.heads.head_file import load_head, save_head


def _matches_name(path: Path) -> bool:
    return path.name.endswith(HEAD_SUFFIX)


def _detect(path: Path) -> bool:
    return any(name.startswith("block.") for name in names_in(path))


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    return only_block(path, ImportedHead(load_head(path), []), options.block)


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    save_head(head, path)
    return []


FORMAT = Format("head", "a head file of this studio", _matches_name, _detect, _read, _write)
