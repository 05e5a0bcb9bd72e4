"""EasyEdit2: `layer_<L>.pt`, a bare tensor [d] added to the output of block L; or a folder of them."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import HeadError
from engine.heads.formats.constant_vectors import constant_head, constant_vectors
from engine.heads.formats.format import Format, ImportedHead, ImportOptions, Losses, ModelProvider, refuse
from engine.heads.formats.pickles import read_tensor, write_tensor
from engine.heads.head import Head

_NAME = re.compile(r"layer_(\d{1,4})\.pt")


def _matches_name(path: Path) -> bool:
    return bool(_NAME.fullmatch(path.name))


def _detect(path: Path) -> bool:
    return bool(_files(path))


def _files(path: Path) -> dict[int, Path]:
    names = path.iterdir() if path.is_dir() else [path]
    return {int(match[1]): name for name in names if (match := _NAME.fullmatch(name.name))}


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    files = _files(path)
    if not files:
        refuse(path, "EasyEdit2 tells the block by the name layer_<L>.pt.", "Give such a file or folder.")
    vectors = {block: read_tensor(file).squeeze() for block, file in sorted(files.items())}
    name = path.name if path.is_dir() else path.absolute().parent.name
    return constant_head(path, vectors, model, options, [], origin="easyedit2", name=name)


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    """One block as a file, several as a new folder."""
    constant = constant_vectors(head)
    match = _NAME.fullmatch(path.name)
    if match is not None:
        if list(constant.vectors) != [int(match[1])]:
            held = ", ".join(map(str, constant.vectors))
            refuse(path, f"Its name says block {match[1]}, the head steers {held}.", "Name a new folder.")
        write_tensor(path, constant.vectors[int(match[1])])
        return constant.losses
    try:
        path.mkdir()
    except OSError as error:
        raise HeadError(
            f"The vectors were not saved in {path}", f"{error.strerror or error}.", "Name a new folder."
        ) from None
    for block, vector in constant.vectors.items():
        write_tensor(path / f"layer_{block}.pt", vector)
    return constant.losses


FORMAT = Format(
    "easyedit2", "layer_<L>.pt of EasyEdit2, or a folder of them", _matches_name, _detect, _read, _write
)
