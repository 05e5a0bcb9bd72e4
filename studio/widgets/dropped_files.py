"""What was dragged onto a widget."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData


def dropped_files(data: QMimeData, endings: tuple[str, ...] = ("",)) -> list[Path]:
    """Files and folders of this machine in a drag whose names have one of `endings`, in any case."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.name.lower().endswith(endings)]
