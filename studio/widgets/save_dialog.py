"""Asking where a file is to be written: a name to begin with, an ending always, nothing replaced unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from studio.widgets.translation import tr

_LONGEST = 50  # letters of a name made of a sentence: at most 200 bytes, of 255 that there may be
_UNFIT = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')  # for a file's name, on one system or another


def ask_where(window: QWidget, title: str, name: str, kinds: Mapping[str, str]) -> Path | None:
    """Where to write; None when the person thinks better of it.

    name: proposed, any sentence, without an ending; kinds: the endings by their words in the list of the
    dialog, which say `(*.ending)` too; the first is the usual one.
    """
    endings = list(kinds.values())
    proposed = as_file_name(name) + endings[0]
    while True:
        typed, chosen = QFileDialog.getSaveFileName(window, title, proposed, ";;".join(kinds))
        if not typed:
            return None
        if ending_of(typed, endings):
            return Path(typed)
        # The dialog asked about the name as it was typed, not about the one that is written.
        whole = Path(typed + kinds.get(chosen, endings[0]))
        if not _is_there(whole) or _may_replace(window, title, whole):
            return whole
        proposed = str(whole)


def ending_of(name: str, endings: Sequence[str]) -> str | None:
    """Which of the endings the name has, in small letters or large ones."""
    return next((ending for ending in endings if name.lower().endswith(ending)), None)


def as_file_name(words: str) -> str:
    """The sentence as a name that every file system takes."""
    name = " ".join(_UNFIT.sub(" ", words).split())[:_LONGEST]
    return name.strip(" .") or tr("untitled")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have that name: who writes it says so
        return False


def _may_replace(window: QWidget, title: str, path: Path) -> bool:
    words = tr("{0} already exists. Replace it?").format(path.name)
    return QMessageBox.question(window, title, words) == QMessageBox.StandardButton.Yes
